"""What lies in the topics already, read from Kafka by a consumer that belongs to no group."""

from __future__ import annotations

import asyncio
from collections import deque
from collections.abc import AsyncIterator, Mapping
from typing import Any

from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.errors import KafkaError

from trueup.engine.publisher import JOURNAL
from trueup.engine.records import Chunk, Record
from trueup.errors import Unavailable

#: Without any record for so long, Kafka does not answer.
SILENCE_SECONDS = 20.0
#: Records that are read ahead.
AHEAD = 5_000


class KafkaHistory:
    """`History` on Kafka. Connects when it is first asked; reading on where it stopped costs no request of its own."""

    def __init__(
        self,
        bootstrap: str,
        *,
        prefix: str,
        security: Mapping[str, Any] | None = None,
        silence_seconds: float = SILENCE_SECONDS,
    ) -> None:
        self._bootstrap = bootstrap
        self._silence_seconds = silence_seconds
        self._prefix = prefix
        self._security = dict(security or {})
        self._consumer: AIOKafkaConsumer | None = None
        #: What was read ahead, from `_next` on.
        self._ahead: dict[TopicPartition, deque[Record]] = {}
        self._next: dict[TopicPartition, int] = {}
        self._ends: dict[TopicPartition, int] = {}
        self._reading = asyncio.Lock()

    async def stop(self) -> None:
        """Disconnect, and forget what was read ahead."""
        consumer, self._consumer = self._consumer, None
        for kept in (self._ahead, self._next, self._ends):
            kept.clear()
        if consumer is not None:
            await consumer.stop()

    async def journal(self, partition: int, at: int) -> AsyncIterator[bytes]:
        part = TopicPartition(self._prefix + JOURNAL, partition)
        try:
            end = await self._end(part)
            while at < end:
                records = await self._read(part, at, end)
                for record in records:
                    yield record.value or b""
                at = records[-1].offset + 1 if records else end
        except (KafkaError, OSError) as error:
            raise Unavailable(f"the journal cannot be read from Kafka: {error!r}") from error

    async def end(self, topic: str, partition: int) -> int:
        try:
            return await self._end(TopicPartition(self._prefix + topic, partition))
        except (KafkaError, OSError) as error:
            raise Unavailable(f"Kafka does not say where {topic} ends: {error!r}") from error

    async def records(self, topic: str, partition: int, from_offset: int, to_offset: int) -> Chunk | None:
        part, at = TopicPartition(self._prefix + topic, partition), from_offset
        found: list[Record] = []
        try:
            if self._ends.get(part, 0) < to_offset and await self._end(part) < to_offset:
                return None
            while at < to_offset and (records := await self._read(part, at, to_offset)):
                found += records
                at = records[-1].offset + 1
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{topic} cannot be read again from Kafka: {error!r}") from error
        return Chunk(topic, partition, found) if found else None

    async def following(self, topic: str, partition: int, at: int, end: int) -> Chunk | None:
        """The next records of `[at, end)`, no more than are read at once, from the oldest on that is kept.

        Raises:
            Unavailable: no answer.
        """
        try:
            records = await self._read(TopicPartition(self._prefix + topic, partition), at, end)
        except (KafkaError, OSError) as error:
            raise Unavailable(f"{topic} cannot be read from Kafka: {error!r}") from error
        return Chunk(topic, partition, records) if records else None

    async def _end(self, part: TopicPartition) -> int:
        async with self._reading, asyncio.timeout(self._silence_seconds):
            consumer = await self._connected()
            self._ends.update(await consumer.end_offsets([part]))
            return self._ends[part]

    async def _read(self, part: TopicPartition, at: int, end: int) -> list[Record]:
        """The next records of `[at, end)`, from the oldest on where `at` is not there any more; none at their end."""
        async with self._reading:
            consumer = await self._connected()
            if part not in self._ahead:
                self._ahead[part] = deque()
                consumer.assign(list(self._ahead))
                self._next.clear()
            if not self._reads_on(part, at):
                self._ahead[part].clear()
                consumer.seek(part, at)
                self._next[part] = at
            async with asyncio.timeout(self._silence_seconds):
                while not self._ahead[part] and await consumer.position(part) < end:
                    fetched = await consumer.getmany(part, timeout_ms=500, max_records=AHEAD)
                    self._ahead[part].extend(map(_record, fetched.get(part, [])))
            return self._take(part, end)

    def _reads_on(self, part: TopicPartition, at: int) -> bool:
        """Whether what comes next is what comes from `at` on: nothing else lies before what was read ahead."""
        ahead, following = self._ahead[part], self._next.get(part)
        return following == at or (following is not None and bool(ahead) and following < at <= ahead[0].offset)

    def _take(self, part: TopicPartition, end: int) -> list[Record]:
        ahead, taken = self._ahead[part], []
        while ahead and ahead[0].offset < end:
            taken.append(ahead.popleft())
        if taken:
            self._next[part] = taken[-1].offset + 1
        return taken

    async def _connected(self) -> AIOKafkaConsumer:
        if self._consumer is None:
            consumer = AIOKafkaConsumer(
                bootstrap_servers=self._bootstrap,
                enable_auto_commit=False,
                auto_offset_reset="earliest",
                max_partition_fetch_bytes=4_194_304,
                **self._security,
            )
            try:
                await consumer.start()
                self._consumer = consumer
            finally:
                if self._consumer is None:
                    await consumer.stop()
        return self._consumer


def _record(fetched: Any) -> Record:
    """A record as aiokafka makes it, or as it does in a worker (`lean_records`): other consumers want theirs whole."""
    if isinstance(fetched, Record):
        return fetched
    return Record(fetched.offset, fetched.timestamp / 1000, fetched.key, fetched.value)
