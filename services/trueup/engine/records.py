"""What the engine carries: records as they lie in a topic, and chunks of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple


class Record(NamedTuple):
    """One Kafka record. `timestamp` is in seconds since 1970; `value` None is a tombstone."""

    offset: int
    timestamp: float
    key: bytes | None
    value: bytes | None


@dataclass(frozen=True, slots=True)
class Chunk:
    """Records of one partition of one topic in offset order, never empty.

    `seek` numbers the seek after which they were fetched: a chunk from before the last one is not used. `follows` is
    the offset that the reader was to go on at: records between it and the first one are not in the topic any more.
    None: not known. `behind`: how many records lay in the topic behind it when it was fetched, as far as is known.
    """

    topic: str
    partition: int
    records: Sequence[Record]
    seek: int = 0
    follows: int | None = None
    behind: int = 0

    @property
    def first_offset(self) -> int:
        return self.records[0].offset

    @property
    def next_offset(self) -> int:
        return self.records[-1].offset + 1

    @property
    def size_bytes(self) -> int:
        """What the values take in memory."""
        return sum(len(record.value or b"") for record in self.records)
