"""The chunks of one partition that wait to be taken: those of a topic in order, and between topics the oldest first.

What the state holds, and what left the queue already, does not come in again; a hole is noticed.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace
from math import inf

from trueup.engine.records import Chunk

log = logging.getLogger(__name__)

#: What is taken in one go: a larger chunk is taken in parts, so that no other lane has to wait for long.
MOST_BYTES_AT_ONCE = 262_144
#: And no further ahead of the other topics' next record than this: a truth is seldom taken before its prediction then,
#: as it would be in a worker that catches up, and parts are no smaller than that much traffic.
MOST_SECONDS_AHEAD = 0.5
#: A topic with no more records than these behind those that were fetched is read to its end: it holds nobody back.
AT_ITS_END = 10


class _Queue:
    """The chunks of one topic."""

    __slots__ = ("chunks", "goes_on_at", "records", "size_bytes")

    def __init__(self) -> None:
        #: Each with its size in bytes.
        self.chunks: deque[tuple[Chunk, int]] = deque()
        self.records = 0
        self.size_bytes = 0
        #: The time of the last record, where more are known to lie in the topic behind it; else infinity.
        self.goes_on_at = inf

    @property
    def begins(self) -> float:
        """The time of the next record, or one before it; infinity where none is known of."""
        return self.chunks[0][0].records[0].timestamp if self.chunks else self.goes_on_at

    def add(self, chunk: Chunk, size: int) -> None:
        self.chunks.append((chunk, size))
        self.records += len(chunk.records)
        self.size_bytes += size
        self.goes_on_at = chunk.records[-1].timestamp if chunk.behind > AT_ITS_END else inf

    def take(self, until: float) -> Chunk:
        """The first chunk, or its first part."""
        chunk, size = self.chunks.popleft()
        at, part_size = _end_of_part(chunk, until)
        if at < len(chunk.records):
            self.chunks.appendleft((replace(chunk, records=chunk.records[at:]), size - part_size))
            chunk = replace(chunk, records=chunk.records[:at])
        self.records -= at
        self.size_bytes -= part_size
        return chunk


class Waiting:
    """Queues of chunks, one for each of these topics; their order breaks ties between equal timestamps."""

    def __init__(self, topics: Iterable[str]) -> None:
        self._queues = {topic: _Queue() for topic in topics}
        #: How far chunks left: further than the state while one of them waits for what its step needs.
        self._handed: dict[str, int] = {}

    @property
    def records(self) -> int:
        """How many records wait."""
        return sum([queue.records for queue in self._queues.values()])

    @property
    def size_bytes(self) -> int:
        """What their values take in memory."""
        return sum([queue.size_bytes for queue in self._queues.values()])

    def full(self, records: int, size_bytes: int) -> list[str]:
        """The topics of which too much waits, where so much may wait of all: each has its share of that."""
        share = 1 / len(self._queues)
        return [
            topic
            for topic, queue in self._queues.items()
            if queue.records >= records * share or queue.size_bytes >= size_bytes * share
        ]

    def offer(self, chunk: Chunk, offsets: Mapping[str, int]) -> bool:
        """Queue a chunk; False, and nothing queued, where records before it were read and did not come here.

        `offsets`: where the state goes on, by topic. Records before that are left out.
        """
        known, expected = self._expected(chunk.topic, offsets)
        if known and chunk.follows is not None and chunk.follows > expected:
            return False
        records = chunk.records
        if chunk.first_offset < expected:
            records = [record for record in records if record.offset >= expected]
            if not records:
                return True
        elif chunk.first_offset > expected:
            log.info(
                "partition %d of %s goes on at %d, not %d", chunk.partition, chunk.topic, chunk.first_offset, expected
            )
        kept = Chunk(chunk.topic, chunk.partition, records, chunk.seek, behind=chunk.behind)
        self._queues[chunk.topic].add(kept, kept.size_bytes)
        return True

    def _expected(self, topic: str, offsets: Mapping[str, int]) -> tuple[bool, int]:
        """Whether anything of a topic came, and the offset after it."""
        if chunks := self._queues[topic].chunks:
            return True, chunks[-1][0].next_offset
        known = topic in offsets or topic in self._handed
        return known, max(offsets.get(topic, 0), self._handed.get(topic, 0))

    @property
    def held(self) -> bool:
        """Whether what waits is held back: it is far ahead of another topic, of which more is about to come."""
        queue, until = self._first()
        return queue is not None and queue.begins > until

    def go_ahead(self) -> None:
        """Hold nothing back any longer: what was about to come does not."""
        for queue in self._queues.values():
            queue.goes_on_at = inf

    def next(self) -> Chunk | None:
        """The chunk with the earliest record timestamp, or its first part; None: none waits, or it is held."""
        queue, until = self._first()
        if queue is None or queue.begins > until:
            return None
        chunk = queue.take(until)
        self._handed[chunk.topic] = chunk.next_offset
        return chunk

    def _first(self) -> tuple[_Queue | None, float]:
        """The queue whose turn it is, and up to which time it may be taken: no further ahead of the others."""
        waiting = [queue for queue in self._queues.values() if queue.chunks]
        first = min(waiting, key=_begins, default=None)
        others = [queue.begins for queue in self._queues.values() if queue is not first]
        return first, min(others, default=inf) + MOST_SECONDS_AHEAD


def _begins(queue: _Queue) -> float:
    return queue.begins


def _end_of_part(chunk: Chunk, until: float) -> tuple[int, int]:
    """How many records of a chunk are taken in one go, at least one, and their bytes."""
    size = 0
    for at, record in enumerate(chunk.records):
        longer = size + len(record.value or b"")
        if at and (longer > MOST_BYTES_AT_ONCE or record.timestamp > until):
            return at, size
        size = longer
    return len(chunk.records), size
