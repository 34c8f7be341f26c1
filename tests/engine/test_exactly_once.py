"""Exactly once as a law: whatever fails and whoever is killed, the end is a plain fold over the events.

log ──fetch──> loop ──turn──> checkpoint, publisher ──> journal, signals, dead letters
                │ killed, or its answers lost, at every place; a new one takes over
                └─> zombie: thawed later, still holds what it had taken, and is refused
"""

from __future__ import annotations

import asyncio
import json
import logging
import uuid
from collections import Counter
from collections.abc import Iterator, Mapping
from typing import Any

import pytest
import redis.asyncio
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    precondition,
    rule,
    run_state_machine_as_test,
)

from engine.counting import MODELS, PARTITIONS, group_of, setup, value
from engine.faulty import PLACES, WAYS, Faults, FaultyCheckpoint, FaultyPublisher, Killed
from trueup.embedded import Stack
from trueup.engine.checkpoint import Checkpoint
from trueup.engine.loop import Loop, LoopSettings
from trueup.engine.memory import MemoryCheckpoint, MemoryHistory, MemoryLog, MemoryPublisher
from trueup.engine.records import Chunk
from trueup.engine.redis_checkpoint import RedisCheckpoint
from trueup.engine.replay import replay
from trueup.errors import Unavailable
from trueup.step import Needs, Output

TOPICS = ("predictions", "feedback")
topics = st.sampled_from(TOPICS)
partitions = st.integers(0, PARTITIONS - 1)
kinds = st.sampled_from(["ok", "ok", "ok", "urgent", "forget", "poison", "mute", "left", "right"])
NEVER_PACED = LoopSettings(save_interval_seconds=0.0, stuck_seconds=1e9)


class World:
    """A log, where state is kept, and the workers that were: one of them lives."""

    def __init__(self, checkpoint: Checkpoint) -> None:
        self.log = MemoryLog(PARTITIONS)
        self.kept = checkpoint
        self.faults = Faults()
        self.shared = setup(bad_tick=lambda now: now % 7 == 0)
        self.now = 1.0
        self.seeks = 0
        self.fetched: dict[tuple[str, int], int] = {}
        #: Partition -> the number of its last seek.
        self.sought: dict[int, int] = {}
        self.zombies: list[Loop] = []
        self.refused = 0
        self.loop = self.worker()

    def worker(self) -> Loop:
        async def commit(_: int, __: Mapping[str, int]) -> None:
            return

        return Loop(
            setup=self.shared,
            checkpoint=FaultyCheckpoint(self.kept, self.faults),
            publisher=FaultyPublisher(MemoryPublisher(self.log), self.faults),
            commit=commit,
            history=MemoryHistory(self.log),
            settings=NEVER_PACED,
            wall_clock=lambda: self.now,
        )

    async def take_over(self) -> None:
        """As the transport does: claim, and read from where the state says; again what could not be claimed."""
        wanted = set(range(PARTITIONS))
        while wanted:
            self.seeks += 1
            try:
                positions = await self.loop.positions(wanted, self.seeks)
            except Unavailable:
                continue
            except Killed:
                self.loop, wanted = self.worker(), set(range(PARTITIONS))
                continue
            wanted -= positions.keys()
            self.sought.update(dict.fromkeys(positions, self.seeks))
            self.fetched = {place: offset for place, offset in self.fetched.items() if place[1] not in positions}
            self.fetched |= {(topic, at): offset for at, found in positions.items() for topic, offset in found.items()}

    async def turn(self, *, settle_all: bool) -> None:
        """One turn of the worker that lives; its successor takes over where it is killed."""
        try:
            await self.loop.turn(settle_all=settle_all)
        except Killed:
            await self.kill()
            return
        if self.loop.lost.is_set():
            await self.take_over()

    async def kill(self) -> None:
        """The worker stands still, not knowing it; another one takes over."""
        others = [task for task in asyncio.all_tasks() if task is not asyncio.current_task()]
        for task in others:
            task.cancel()
        await asyncio.gather(*others, return_exceptions=True)
        self.zombies.append(self.loop)
        self.loop = self.worker()
        await self.take_over()

    async def fetch(self, topic: str, partition: int, most: int) -> None:
        found = self.log.read(topic, partition, self.fetched.get((topic, partition), 0), most=most)
        if found is not None:
            self.fetched[topic, partition] = found.next_offset
            await self.loop.offer(Chunk(topic, partition, found.records, self.sought[partition]))

    async def drain(self) -> None:
        """Nothing fails any more: take all there is."""
        self.faults.armed.clear()
        await self.take_over()
        for topic in TOPICS:
            for partition in range(PARTITIONS):
                while self.fetched.get((topic, partition), 0) < len(self.log.records.get((topic, partition), [])):
                    await self.fetch(topic, partition, 3)
        while await self.loop.turn(settle_all=True) or any(lane.dirty for lane in self.loop.lanes.values()):
            assert not self.loop.lost.is_set()


