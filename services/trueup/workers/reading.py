"""Looks every now and then whether this worker still reads (`lag`), with a consumer that has nothing to do with it."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from trueup.engine.batches import ChunkConsumer
from trueup.engine.loop import Loop
from trueup.errors import Unavailable
from trueup.workers import lag
from trueup.workers.lag import Look, Place

log = logging.getLogger(__name__)

#: Kafka has so long to answer, or to give a record to the other consumer.
ANSWER_SECONDS = 20.0


class OtherConsumer:
    """Asks Kafka where topics end, and whether there is anything to read. Belongs to no group; connects when asked."""

    def __init__(self, bootstrap: str, *, prefix: str, security: Mapping[str, Any]) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._security = dict(security)
        self._consumer: AIOKafkaConsumer | None = None

    async def ends(self, places: Iterable[Place]) -> dict[Place, int]:
        """The offset after the last record of each.

        Raises:
            Unavailable: Kafka does not answer.
        """
        parts = {TopicPartition(self._prefix + topic, partition): (topic, partition) for topic, partition in places}
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                found = await (await self._connected()).end_offsets(list(parts))
        except (KafkaError, OSError, ValueError) as error:
            await self.stop()
            raise Unavailable(f"Kafka does not say where its topics end: {error!r}") from error
        return {parts[part]: end for part, end in found.items()}

    async def can_read(self, place: Place, at: int, end: int) -> bool:
        """Whether any record lies in `[at, end)`.

        Raises:
            Unavailable: Kafka gives no answer, or no record to this consumer either.
        """
        part = TopicPartition(self._prefix + place[0], place[1])
        try:
            async with asyncio.timeout(ANSWER_SECONDS):
                consumer = await self._connected()
                consumer.assign([part])
                consumer.seek(part, at)
                while await consumer.position(part) < end:
                    fetched = await consumer.getmany(part, timeout_ms=500, max_records=1)
                    if any(record.offset < end for records in fetched.values() for record in records):
                        return True
                return False
        except (KafkaError, OSError) as error:
            raise Unavailable(f"Kafka gives no record of {part.topic}: {error!r}") from error
        finally:
            await self.stop()

    async def stop(self) -> None:
        """Disconnect."""
        consumer, self._consumer = self._consumer, None
        if consumer is not None:
            await consumer.stop()

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                **self._security,
            )
            try:
                await consumer.start()
            except BaseException:
                await consumer.stop()
                raise
            self._consumer = consumer
        return self._consumer


class ReadingWatch:
    """What one worker holds, against what Kafka has."""

    def __init__(self, loop: Loop, other: OtherConsumer, *, topics: Sequence[str]) -> None:
        self._loop = loop
        self._other = other
        self._topics = topics
        self._known = lag.NOTHING_KNOWN

    async def look(self, consumer: ChunkConsumer) -> None:
        """Look once. While Kafka does not answer, nothing is concluded, and all begins anew.

        Raises:
            Unavailable: this worker does not read, or does not take over, what it should.
        """
        try:
            await self._look(consumer)
        except _Unasked as why:
            self._known = lag.NOTHING_KNOWN
            log.info("whether all is read is not known: %s", why)

    async def _look(self, consumer: ChunkConsumer) -> None:
        stuck = self._loop.settings.stuck_seconds
        look = await self._now(consumer)
        self._known = lag.followed(self._known, look)
        late = lag.not_taken_over(self._known, look, stuck)
        if late is not None:
            raise Unavailable(f"partition {late} was assigned, and not taken over for {stuck:.0f} s")
        for place in lag.suspects(self._known, look, stuck):
            at, end = look.taken[place], look.ends[place]
            try:
                found = await self._other.can_read(place, at, end)
            except Unavailable as error:
                raise _Unasked(str(error)) from error
            lane = self._loop.lanes.get(place[1])
            if found and lane is not None and lane.offsets.get(place[0], 0) == at:
                raise Unavailable(
                    f"partition {place[1]} of {place[0]} has records from {at} to {end}, and nothing of the "
                    f"partition was read for {stuck:.0f} s"
                )
            self._known = lag.cleared(self._known, place, at if found else end)

    async def _now(self, consumer: ChunkConsumer) -> Look:
        """Ends first: what was taken since is no lag."""
        places = [(topic, partition) for partition in self._loop.lanes for topic in self._topics]
        try:
            ends = await self._other.ends(places) if places else {}
        except Unavailable as error:
            raise _Unasked(str(error)) from error
        lanes = self._loop.lanes
        behind, half = self._loop.behind_seconds(), self._loop.settings.stuck_seconds / 2
        assigned = {tp.partition for tp in consumer.assignment()}
        return Look(
            now=time.monotonic(),
            taken={
                place: lanes[place[1]].offsets.get(place[0], 0)
                for place in places
                if place in ends and place[1] in lanes
            },
            ends=ends,
            behind={partition for partition, seconds in behind.items() if seconds > half},
            unclaimed=set() if consumer.claiming else assigned - set(lanes),
        )


class _Unasked(Exception):
    """Kafka could not be asked."""
