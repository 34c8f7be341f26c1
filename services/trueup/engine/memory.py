"""The engine's promises in memory: a log, a checkpoint and a publisher that pass the same suite as the real ones.

For tests, backtests and replays. Everything lives in the objects here; "a crash" is to drop the loop and keep these.
"""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass, field
from typing import Any

from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.partitioner import partition_for
from trueup.engine.records import Chunk, Record
from trueup.errors import StaleWriter
from trueup.step import Found, Kept, Needs, Output


@dataclass(slots=True)
class MemoryLog:
    """Topics with partitions, append only. Names are without prefix."""

    partitions: int
    records: dict[tuple[str, int], list[Record]] = field(default_factory=dict)
    headers: dict[tuple[str, int], list[tuple[tuple[str, bytes], ...]]] = field(default_factory=dict)
    _deleted: dict[tuple[str, int], int] = field(default_factory=dict)

    def append(
        self,
        topic: str,
        value: bytes | None,
        *,
        key: bytes | None = None,
        timestamp: float = 0.0,
        partition: int | None = None,
        headers: tuple[tuple[str, bytes], ...] = (),
    ) -> Record:
        """Add one record; the partition follows from the key (murmur2) where it is not given."""
        if partition is None:
            partition = partition_for(key, self.partitions) if key is not None else 0
        log = self.records.setdefault((topic, partition), [])
        record = Record(self._deleted.get((topic, partition), 0) + len(log), timestamp, key, value)
        log.append(record)
        self.headers.setdefault((topic, partition), []).append(headers)
        return record

    def read(self, topic: str, partition: int, offset: int, *, most: int = 500) -> Chunk | None:
        """The records that are left of `[offset, offset + most)`, or None where there are none."""
        deleted = self._deleted.get((topic, partition), 0)
        first, end = max(0, offset - deleted), max(0, offset + most - deleted)
        records = self.records.get((topic, partition), [])[first:end]
        return Chunk(topic, partition, records) if records else None

    def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Let go of the oldest records, as retention does; the others keep their offsets."""
        gone = max(0, offset - self._deleted.get((topic, partition), 0))
        for kept in (self.records, self.headers):
            held: list[Any] = kept[topic, partition]
            del held[:gone]
        self._deleted[topic, partition] = offset

    def all(self, topic: str) -> list[Record]:
        """Every record of a topic, partition after partition."""
        return [record for partition in range(self.partitions) for record in self.records.get((topic, partition), [])]


@dataclass(slots=True)
class _Stored:
    epoch: int = 0
    saves: int = 0
    offsets: dict[str, int] = field(default_factory=dict)
    sections: dict[str, bytes] = field(default_factory=dict)
    asleep: dict[str, bytes] = field(default_factory=dict)
    entries: dict[bytes, Kept] = field(default_factory=dict)
    views: dict[str, bytes] = field(default_factory=dict)
    outbox: list[bytes] = field(default_factory=list)
    journal_at: int = 0

    def claimed(self) -> Claimed:
        return Claimed(
            self.epoch,
            dict(self.offsets),
            dict(self.sections),
            list(self.outbox),
            saves=self.saves,
            journal_at=self.journal_at,
        )

    def found(self, needs: Needs) -> Found:
        return Found(
            {key: self.entries[key].value for key in needs.entries if key in self.entries},
            {name: self.asleep[name] for name in needs.asleep if name in self.asleep},
        )


class MemoryCheckpoint:
    """`Checkpoint` in a dictionary."""

    def __init__(self) -> None:
        self._stored: dict[int, _Stored] = {}
        #: The last epoch of each partition: none comes twice, even where the rest is put back to a copy.
        self._epochs: dict[int, int] = {}

    async def claim(self, partition: int) -> Claimed:
        stored = self._stored.setdefault(partition, _Stored())
        stored.epoch = self._epochs[partition] = max(stored.epoch, self._epochs.get(partition, 0)) + 1
        return stored.claimed()

    async def reread(self, partition: int, epoch: int) -> Claimed:
        return self._check(partition, epoch).claimed()

    async def read(self, partition: int, needs: Needs) -> Found:
        return self._stored.get(partition, _Stored()).found(needs)

    async def save(self, partition: int, save: Save) -> None:
        stored = self._check(partition, save.epoch)
        if stored.saves != save.saves or stored.offsets != save.base:
            raise StaleWriter(f"partition {partition}: the offsets are not those that were read")
        if stored.offsets and not stored.sections:
            raise StaleWriter(f"partition {partition}: its state is gone")
        stored.offsets.update(save.offsets)
        _change(stored.sections, save.sections)
        _change(stored.asleep, save.asleep)
        _change(stored.views, save.views)
        stored.entries.update(save.entries)
        stored.outbox.extend(save.outbox)
        stored.saves += 1

    async def clear_outbox(
        self, partition: int, epoch: int, count: int, *, saves: int, journal_at: int | None = None
    ) -> None:
        stored = self._check(partition, epoch)
        if stored.saves != saves:
            raise StaleWriter(f"partition {partition}: the outbox is not that of save {saves}")
        del stored.outbox[:count]
        if journal_at is not None:
            stored.journal_at = journal_at

    async def begin_anew(self, partition: int, epoch: int, saves: int) -> None:
        self._check(partition, epoch)
        self._stored[partition] = _Stored(epoch=epoch, saves=saves)

    async def sweep(
        self,
        partition: int,
        epoch: int,
        turn: int,  # noqa: ARG002
        outdated: Mapping[int, int],
        *,
        saves: int,
    ) -> int:
        stored = self._check(partition, epoch)
        if stored.saves < saves:
            raise StaleWriter(f"partition {partition}: what is outdated is not that of save {stored.saves}")
        entries = stored.entries
        gone = [key for key, kept in entries.items() if is_outdated(kept, outdated)]
        for key in gone:
            del entries[key]
        return len(gone)

    def copy(self) -> MemoryCheckpoint:
        """All of it as it is now: put back later, it has gone back in time."""
        copied = MemoryCheckpoint()
        copied._stored = deepcopy(self._stored)
        return copied

    def put_back(self, copied: MemoryCheckpoint) -> None:
        """Be as the copy was."""
        self._stored = deepcopy(copied._stored)

    async def views(self, partition: int) -> Mapping[str, bytes]:
        return dict(self._stored.get(partition, _Stored()).views)

    async def offsets(self, partition: int) -> Mapping[str, int]:
        return dict(self._stored.get(partition, _Stored()).offsets)

    def _check(self, partition: int, epoch: int) -> _Stored:
        stored = self._stored.get(partition)
        if stored is None or stored.epoch != epoch:
            raise StaleWriter(f"partition {partition} was claimed by another worker")
        return stored


def is_outdated(kept: Kept, outdated: Mapping[int, int]) -> bool:
    """Whether an entry is let go."""
    return kept.day < outdated.get(kept.shelf, outdated.get(-1, 0))


def _change(fields: dict[str, bytes], changes: Mapping[str, bytes | None]) -> None:
    for name, value in changes.items():
        if value is None:
            fields.pop(name, None)
        else:
            fields[name] = value


class MemoryPublisher:
    """`Publisher` into a `MemoryLog`."""

    def __init__(self, log: MemoryLog, *, timestamp: float = 0.0) -> None:
        self._log = log
        self._timestamp = timestamp

    async def publish(self, outputs: Sequence[Output]) -> list[int]:
        return [
            self._log.append(
                output.topic,
                output.value,
                key=output.key,
                timestamp=self._timestamp,
                partition=output.partition,
                headers=output.headers,
            ).offset
            for output in outputs
        ]


class MemoryHistory:
    """`History` over a `MemoryLog`."""

    def __init__(self, log: MemoryLog) -> None:
        self._log = log

    async def journal(self, partition: int, at: int) -> AsyncIterator[bytes]:
        for record in list(self._log.records.get(("journal", partition), [])):
            if record.offset >= at:
                yield record.value or b""

    async def end(self, topic: str, partition: int) -> int:
        records = self._log.records.get((topic, partition))
        return records[-1].offset + 1 if records else 0

    async def records(self, topic: str, partition: int, from_offset: int, to_offset: int) -> Chunk | None:
        return self._log.read(topic, partition, from_offset, most=to_offset - from_offset)
