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


class Waiting:
    """Queues of chunks, one for each of these topics; their order breaks ties between equal timestamps."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.records = 0
        self.size_bytes = 0
        #: Chunks, each with its size in bytes.
        self._queues: dict[str, deque[tuple[Chunk, int]]] = {topic: deque() for topic in topics}
        #: How far chunks left: further than the state while one of them waits for what its step needs.
        self._handed: dict[str, int] = {}

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
        kept = Chunk(chunk.topic, chunk.partition, records, chunk.seek)
        size = kept.size_bytes
        self._queues[chunk.topic].append((kept, size))
        self.records += len(records)
        self.size_bytes += size
        return True

    def _expected(self, topic: str, offsets: Mapping[str, int]) -> tuple[bool, int]:
        """Whether anything of a topic came, and the offset after it."""
        if queue := self._queues[topic]:
            return True, queue[-1][0].next_offset
        known = topic in offsets or topic in self._handed
        return known, max(offsets.get(topic, 0), self._handed.get(topic, 0))

    def next(self) -> Chunk | None:
        """The chunk with the earliest record timestamp, or its first part, which leaves; None: none waits."""
        queues = [queue for queue in self._queues.values() if queue]
        if not queues:
            return None
        queue = min(queues, key=_begins)
        others = [_begins(other) for other in queues if other is not queue]
        chunk, size = queue.popleft()
        at, part_size = _end_of_part(chunk, min(others, default=inf) + MOST_SECONDS_AHEAD)
        if at < len(chunk.records):
            queue.appendleft((replace(chunk, records=chunk.records[at:]), size - part_size))
            chunk = replace(chunk, records=chunk.records[:at])
        self.records -= at
        self.size_bytes -= part_size
        self._handed[chunk.topic] = chunk.next_offset
        return chunk


def _begins(queue: deque[tuple[Chunk, int]]) -> float:
    return queue[0][0].records[0].timestamp


def _end_of_part(chunk: Chunk, until: float) -> tuple[int, int]:
    """How many records of a chunk are taken in one go, at least one, and their bytes."""
    size = 0
    for at, record in enumerate(chunk.records):
        longer = size + len(record.value or b"")
        if at and (longer > MOST_BYTES_AT_ONCE or record.timestamp > until):
            return at, size
        size = longer
    return len(chunk.records), size
