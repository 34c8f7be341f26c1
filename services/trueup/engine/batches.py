"""Faust's transport, changed in two ways: one message per fetched chunk, and offsets from our checkpoint.

Stock Faust builds four asyncio tasks for each record and commits what it thinks is done. Here a message of a stream is
a whole `Chunk` of one partition, and after every assignment the consumer is sent to where the saved state says, not to
what Kafka has committed:

    assignment ──> perform_seek ──> Loop.positions (claim) ──> seek ──> getmany ──> Chunk(seek=n) ──> Loop.offer
                        ▲                                                  │
                        └────── fetched before the last seek: drop ────────┘

Faust calls `perform_seek` last thing before the flow resumes, so a seek made any earlier is overwritten.
"""

from __future__ import annotations

import asyncio
import logging
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from contextlib import suppress
from typing import Any, cast

import faust
from aiokafka import TopicPartition
from aiokafka.errors import IllegalStateError, KafkaError
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP
from faust.types.tuples import ConsumerMessage

from trueup.engine import lean_records
from trueup.engine.loop import Loop
from trueup.engine.records import Chunk
from trueup.errors import TopicWentBack, Unavailable

log = logging.getLogger(__name__)

SCHEME = "trueup"
#: While a lane is full, the others are asked for records at least this often, and so is it once it has room.
FULL_WAIT_SECONDS = 0.1
#: How long after Redis or Kafka did not answer a claim it is tried again.
CLAIM_AGAIN_SECONDS = 1.0
#: How long the broker holds back a fetch that finds less than is worth one (`App.trueup_fetch_bytes`).
FETCH_WAIT_MS = 50


class App(faust.App):
    """A Faust app that belongs to one `Loop`; the worker sets both before it starts."""

    trueup_loop: Loop
    trueup_prefix: str
    #: So much is worth a fetch: a stream of single records would come in hundreds of small chunks a second otherwise,
    #: each of which costs more than the events in it.
    trueup_fetch_bytes: int
    trueup_connect: Callable[[], Awaitable[None]]
    trueup_disconnect: Callable[[], Awaitable[None]]

    async def on_first_start(self) -> None:
        """Connect before the first partition is claimed."""
        await self.trueup_connect()
        await super().on_first_start()

    async def on_shutdown(self) -> None:
        """Disconnect once the consumer has let go."""
        await super().on_shutdown()
        await self.trueup_disconnect()


class ChunkSchema(faust.Schema[Any, Any]):
    """Hands a chunk through to the stream as it is."""

    def __init__(self) -> None:
        super().__init__(key_serializer="raw", value_serializer="raw")

    def compile(self, app: Any, **_: Any) -> Any:
        """The decoder of a message, as Faust wants it: nothing is decoded here."""
        create_event = app.create_event

        async def decode(message: Any, *, propagate: bool = False) -> Any:  # noqa: ARG001
            return create_event(None, message.value, message.headers, message)

        return decode


class ConsumerThread(driver.AIOKafkaConsumerThread):
    """Where aiokafka's consumer lives."""

    def _create_worker_consumer(self, transport: Any) -> Any:
        """Stock consumer that waits less, but for more: a question about offsets has to wait behind each such wait.

        With Faust's second and a half a seek took five, and a group of three workers under faults did not come to rest.
        """
        consumer = super()._create_worker_consumer(transport)
        consumer._fetch_max_wait_ms = FETCH_WAIT_MS
        consumer._fetch_min_bytes = cast(App, self.app).trueup_fetch_bytes
        return consumer


