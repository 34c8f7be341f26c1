"""The transport's own part: what is fetched, offered and fetched again, with Faust's threads and Kafka left out.

Topics (of the stub)  ──fetch──>  ChunkConsumer.getmany  ──chunk──>  Loop.offer
          ▲                              │
          └──────────── seek ────────────┘
"""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Coroutine, Mapping
from concurrent.futures import Future
from dataclasses import replace
from types import SimpleNamespace
from typing import Any, cast

import pytest
from aiokafka import TopicPartition
from aiokafka.consumer import fetcher
from faust.types import TP
from mode import Service

from engine.bench import CALM, Bench, until, within
from engine.counting import MODELS, value
from trueup.engine import batches
from trueup.engine.batches import App, ChunkConsumer
from trueup.engine.loop import LoopSettings
from trueup.engine.records import Chunk, Record
from trueup.errors import TopicWentBack

A, B = TP("trueup.predictions", 0), TP("trueup.predictions", 1)
MOST = 3


@pytest.fixture(autouse=True)
def _whole_records_elsewhere(monkeypatch: pytest.MonkeyPatch) -> None:
    """`batches.register` makes the records of every consumer in the process lean: after the test they are whole."""
    monkeypatch.setattr(fetcher, "PartitionRecords", fetcher.PartitionRecords)


class Kafka:
    """In the place of aiokafka's consumer: what it was told to commit, and how its coordinator says that it joins."""

    def __init__(self) -> None:
        self.committed: dict[TopicPartition, int] = {}
        self._coordinator = SimpleNamespace(_rejoin_needed_fut=Future[None](), _heartbeat_task="beats")

    async def commit(self, offsets: Mapping[TopicPartition, int]) -> None:
        self.committed.update(offsets)


class Topics(Service):
    """In the place of Faust's consumer thread: topics in memory, and how far each partition was fetched."""

    def __init__(self, *assigned: TP) -> None:
        super().__init__()
        self.records: dict[TP, list[Record]] = {tp: [] for tp in assigned}
        self.oldest: dict[TP, int] = dict.fromkeys(assigned, 0)
        self.position: dict[TP, int] = {}
        self.asked: list[set[TP]] = []
        self.kafka = Kafka()
        #: Done once before something is fetched, or between that and its arrival.
        self.meanwhile: dict[str, Callable[[], Coroutine[Any, Any, object]]] = {}

    def write(self, tp: TP, *names: str) -> None:
        for name in names:
            held, raw = self.records[tp], value(name, model=MODELS[tp.partition][0])
            held.append(Record(len(held), 0.0, None, raw))

    async def getmany(self, active: set[TP], timeout: float) -> dict[TP, list[Record]]:  # noqa: ARG002
        self.asked.append(set(active))
        await self._meanwhile("before")
        fetched = {}
        for tp in sorted(active):
            first = max(self.position[tp], self.oldest[tp])
            if found := self.records[tp][first : first + MOST]:
                fetched[tp] = found
                self.position[tp] = found[-1].offset + 1
        await self._meanwhile("after")
        return fetched

    async def _meanwhile(self, when: str) -> None:
        if when in self.meanwhile:
            await self.meanwhile.pop(when)()

    def assignment(self) -> set[TP]:
        return set(self.records)

    async def seek_to_committed(self) -> Mapping[TP, int]:
        return {}

    async def seek_wait(self, target: Mapping[TP, int]) -> None:
        self.position.update(target)

    async def earliest_offsets(self, *tps: TP) -> Mapping[TP, int]:
        return {tp: self.oldest[tp] for tp in tps}

    async def highwaters(self, *tps: TP) -> Mapping[TP, int]:
        return {tp: self.highwater(tp) for tp in tps}

    def highwater(self, tp: TP) -> int:
        return len(self.records[tp])

    async def call_thread(self, method: Callable[..., Coroutine[Any, Any, Any]], *args: Any) -> Any:
        return await method(*args)

    def _ensure_consumer(self) -> Kafka:
        return self.kafka


class StubConsumer(ChunkConsumer):
    """The consumer, on topics in memory."""

    topics: Topics

    def _new_consumer_thread(self) -> Any:
        return self.topics