class ExactlyOnce(RuleBasedStateMachine):
    """Rules are what happens to a worker; `teardown` compares the end with the plain fold."""

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.world = World(self.runner.run(self.checkpoint()))
        self.named = 0
        #: Each event that was written: topic, partition, kind, name.
        self.events: list[tuple[str, int, str, str, str]] = []
        self.letters: Counter[tuple[str, bytes]] = Counter()

    async def checkpoint(self) -> Checkpoint:
        return MemoryCheckpoint()

    async def close(self) -> None:
        return

    @initialize()
    def begin(self) -> None:
        self.runner.run(self.world.take_over())

    # -- what happens -----------------------------------------------------------------------------------------------

    @rule(topic=topics, partition=partitions, model=st.integers(0, 1), kinds=st.lists(kinds, min_size=1, max_size=4))
    def write(self, topic: str, partition: int, model: int, kinds: list[str]) -> None:
        names = []
        for kind in kinds:
            self.named += 1
            names.append(f"{kind}-{self.named}")
            self.events.append((topic, partition, MODELS[partition][model], kind, names[-1]))
            if kind in ("poison", "mute"):
                self.letters["step_failed", value(names[-1], model=MODELS[partition][model])] += 1
        self.world.now += 0.4
        record = value(*names, model=MODELS[partition][model])
        self.world.log.append(topic, record, timestamp=self.world.now, partition=partition)

    @rule(topic=topics, partition=partitions, misrouted=st.booleans())
    def write_what_nobody_can_use(self, topic: str, partition: int, misrouted: bool) -> None:
        self.named += 1
        bad = value(f"ok-{self.named}", model=MODELS[1 - partition][0]) if misrouted else b"[%d" % self.named
        self.letters["misrouted" if misrouted else "not_json", bad] += 1
        self.world.log.append(topic, bad, timestamp=self.world.now, partition=partition)

    @rule(topic=topics, partition=partitions, most=st.integers(1, 5))
    def fetch(self, topic: str, partition: int, most: int) -> None:
        self.runner.run(self.world.fetch(topic, partition, most))

    @rule(topic=topics, partition=partitions, back=st.integers(1, 6))
    def redeliver(self, topic: str, partition: int, back: int) -> None:
        at = self.world.fetched.get((topic, partition), 0)
        self.world.fetched[topic, partition] = max(0, at - back)

    @rule(settle_all=st.booleans())
    def turn(self, settle_all: bool) -> None:
        self.runner.run(self.world.turn(settle_all=settle_all))

    @rule(seconds=st.sampled_from([0.5, 1.0, 3.0]))
    def time_passes(self, seconds: float) -> None:
        self.world.now += seconds

    @rule(place=st.sampled_from(PLACES), way=st.sampled_from(WAYS))
    def something_will_go_wrong(self, place: str, way: str) -> None:
        self.world.faults.armed[place] = way

    @rule()
    def kill(self) -> None:
        self.runner.run(self.world.kill())

    @rule()
    def rebalance(self) -> None:
        async def work() -> None:
            try:
                await self.world.loop.revoke()
            except Killed:
                await self.world.kill()
            else:
                self.world.loop = self.world.worker()
                await self.world.take_over()

        self.runner.run(work())

    @precondition(lambda self: self.world.zombies)
    @rule(which=st.integers(0, 99))
    def a_zombie_goes_on(self, which: int) -> None:
        """It takes what it still has, and writes; nothing of it may be kept."""
        world = self.world

        async def work() -> None:
            zombie = world.zombies.pop(which % len(world.zombies))
            world.faults.armed.clear()
            before = [await world.kept.offsets(at) for at in range(PARTITIONS)]
            views = [await world.kept.views(at) for at in range(PARTITIONS)]
            dirty = any(lane.dirty or not lane.idle for lane in zombie.lanes.values())
            while await zombie.turn(settle_all=True):
                pass
            assert before == [await world.kept.offsets(at) for at in range(PARTITIONS)]
            assert views == [await world.kept.views(at) for at in range(PARTITIONS)]
            assert zombie.counts.lost > 0 or not dirty
            world.refused += zombie.counts.lost

        self.runner.run(work())

    # -- what must hold ---------------------------------------------------------------------------------------------

    @invariant()
    def no_number_stands_for_two_things(self) -> None:
        for partition in range(PARTITIONS):
            by_number: dict[int, bytes] = {}
            for record in self.world.log.records.get(("signals", partition), []):
                number = json.loads(record.value or b"")["number"]
                assert by_number.setdefault(number, record.value or b"") == record.value

    def teardown(self) -> None:
        try:
            self.runner.run(self.world.drain())
            for partition in range(PARTITIONS):
                self.check_state(partition)
                self.check_signals(partition)
                self.check_replay(partition)
            self.check_letters()
        finally:
            self.runner.run(self.close())
            self.runner.close()

    def check_state(self, partition: int) -> None:
        """Offsets at the end of the log, counts as a plain fold has them."""
        claimed = self.runner.run(self.world.kept.claim(partition))
        ends = {topic: len(found) for (topic, at), found in self.world.log.records.items() if at == partition}
        assert claimed.offsets == {topic: end for topic, end in ends.items() if topic in TOPICS}
        assert claimed.outbox == []
        counts: Counter[str] = Counter()
        for topic, at, model, kind, _ in self.events:
            if at == partition and kind == "forget":
                del counts[f"{topic}/{model}"]
            elif at == partition and kind not in ("poison", "mute"):
                counts[f"{topic}/{model}"] += 1
        own = {name: int(held) for name, held in claimed.sections.items() if name not in ("own", "engine")}
        asleep = self.runner.run(self.world.kept.read(partition, Needs(asleep=list(counts)))).asleep
        assert not own.keys() & asleep.keys()
        assert own | {name: int(held) for name, held in asleep.items()} == counts
        self.check_entries(partition)
        views = self.runner.run(self.world.kept.views(partition))
        assert {name: int(held) for name, held in views.items() if name != "engine"} == counts

    def check_entries(self, partition: int) -> None:
        """Each group of ids holds how many events were counted in it."""
        groups: Counter[bytes] = Counter()
        for topic, at, model, kind, name in self.events:
            if at == partition and kind not in ("poison", "mute"):
                groups[group_of(topic, {"prediction_id": name, "model_id": model})] += 1
        held = self.runner.run(self.world.kept.read(partition, Needs(list(groups)))).entries
        assert {key: int(count) for key, count in held.items()} == groups

    def check_signals(self, partition: int) -> None:
        """Each event told of under one number, numbers without a gap, each number always with the same bytes."""
        records = self.world.log.records.get(("signals", partition), [])
        distinct = {record.value: json.loads(record.value or b"") for record in records}
        assert sorted(said["number"] for said in distinct.values()) == [*range(1, len(distinct) + 1)]
        told = Counter(said["id"] for said in distinct.values())
        fine = [name for _, at, _, kind, name in self.events if at == partition and kind not in ("poison", "mute")]
        assert told == Counter(fine)

    def check_letters(self) -> None:
        """Each bad event is one dead letter, by where it stood."""
        found: Counter[tuple[str, bytes]] = Counter()
        distinct = set()
        for partition in range(PARTITIONS):
            log = self.world.log
            records = log.records.get(("dead-letters", partition), [])
            distinct |= set(zip(log.headers.get(("dead-letters", partition), []), map(value_of, records), strict=True))
        for headers, held in distinct:
            found[dict(headers)["trueup_reason"].decode(), held] += 1
        assert found == self.letters

    def check_replay(self, partition: int) -> None:
        """The topics taken again in the order of the journal give the same bytes in the same order."""
        log = self.world.log
        entries: dict[int, Any] = {}
        for record in log.records.get(("journal", partition), []):
            entry = json.loads(record.value or b"")
            assert entries.setdefault(entry["save"], entry) == entry
        ordered = [entries[number] for number in sorted(entries)]

        def read(topic: str, first: int, end: int) -> Chunk:
            found = log.read(topic, partition, first, most=end - first)
            assert found is not None
            return found

        again = [output for outputs in replay(partition, ordered, read, self.world.shared) for output in outputs]
        for topic in ("journal", "signals", "dead-letters"):
            records = zip(log.records.get((topic, partition), []), log.headers.get((topic, partition), []), strict=True)
            first_time = dict.fromkeys((record.key, record.value, headers) for record, headers in records)
            replayed = [as_sent(output) for output in again if output.topic == topic]
            assert replayed == list(first_time)


