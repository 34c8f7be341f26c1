"""Topic `journal`: what a worker processed, in which order. Internal, keyed by partition, first in each outbox.

Replaying the input topics in the order of the journal gives the same bytes again.
"""

from __future__ import annotations

from typing import Literal, NotRequired

from typing_extensions import TypedDict


class ChunkTaken(TypedDict):
    """Records `[from_offset, to_offset)` of one topic were processed, as one chunk; `apart`: event by event."""

    type: Literal["chunk"]
    topic: str
    from_offset: int
    to_offset: int
    apart: NotRequired[bool]


class TickTaken(TypedDict):
    """The clock was told to the step: seconds since 1970."""

    type: Literal["tick"]
    now: float


class EventSkipped(TypedDict):
    """The step raised on this event: it is a dead letter, and a replay leaves it out."""

    type: Literal["skip"]
    topic: str
    offset: int
    index: int


class JournalEntry(TypedDict):
    """All that went into one save of one partition."""

    worker: str
    partition: int
    epoch: int
    save: int
    taken: list[ChunkTaken | TickTaken | EventSkipped]
    settings_hash: str
    code_version: str
    #: The state before was nothing: the first entry of a partition needs no such word.
    anew: NotRequired[bool]
    #: With `anew`: the next offsets of a predecessor whose state was lost, up to which nothing is said again.
    quiet_until: NotRequired[dict[str, int]]
    #: What it has to say was said by a predecessor whose state was lost, and is not said again.
    quiet: NotRequired[bool]