class Transport:
    """A consumer that was given partitions, and the worker that it reads for."""

    def __init__(self, *assigned: TP, settings: LoopSettings = CALM) -> None:
        self.bench = Bench(settings)
        self.topics = Topics(*assigned)
        self.app = app()
        self.app.trueup_loop, self.app.trueup_prefix = self.bench.loop, "trueup."
        made = type("Made", (StubConsumer,), {"topics": self.topics})
        self.consumer: ChunkConsumer = made(self.app.transport, *[nothing] * 3)
        self.app.consumer = self.consumer
        self.app.consumer_generation_id = 1
        self.consumer.resume_partitions(set(assigned))

    async def fetch(self) -> list[Chunk]:
        """What one round of fetching brings; none of it is offered yet."""
        return [cast(Chunk, message.value) async for _, message in self.consumer.getmany(0.0)]

    async def round(self) -> None:
        """One round, as Faust's agent has it."""
        for chunk in await self.fetch():
            await self.bench.loop.offer(chunk)


async def nothing(*_: Any, **__: Any) -> None:
    return


def app() -> App:
    batches.register()
    made = App("stub", broker=f"{batches.SCHEME}://127.0.0.1:1", store="memory://", web_enabled=False)
    made.finalize()
    return made


def names(chunks: list[Chunk]) -> list[tuple[int, int, int | None]]:
    """Partition, first offset, and where the reader was to go on."""
    return [(chunk.partition, chunk.first_offset, chunk.follows) for chunk in chunks]


def test_after_a_seek_chunks_come_in_order_each_once_and_say_what_they_follow_on() -> None:
    async def work() -> None:
        here = Transport(A, B)
        here.topics.write(A, *"abcde")
        here.topics.write(B, "f")
        await here.consumer.perform_seek()
        assert names(await here.fetch()) == [(0, 0, 0), (1, 0, 0)]
        assert names(await here.fetch()) == [(0, 3, 3)]
        assert names(await here.fetch()) == []

    within(10, work())


def test_it_goes_on_where_the_saved_state_does_and_not_where_kafka_was_told() -> None:
    async def work() -> None:
        here = Transport(A)
        here.topics.write(A, *[f"ok-{at}" for at in range(5)])
        await here.consumer.perform_seek()
        await here.round()
        await here.bench.loop.turn(settle_all=True)
        await here.round()
        await here.consumer.perform_seek()
        assert names(await here.fetch()) == [(0, 3, 3)]

    within(10, work())


def test_a_full_lane_is_not_fetched_and_the_quiet_ones_beside_it_are_at_once() -> None:
    #  0 (hot)    ▇▇▇ full ───────────────────── taken ▇▇▇
    #  1 (quiet)       ▁    ▁    ▁
    async def work() -> None:
        here = Transport(A, B, settings=replace(CALM, waiting_records=MOST))
        here.topics.write(A, *[f"ok-{at}" for at in range(9)])
        await here.consumer.perform_seek()
        await here.round()
        assert here.bench.loop.full() == {("predictions", 0)}
        for at in range(3):
            here.topics.write(B, f"ok-quiet-{at}")
            assert names(await here.fetch()) == [(1, at, at)]
            assert here.topics.asked[-1] == {B}
        assert here.topics.position[A] == MOST, "what is not taken stays in Kafka"
        await here.bench.loop.turn()
        assert names(await here.fetch()) == [(0, 3, 3)]

    within(10, work())


def test_where_every_lane_is_full_nothing_is_fetched_until_one_has_room() -> None:
    async def work() -> None:
        here = Transport(A, settings=replace(CALM, waiting_records=MOST))
        here.topics.write(A, *[f"ok-{at}" for at in range(9)])
        await here.consumer.perform_seek()
        await here.round()
        asked = len(here.topics.asked)
        assert await here.fetch() == []
        assert len(here.topics.asked) == asked
        await here.bench.loop.turn()
        await here.round()
        assert here.bench.loop.lanes[0].waiting_records == MOST

    within(10, work())


@pytest.mark.parametrize("when", ["before", "after"])
def test_what_was_fetched_across_a_seek_is_passed_over_and_read_again(when: str) -> None:
    async def work() -> None:
        here = Transport(A, B)
        for tp in (A, B):
            here.topics.write(tp, *"abcde")
        await here.consumer.perform_seek()
        await here.round()
        await here.bench.kept.claim(0)
        await here.bench.loop.turn(settle_all=True)
        assert here.bench.loop.lost_partitions == {0}
        here.topics.meanwhile[when] = here.consumer.seek_lost
        # The lost partition was sought in between: what came of it is from before. The other one's is as good as ever.
        assert names(await here.fetch()) == [(1, 3, 3)]
        assert names(await here.fetch()) == [(0, 0, 0)]
        assert here.bench.loop.lost_partitions == set()

    within(10, work())


