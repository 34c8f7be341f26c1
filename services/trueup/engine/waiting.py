"""The chunks of one partition that wait to be taken: those of a topic in order, and between topics the oldest first.

What the state holds, and what left the queue already, does not come in again; a hole is noticed.
"""

from __future__ import annotations

import logging
from collections import deque
from collections.abc import Iterable, Mapping
from dataclasses import replace

from trueup.engine.records import Chunk

log = logging.getLogger(__name__)

#: What is taken in one go: a larger chunk is taken in parts, so that no other lane has to wait for long.
MOST_BYTES_AT_ONCE = 262_144


class Waiting:
    """Queues of chunks, one for each of these topics; their order breaks ties between equal timestamps."""

    def __init__(self, topics: Iterable[str]) -> None:
        self.records = 0
        self.size_bytes = 0
        self._queues: dict[str, deque[Chunk]] = {topic: deque() for topic in topics}
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
        self._queue(Chunk(chunk.topic, chunk.partition, records, chunk.seek))
        return True

    def _expected(self, topic: str, offsets: Mapping[str, int]) -> tuple[bool, int]:
        """Whether anything of a topic came, and the offset after it."""
        if queue := self._queues[topic]:
            return True, queue[-1].next_offset
        known = topic in offsets or topic in self._handed
        return known, max(offsets.get(topic, 0), self._handed.get(topic, 0))

    def _queue(self, chunk: Chunk, *, first: bool = False) -> None:
        queue = self._queues[chunk.topic]
        (queue.appendleft if first else queue.append)(chunk)
        self.records += len(chunk.records)
        self.size_bytes += chunk.size_bytes

    def next(self) -> Chunk | None:
        """The chunk with the earliest record timestamp, or its first part, which leaves; None: none waits."""
        heads = [queue[0] for queue in self._queues.values() if queue]
        if not heads:
            return None
        chunk = min(heads, key=lambda head: head.records[0].timestamp)
        self._queues[chunk.topic].popleft()
        self.records -= len(chunk.records)
        self.size_bytes -= chunk.size_bytes
        part, rest = _split(chunk)
        if rest is not None:
            self._queue(rest, first=True)
        self._handed[part.topic] = part.next_offset
        return part


def _split(chunk: Chunk) -> tuple[Chunk, Chunk | None]:
    """The first records of a chunk, at least one and at most some bytes of them, and the rest."""
    size = 0
    for at, record in enumerate(chunk.records):
        size += len(record.value or b"")
        if size > MOST_BYTES_AT_ONCE and at:
            return replace(chunk, records=chunk.records[:at]), replace(chunk, records=chunk.records[at:])
    return chunk, None