def value_of(record: Any) -> bytes:
    return record.value or b""


def as_sent(output: Output) -> tuple[bytes | None, bytes, tuple[tuple[str, bytes], ...]]:
    return output.key, output.value, output.headers


class GoingBack(ExactlyOnce):
    """Besides, the store is put back to what it was at some moment before, or to nothing; nobody is told."""

    def __init__(self) -> None:
        self.copies = [MemoryCheckpoint()]
        super().__init__()

    @property
    def store(self) -> MemoryCheckpoint:
        assert isinstance(self.world.kept, MemoryCheckpoint)
        return self.world.kept

    @rule()
    def copy(self) -> None:
        self.copies.append(self.store.copy())

    @rule(which=st.integers(0, 99), known=st.booleans())
    def put_back(self, which: int, known: bool) -> None:
        # A zombie that thaws after that is two faults at once: it may say what nobody knows it saved.
        self.world.zombies.clear()
        self.store.put_back(self.copies[which % len(self.copies)])
        if known:
            self.runner.run(self.world.kill())
            self.world.zombies.clear()


QUIET = [HealthCheck.too_slow, HealthCheck.filter_too_much, HealthCheck.data_too_large]


@pytest.fixture(autouse=True)
def _quiet() -> Iterator[None]:
    """Thousands of tracebacks that are meant to be would take longer than all the rest."""
    logging.disable()
    yield
    logging.disable(logging.NOTSET)


def test_in_memory_the_end_is_the_plain_fold_whatever_happened() -> None:
    run_state_machine_as_test(
        ExactlyOnce,
        settings=settings(max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=QUIET),
    )


def test_where_the_store_goes_back_in_time_the_end_is_the_plain_fold_all_the_same() -> None:
    run_state_machine_as_test(
        GoingBack,
        settings=settings(max_examples=150, stateful_step_count=50, deadline=None, suppress_health_check=QUIET),
    )


@pytest.mark.live
def test_in_redis_the_end_is_the_plain_fold_whatever_happened(stack: Stack) -> None:
    class OnRedis(ExactlyOnce):
        async def checkpoint(self) -> Checkpoint:
            self.client = redis.asyncio.Redis.from_url(stack.addresses.redis)
            return RedisCheckpoint(self.client, worker="counter", prefix=f"test-{uuid.uuid4().hex}")

        async def close(self) -> None:
            await self.client.aclose()

    run_state_machine_as_test(
        OnRedis,
        settings=settings(max_examples=40, stateful_step_count=40, deadline=None, suppress_health_check=QUIET),
    )