def test_a_partition_that_is_lost_and_not_claimed_yet_keeps_no_other_from_being_read() -> None:
    async def work() -> None:
        here = Transport(A, B)
        await here.consumer.perform_seek()
        here.topics.write(A, "ok-a")
        await here.round()
        await here.bench.kept.claim(0)
        await here.bench.loop.turn(settle_all=True)
        here.topics.write(B, "ok-b")
        await here.round()
        assert here.bench.loop.lanes[1].waiting_records == 1
        assert here.bench.loop.lost_partitions == {0}

    within(10, work())


def test_in_a_new_generation_nothing_is_offered_before_all_was_sought_again() -> None:
    async def work() -> None:
        here = Transport(A)
        here.topics.write(A, *"abcde")
        await here.consumer.perform_seek()
        await here.round()
        here.app.consumer_generation_id = 2
        assert await here.fetch() == []
        assert names(await here.fetch()) == [(0, 0, 0)]

    within(10, work())


def test_a_partition_that_went_to_another_while_it_could_not_be_claimed_is_not_claimed_and_ends_nobody(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    async def work() -> None:
        here = Transport(A, B)
        faults = here.bench.faults
        faults.down.add("claim")
        seeking = asyncio.create_task(here.consumer.perform_seek())
        await until(lambda: faults.reached["claim"] == 2)
        await here.bench.loop.revoke()
        await until(lambda: faults.reached["claim"] == 4)
        assert set(here.bench.loop.behind_seconds()) == {0, 1}
        faults.hold("claim")
        await until(lambda: faults.reached["claim"] == 5)
        del here.topics.records[A]
        here.app.consumer_generation_id = 2
        faults.let_on("claim")
        faults.down.clear()
        await seeking
        # That claim went well, and was nobody's to make; there is none after it, and nothing is waited for.
        assert set(here.bench.loop.lanes) == {1}
        assert set(here.bench.loop.behind_seconds()) == {1}
        assert (await here.bench.kept.claim(0)).epoch == 2

    monkeypatch.setattr(batches, "CLAIM_AGAIN_SECONDS", 0.0)
    within(10, work())


def test_records_before_the_place_that_was_sought_are_left_out() -> None:
    async def work() -> None:
        here = Transport(A)
        here.topics.write(A, *"abcde")
        await here.consumer.perform_seek()
        await here.fetch()
        here.topics.position[A] = 1
        (chunk,) = await here.fetch()
        assert (chunk.first_offset, chunk.next_offset, chunk.follows) == (3, 4, 3)

    within(10, work())


def test_a_topic_that_ends_before_the_saved_state_is_refused_and_one_that_was_cut_at_its_head_is_not(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        here = Transport(A)
        here.topics.write(A, *[f"ok-{at}" for at in range(6)])
        await here.consumer.perform_seek()
        await here.round()
        await here.bench.loop.turn(settle_all=True)
        here.topics.oldest[A] = 5
        await here.consumer.perform_seek()
        assert "records 3 to 5 were deleted before they were read" in caplog.text
        assert names(await here.fetch()) == [(0, 5, 3)]
        here.topics.records[A] = here.topics.records[A][:2]
        with pytest.raises(TopicWentBack, match="ends at 2, and the saved state goes on at 3"):
            await here.consumer.perform_seek()

    within(10, work())


@pytest.mark.parametrize("step", ["asked to join", "joins", "joins, asked for once more"])
def test_nothing_is_committed_while_the_group_forms_anew(step: str) -> None:
    async def work() -> None:
        here = Transport(A)
        coordinator = here.topics.kafka._coordinator
        if step != "joins":
            coordinator._rejoin_needed_fut.set_result(None)
        if step != "asked to join":
            coordinator._heartbeat_task = None
        assert await here.consumer.commit_positions(0, {"predictions": 3}) is False
        assert here.topics.kafka.committed == {}
        here.topics.kafka._coordinator = Kafka()._coordinator
        assert await here.consumer.commit_positions(0, {"predictions": 3}) is True
        assert here.topics.kafka.committed == {TopicPartition(*A): 3}

    within(10, work())


def test_there_is_nothing_to_commit_of_what_is_not_assigned() -> None:
    async def work() -> None:
        here = Transport(A)
        here.topics.kafka._coordinator._rejoin_needed_fut.set_result(None)
        assert await here.consumer.commit_positions(1, {"predictions": 3}) is True

    within(10, work())
