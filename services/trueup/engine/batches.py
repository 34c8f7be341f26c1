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
from faust.transport.drivers import TRANSPORTS
from faust.transport.drivers import aiokafka as driver
from faust.types import TP

from trueup.engine.loop import Loop
from trueup.engine.records import Chunk, Record
from trueup.errors import Unavailable

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
        fresh = seek == self._seek_number and generation == self.app.consumer_generation_id == self._seek_generation
        if not fresh:
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
        return Chunk(topic, tp.partition, records, self._seek_number)

    async def perform_seek(self) -> None:
        """Claim all assigned partitions and go to where their saved state says; unsaved topics start at the oldest.

        Redis or Kafka that does not answer is asked again until Faust's own time-out ends the worker.
        """
        generation = self.app.consumer_generation_id
        await super().perform_seek()
        assigned = {TP(*tp) for tp in self.assignment()}
        number = self._seek_number + 1
        positions = await self._positions({tp.partition for tp in assigned}, number)
        if generation != self.app.consumer_generation_id:
            return  # rebalanced meanwhile: another seek follows
        prefix = self._trueup.trueup_prefix
        wanted = {tp: positions.get(tp.partition, {}).get(tp.topic.removeprefix(prefix)) for tp in assigned}
        oldest = await self.earliest_offsets(*[tp for tp, offset in wanted.items() if offset is None])
        target = {tp: offset for tp, offset in wanted.items() if offset is not None}
        target.update({TP(*tp): offset for tp, offset in oldest.items()})
        if target:
            await self.seek_wait(target)
        for tp, offset in target.items():
            self._expected[tp] = offset
            self._read_offset[tp] = offset or None
        self._seek_number, self._seek_generation = number, generation

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
            await self._commit(committable)

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
