"""The port between the engine and what a worker does: a pure fold over the events of one partition.

The monitor, the alerter and the notifier are three such steps; the engine runs them and knows no more of them.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, NamedTuple, Protocol


class Arrival(NamedTuple):
    """One decoded event with where it stood: `place` is its index in the record's batch."""

    offset: int
    place: int
    timestamp: float
    event: dict[str, Any]


@dataclass(frozen=True, slots=True)
class Output:
    """One record to publish. `topic` is without prefix; `partition` None leaves the choice to the key (murmur2)."""

    topic: str
    key: bytes | None
    value: bytes
    headers: tuple[tuple[str, bytes], ...] = ()
    partition: int | None = None


@dataclass(slots=True)
class Effects:
    """What a step has to show since it was last asked: changed sections and views (None: gone), and outputs.

    `urgent` says that something must go out at once (a page, a rollback).
    """

    sections: dict[str, bytes | None] = field(default_factory=dict)
    views: dict[str, bytes | None] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    urgent: bool = False


class Step(Protocol):
    """A fold over the events of one partition: same input in the same order, same output, byte for byte.

    Called from one thread, never concurrently. A step reads no clock and does no input or output; time, ids and
    randomness come in with the data. It may raise: the engine then goes back to the saved state and leaves the
    event out, so a step needs no care for half-made changes.
    """

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int]) -> None:
        """Fold in the events of one chunk of `topic` (without prefix), in order.

        `positions` are the next offsets of all topics once this chunk is done.
        """

    def tick(self, now: float) -> None:
        """Learn that it is `now` (seconds since 1970). Never earlier than the tick before."""

    @property
    def event_time(self) -> float | None:
        """The latest event time seen, None before the first. Drives the ticks where `clock = "stream"`."""

    @property
    def urgent(self) -> bool:
        """Whether an output since the last `effects()` must go out at once."""

    def effects(self) -> Effects:
        """Everything that changed since the last call, once: the engine saves it or goes back to before it."""


class RestoreStep(Protocol):
    """Makes the step of one partition from the sections that were saved (empty: from nothing).

    Raises:
        UnknownSnapshot: the sections are of a version that this code does not read.
    """

    def __call__(self, partition: int, saved: Mapping[str, bytes], /) -> Step: ...
