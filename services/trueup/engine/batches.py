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
from typing import Any, cast

import faust
from aiokafka import TopicPartition
from aiokafka.errors import KafkaError
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from trueup.engine.loop import Loop
from trueup.engine.records import Chunk, Record
from trueup.errors import TopicWentBack, Unavailable

log = logging.getLogger(__name__)

SCHEME = "trueup"


class App(faust.App):
    """A Faust app that belongs to one `Loop`; the worker sets both before it starts."""

    trueup_loop: Loop
    trueup_prefix: str
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


class ChunkConsumer(driver.Consumer):
    """A consumer whose messages are chunks."""

    def __init__(self, *args: Any, **kwargs: Any) -> None:
        self._seek_number = 0
        self._seek_generation: int | None = None
        self._claims = 0
        self._seeking = asyncio.Lock()
        self._expected: dict[TP, int] = {}
        super().__init__(*args, **kwargs)

    @property
    def _trueup(self) -> App:
        return cast(App, self.app)

    async def getmany(self, timeout: float) -> AsyncIterator[tuple[TP, Any]]:
        """Fetched chunks, each once; those fetched before the last seek or rebalance are dropped and read again."""
        seek, generation = self._seek_number, self.app.consumer_generation_id
        records, active = await self._wait_next_records(timeout)
        if not records or self.should_stop or not self.flow_active:
            return
        if not (seek == self._seek_number and generation == self.app.consumer_generation_id and self._sought):
            await self.perform_seek()
            return
        for tp, fetched in records.items():
            if not self.flow_active or seek != self._seek_number:
                return
            if active is not None and tp not in active and tp not in self._buffered_partitions:
                continue
            chunk = self._chunk(tp, fetched)
            if chunk is not None:
                self.app.monitor.track_tp_end_offset(tp, self.highwater(tp))
                message = self._to_message(tp, fetched[-1])
                message.key, message.headers = None, None
                message.value = cast(Any, chunk)
                yield tp, message

    @property
    def _sought(self) -> bool:
        """Whether the lanes are those of the last seek, and that of this generation of the group."""
        loop = self._trueup.trueup_loop
        return self._seek_generation == self.app.consumer_generation_id and loop.seek_number == self._seek_number

    def _chunk(self, tp: TP, fetched: list[Any]) -> Chunk | None:
        expected = self._expected.get(tp, 0)
        records = [
            Record(record.offset, record.timestamp / 1000, record.key, record.value)
            for record in fetched
            if record.offset >= expected
        ]
        if not records:
            return None
        self._expected[tp] = records[-1].offset + 1
        topic = tp.topic.removeprefix(self._trueup.trueup_prefix)
        return Chunk(topic, tp.partition, records, self._seek_number, expected)

    async def perform_seek(self) -> None:
        """Claim all assigned partitions and go to where their saved state says; unsaved topics start at the oldest.

        One at a time, for it is called by Faust and by whoever lost a lane; again where the group changed meanwhile.
        Where it is cancelled half-way (Faust waits for it only so long), `getmany` finds that out and calls it again.

        Raises:
            TopicWentBack: a topic ends before where the saved state goes on.
        """
        async with self._seeking:
            while not await self._seek_once():
                pass

    async def _seek_once(self) -> bool:
        """Claim and seek; False where the group was rebalanced meanwhile."""
        generation = self.app.consumer_generation_id
        await super().perform_seek()
        assigned = {TP(*tp) for tp in self.assignment()}
        self._claims += 1
        number = self._claims
        positions = await self._positions({tp.partition for tp in assigned}, number)
        if generation != self.app.consumer_generation_id:
            return False
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
        self._seek_number, self._seek_generation = number, generation
        return generation == self.app.consumer_generation_id

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
        while True:
            try:
                return await self._trueup.trueup_loop.positions(partitions, number)
            except Unavailable as error:
                log.warning("cannot take over partitions %s yet: %s", sorted(partitions), error)
                await asyncio.sleep(1.0)

    async def commit_positions(self, partition: int, offsets: Mapping[str, int]) -> None:
        """Tell Kafka how far the saved state is: for whoever watches the lag, and for nothing else."""
        prefix = self._trueup.trueup_prefix
        assigned = {TP(*tp) for tp in self.assignment()}
        wanted = {TP(prefix + topic, partition): offset for topic, offset in offsets.items()}
        if committable := {tp: offset for tp, offset in wanted.items() if tp in assigned}:
            await self._thread.call_thread(self._tell, committable)

    async def _tell(self, offsets: Mapping[TP, int]) -> None:
        """Commit, in the consumer's thread; Faust's own way would end the worker where it fails."""
        consumer = self._thread._ensure_consumer()
        try:
            await consumer.commit({TopicPartition(*tp): offset for tp, offset in offsets.items()})
        except (KafkaError, ValueError) as error:
            log.info("Kafka was not told how far the saved state is: %r", error)

    async def on_partitions_revoked(self, revoked: set[TP]) -> None:
        """Save what can be saved before another worker claims it."""
        await self._trueup.trueup_loop.revoke()
        await super().on_partitions_revoked(revoked)

    def verify_event_path(self, now: float, tp: TP) -> None:
        """Faust's own watchdog looks at commits and single records, which are not made here."""


class ChunkTransport(driver.Transport):
    """Stock transport with the consumer above."""

    Consumer = ChunkConsumer


def register() -> None:
    """Make `trueup://host:port` a broker address that Faust knows."""
    TRANSPORTS.aliases[SCHEME] = f"{__name__}:ChunkTransport"