class ChunkConsumer(driver.Consumer):
    """A consumer whose messages are chunks."""

    def _new_consumer_thread(self) -> ConsumerThread:
        return ConsumerThread(self, loop=self.loop, beacon=self.beacon)

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        #: Partition -> the number of its last seek; none for those that were not sought in this generation.
        self._seeks: dict[int, int] = {}
        self._generation: int | None = None
        self._claims = 0
        self._seeking = asyncio.Lock()
        self._expected: dict[TP, int] = {}
        super().__init__(*args, **kwargs)

    @property
    def claiming(self) -> bool:
        """Whether partitions are being taken over now."""
        return self._seeking.locked()

    @property
    def _trueup(self) -> App:
        return cast(App, self.app)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Fetched chunks, each once; those fetched before the last seek of their partition are read again."""
        seeks = dict(self._seeks)
        records, active = await self._wait_next_records(timeout)
        if self._is_stopped():
            return
        if not self._is_sought:
            await self.perform_seek()
            return
        passed = set[TP]()
        for tp, fetched in (records or {}).items():
            if self._is_stopped():
                return
            if seeks.get(tp.partition) != self._seeks.get(tp.partition) or (active is not None and tp not in active):
                passed.add(tp)
                continue
            chunk = self._chunk(tp, fetched)
            if chunk is not None:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                yield tp, self._message(tp, chunk)
        await self._read_again(passed)

    async def _getmany(self, active_partitions: set[TP] | None, timeout: float) -> Any:
        """Records of the partitions whose lanes have room. Those of the others stay where they are, in Kafka."""
        full, prefix = self._trueup.trueup_loop.full(), self._trueup.trueup_prefix
        if full and active_partitions:
            active_partitions = {
                tp for tp in active_partitions if (tp.topic.removeprefix(prefix), tp.partition) not in full
            }
            timeout = min(timeout, FULL_WAIT_SECONDS)
            if not active_partitions:
                await self._trueup.trueup_loop.room(timeout)
                return {}
        return await super()._getmany(active_partitions, timeout)

    def _is_stopped(self) -> bool:
        return self.should_stop or not self.flow_active

    def _message(self, tp: TP, chunk: Chunk) -> ConsumerMessage:
        last = chunk.records[-1]
        return ConsumerMessage(
            topic=tp.topic,
            partition=tp.partition,
            offset=last.offset,
            timestamp=last.timestamp,
            timestamp_type=0,
            headers=None,
            key=None,
            value=cast(Any, chunk),
            checksum=None,
            tp=tp,
            generation_id=self.app.consumer_generation_id,
        )

    async def _read_again(self, passed: set[TP]) -> None:
        """What was fetched across a seek was passed over: go back to where the seek led."""
        if passed:
            async with self._seeking:
                assigned = {TP(*tp) for tp in self.assignment()}
                if target := {tp: self._expected[tp] for tp in passed & assigned if tp in self._expected}:
                    with suppress(IllegalStateError):  # Taken away meanwhile.
                        await self.seek_wait(target)

    @property
    def _is_sought(self) -> bool:
        """Whether all partitions were sought in this generation of the group, and the lanes are those of the seeks."""
        loop = self._trueup.trueup_loop
        if self._generation != self.app.consumer_generation_id:
            return False
        held = {tp.partition for tp in self.assignment()} - loop.lost_partitions
        return all(loop.holds(partition, self._seeks.get(partition, 0)) for partition in held)

    def _chunk(self, tp: TP, fetched: list[Any]) -> Chunk | None:
        expected = self._expected.get(tp, 0)
        records = fetched
        if fetched[0].offset < expected:
            records = [record for record in fetched if record.offset >= expected]
            if not records:
                return None
        self._expected[tp] = records[-1].offset + 1
        topic = tp.topic.removeprefix(self._trueup.trueup_prefix)
        behind = max(0, (self.highwater(tp) or 0) - self._expected[tp])
        return Chunk(topic, tp.partition, records, self._seeks.get(tp.partition, 0), expected, behind)

    async def perform_seek(self) -> None:
        """Claim all assigned partitions and go to where their saved state says; unsaved topics start at the oldest.

        One at a time, for it is called by Faust and by whoever lost a lane; again where the group changed meanwhile.
        Where it is cancelled half-way (Faust waits for it only so long), `getmany` finds that out and calls it again.

        Raises:
            TopicWentBack: a topic ends before where the saved state goes on.
        """
        async with self._seeking:
            await self._seek_to_committed()
            while not await self._seek_once({tp.partition for tp in self.assignment()}):
                pass
            self._trueup.trueup_loop.keep({tp.partition for tp in self.assignment()})

    async def _seek_to_committed(self) -> None:
        """As Faust does; without a partition there is nothing to seek, and aiokafka asserts that there is."""
        try:
            await super().perform_seek()
        except AssertionError:
            if self.assignment():
                raise

    async def seek_lost(self) -> None:
        """Claim the partitions whose lanes were lost, and leave the others alone."""
        async with self._seeking:
            lost = {tp.partition for tp in self.assignment()} & self._trueup.trueup_loop.lost_partitions
            if lost and self._generation == self.app.consumer_generation_id:
                await self._seek_once(lost)

    async def _seek_once(self, partitions: set[int]) -> bool:
        """Claim and seek; False where the group was rebalanced meanwhile."""
        try:
            return await self._claim_and_seek(partitions)
        except IllegalStateError:
            # A partition was taken away, and Faust does not know of the new generation yet.
            return False

    async def _claim_and_seek(self, partitions: set[int]) -> bool:
        generation = self.app.consumer_generation_id
        assigned = {TP(*tp) for tp in self.assignment() if tp.partition in partitions}
        self._claims += 1
        number = self._claims
        positions = await self._positions(partitions, number)
        if generation != self.app.consumer_generation_id:
            return False
        # Those that could not be claimed are lost for now, and no seek was made for them.
        partitions = partitions & positions.keys()
        assigned = {tp for tp in assigned if tp.partition in partitions}
        prefix = self._trueup.trueup_prefix
        wanted = {tp: positions.get(tp.partition, {}).get(tp.topic.removeprefix(prefix)) for tp in assigned}
        oldest = await self.earliest_offsets(*[tp for tp, offset in wanted.items() if offset is None])
        target = {tp: offset for tp, offset in wanted.items() if offset is not None}
        target.update({TP(*tp): offset for tp, offset in oldest.items()})
        await self._refuse_lost_records({tp: offset for tp, offset in wanted.items() if offset})
        if target:
            await self.seek_wait(target)
        for tp, offset in target.items():
            self._expected[tp] = offset
            self._read_offset[tp] = offset or None
        if self._generation != generation:
            self._seeks.clear()
        self._seeks.update(dict.fromkeys(partitions, number))
        self._generation = generation
        return bool(generation == self.app.consumer_generation_id)

    async def _refuse_lost_records(self, saved: Mapping[TP, int]) -> None:
        """Say what was deleted before it was read; go no further where a topic is not the one that was saved about."""
        if not saved:
            return
        oldest, ends = await self.earliest_offsets(*saved), await self.highwaters(*saved)
        for tp, offset in saved.items():
            if ends.get(tp, offset) < offset:
                raise TopicWentBack(
                    f"{tp.topic} partition {tp.partition} ends at {ends[tp]}, and the saved state goes on at {offset}: "
                    "the topic was made anew or cut. Give the workers another redis.key_prefix to begin anew with it"
                )
            if oldest.get(tp, 0) > offset:
                log.error("%s: records %d to %d were deleted before they were read", tp, offset, oldest[tp])

    async def _positions(self, partitions: set[int], number: int) -> Mapping[int, Mapping[str, int]]:
        """Claim, as long as it takes; nothing where the group was rebalanced meanwhile: they may be another's."""
        generation = self.app.consumer_generation_id
        while generation == self.app.consumer_generation_id:
            try:
                return await self._trueup.trueup_loop.positions(partitions, number)
            except Unavailable as error:
                log.warning("cannot take over partitions %s yet: %s", sorted(partitions), error)
                await asyncio.sleep(CLAIM_AGAIN_SECONDS)
        return {}

    async def commit_positions(self, partition: int, offsets: Mapping[str, int]) -> bool:
        """Tell Kafka how far the saved state is: for whoever watches the lag, and for nothing else.

        False: the group is forming anew, and this is to be told later.
        """
        prefix = self._trueup.trueup_prefix
        assigned = {TP(*tp) for tp in self.assignment()}
        wanted = {TP(prefix + topic, partition): offset for topic, offset in offsets.items()}
        committable = {tp: offset for tp, offset in wanted.items() if tp in assigned}
        return not committable or bool(await self._thread.call_thread(self._tell, committable))

    async def _tell(self, offsets: Mapping[TP, int]) -> bool:
        """Commit, in the consumer's thread; Faust's own way would end the worker where it fails."""
        consumer = self._thread._ensure_consumer()
        if _joins(consumer._coordinator):
            return False
        try:
            await consumer.commit({TopicPartition(*tp): offset for tp, offset in offsets.items()})
        except (KafkaError, ValueError) as error:
            log.info("Kafka was not told how far the saved state is: %r", error)
        return True

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Save what can be saved before another worker claims it."""
        await self._trueup.trueup_loop.revoke()
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own watchdog looks at commits and single records, which are not made here."""


def _joins(coordinator: Any) -> bool:
    """Whether this member is on its way into a new generation of its group: its heartbeat has stopped, or is to stop.

    The broker looks at a commit that is sent meanwhile after the join only, and refuses it for its old generation.
    aiokafka then throws away the generation that it has just joined, and joins as somebody else. The group waits for
    the member that it was until its session has passed, and forms anew while the next commit is sent: without end.
    """
    return bool(coordinator._rejoin_needed_fut.done()) or coordinator._heartbeat_task is None


class ChunkTransport(driver.Transport):
    """Stock transport with the consumer above."""

    Consumer = ChunkConsumer


def register() -> None:
    """Make `trueup://host:port` a broker address that Faust knows, and fetched records lean."""
    lean_records.install()
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:ChunkTransport"
