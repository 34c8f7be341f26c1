"""The port between the engine and what a worker does: a pure fold over the events of one partition.

The monitor, the alerter and the notifier are three such steps; the engine runs them and knows no more of them.
"""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
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


class Kept(NamedTuple):
    """The bytes of one entry, and until when it is kept: until its day is `outdated` for its shelf."""

    #: What is let go together, 0 to 2³² - 1: a model.
    shelf: int
    #: Days since 1970, 0 to 65,535.
    day: int
    value: bytes


@dataclass(frozen=True, slots=True)
class Needs:
    """What a step has to be given of its saved state before it can take an input, since it does not hold it."""

    entries: Collection[bytes] = ()
    asleep: Collection[str] = ()

    def __bool__(self) -> bool:
        return bool(self.entries or self.asleep)


@dataclass(frozen=True, slots=True)
class Found:
    """What of it was saved; the rest was never there, or was let go. What the step holds is newer, and counts."""

    entries: Mapping[bytes, bytes] = field(default_factory=dict)
    asleep: Mapping[str, bytes] = field(default_factory=dict)


NO_NEEDS = Needs()
NOTHING_FOUND = Found()


@dataclass(slots=True)
class Effects:
    """What a step has to show since it was last asked: what of its state changed (None: gone), and outputs.

    State is saved in three ways: `sections`, which a restored step is given all of; sections that are `asleep`, which
    it is given by name once it needs them; and `entries`, many and small, by a key of 16 bytes. An entry that the step
    no longer holds is saved: it may be forgotten in the `effects` after those that saved it, and not before.
    `urgent` says that something must go out at once (a page, a rollback).
    """

    sections: dict[str, bytes | None] = field(default_factory=dict)
    asleep: dict[str, bytes | None] = field(default_factory=dict)
    entries: dict[bytes, Kept] = field(default_factory=dict)
    views: dict[str, bytes | None] = field(default_factory=dict)
    outputs: list[Output] = field(default_factory=list)
    urgent: bool = False


class Step(Protocol):
    """A fold over the events of one partition: same input in the same order, same output, byte for byte.

    Called from one thread, never concurrently. A step reads no clock and does no input or output; time, ids and
    randomness come in with the data. It may raise: the engine then goes back to the saved state and leaves the
    event out, so a step needs no care for half-made changes.
    """

    def needs(self, topic: str, arrivals: Sequence[Arrival]) -> Needs:
        """What `take` has to be given to fold in just these. Changes nothing."""

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int], found: Found) -> None:
        """Fold in the events of one chunk of `topic` (without prefix), in order.

        `positions` are the next offsets of all topics once this chunk is done; `found` is what was saved of its needs,
        and maybe more.
        """

    def needs_at(self, now: float) -> Needs:
        """What `tick` has to be given. Changes nothing."""

    def tick(self, now: float, found: Found) -> None:
        """Learn that it is `now` (seconds since 1970). Never earlier than the tick before."""

    @property
    def event_time(self) -> float | None:
        """The latest event time seen, None before the first. Drives the ticks where `clock = "stream"`."""

    @property
    def urgent(self) -> bool:
        """Whether an output since the last `effects()` must go out at once."""

    @property
    def outdated(self) -> Mapping[int, int]:
        """Shelf -> the day before which its entries are let go, -1 for all shelves that are not named.

        The step takes them for gone already; whoever keeps them may delete them at leisure.
        """

    def effects(self) -> Effects:
        """Everything that changed since the last call, once: the engine saves it or goes back to before it."""


class HoldsAllItsState:
    """What a step has to answer that keeps neither entries nor sections that sleep."""

    def needs(self, topic: str, arrivals: Sequence[Arrival]) -> Needs:  # noqa: ARG002
        """Nothing."""
        return NO_NEEDS

    def needs_at(self, now: float) -> Needs:  # noqa: ARG002
        """Nothing."""
        return NO_NEEDS

    @property
    def outdated(self) -> Mapping[int, int]:
        """There are no entries."""
        return {}


class RestoreStep(Protocol):
    """Makes the step of one partition from the sections that were saved (empty: from nothing).

    Raises:
        UnknownSnapshot: the sections are of a version that this code does not read.
    """

    def __call__(self, partition: int, saved: Mapping[str, bytes], /) -> Step: ...
