"""The topics themselves: what Kafka still keeps, in the order of the journal or, without one, by record time.

Blocking: it drives an event loop of its own, so it is not for use inside another.
"""

from __future__ import annotations

import asyncio
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import TypeAdapter, ValidationError

from trueup.datasets.falls import Fall, Tolerance
from trueup.datasets.falls_in_topics import Planted, changed, planted_in
from trueup.engine.branches import Branches
from trueup.engine.kafka_history import KafkaHistory
from trueup.engine.records import Chunk
from trueup.engine.waiting import Waiting
from trueup.errors import Unavailable
from trueup_schemas.journal import JournalEntry

_ENTRY = TypeAdapter(JournalEntry)


class PastTopics:
    """What lies in the topics. Context manager.

    Raises:
        Unavailable: from any call, where Kafka does not answer.
    """

    refused: Mapping[str, int] = {}

    def __init__(self, bootstrap: str, *, prefix: str, topics: Sequence[str], security: Mapping[str, Any]) -> None:
        """`topics`: those that are read, without prefix; their order breaks ties between equal times."""
        self._runner = asyncio.Runner()
        self._history = KafkaHistory(bootstrap, prefix=prefix, security=security)
        self._topics = topics
        #: (topic, partition) -> where it ended when it was first looked at: whatever is read twice ends there.
        self._ends: dict[tuple[str, int], int] = {}
        self._planted: Planted = {}

    def __enter__(self) -> PastTopics:
        return self

    def __exit__(self, *_: object) -> None:
        self._runner.run(self._history.stop())
        self._runner.close()

    def plant(self, fall: Fall, tolerance: Tolerance, partitions: int) -> None:
        """Look through all of it; what is read from now on has this fall in it. Needs memory for every truth.

        Raises:
            InvalidSettings: no truth is concerned, or a model is not right often enough to fall so far.
        """
        self._planted = planted_in(self.chunks(partitions), fall, tolerance)

    def journal(self, worker: str, partition: int) -> list[JournalEntry] | None:
        """The entries of this worker, each once; None where they do not reach back to the beginning of its state."""
        entries: list[JournalEntry] = []
        branches = Branches()
        for raw in self._runner.run(self._raw_journal(partition)):
            entry = _parsed(raw)
            if entry is not None and (entry["worker"], entry["partition"]) == (worker, partition):
                branches.add(entry)
                entries.append(entry)
        kept: dict[int, JournalEntry] = {}
        for entry in entries:
            if not branches.is_void(entry):
                if entry.get("anew"):
                    kept.clear()
                kept.setdefault(entry["save"], entry)
        ordered = [kept[save] for save in sorted(kept)]
        whole = not ordered or ordered[0]["save"] == 1 or ordered[0].get("anew", False)
        return ordered if whole else None

    async def _raw_journal(self, partition: int) -> list[bytes]:
        return [raw async for raw in self._history.journal(partition, 0)]

    def read(self, partition: int, topic: str, first: int, end: int) -> Chunk:
        """The records `[first, end)`.

        Raises:
            Unavailable: they are not there any more.
        """
        chunk = self._runner.run(self._history.records(topic, partition, first, end))
        if chunk is None or (chunk.first_offset, chunk.next_offset) != (first, end):
            raise Unavailable(f"records {first} to {end} of {topic}, partition {partition}, are not kept any more")
        return changed(chunk, self._planted)

    def chunks(self, partitions: int) -> Iterator[Chunk]:
        """By the time of the records, as a worker takes them that begins anew; partition after partition."""
        for partition in range(partitions):
            yield from self._by_time(partition)

    def _by_time(self, partition: int) -> Iterator[Chunk]:
        waiting = Waiting(self._topics)
        ends = {topic: self._end(topic, partition) for topic in self._topics}
        at, left = dict.fromkeys(self._topics, 0), dict.fromkeys(self._topics, 0)
        while True:
            # Of each topic something waits, as long as there is more: none is then taken ahead of another.
            for topic in self._topics:
                if not left[topic] and at[topic] < ends[topic]:
                    chunk = self._runner.run(self._history.following(topic, partition, at[topic], ends[topic]))
                    at[topic] = ends[topic] if chunk is None else chunk.next_offset
                    if chunk is not None:
                        waiting.offer(chunk, {})
                        left[topic] = len(chunk.records)
            chunk = waiting.next()
            if chunk is None:
                return
            left[chunk.topic] -= len(chunk.records)
            yield changed(chunk, self._planted)

    def _end(self, topic: str, partition: int) -> int:
        end = self._ends.get((topic, partition))
        if end is None:
            end = self._ends[topic, partition] = self._runner.run(self._history.end(topic, partition))
        return end


def _parsed(raw: bytes) -> JournalEntry | None:
    try:
        return _ENTRY.validate_json(raw)
    except ValidationError:
        return None
