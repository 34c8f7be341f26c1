"""Which events a step cannot take: found by trying again from the saved state, and left out.

    all at once ──raises on a chunk──> that chunk event by event ──raises on an event──> without that event ──> again
                 ──raises on a tick───> without that tick ──> again
                 ──raises when cut────> halve what was taken until one event or tick is found ──> without it ──> again

Every round leaves out an event or a tick, or takes one more chunk event by event: it comes to an end. A chunk that
raises as a whole and not event by event stays apart, and loses nothing.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Callable, Collection, Sequence
from dataclasses import dataclass, replace

from trueup.engine.records import Chunk
from trueup.errors import TrueupError
from trueup.step import NOTHING_FOUND, Arrival, Found, Needs

#: Topic, offset and index in the batch: where an event stands.
Place = tuple[str, int, int]


@dataclass(frozen=True, slots=True)
class Taken:
    """One input as it is given to the step, kept until it is saved."""

    topic: str
    arrivals: list[Arrival]
    #: None: a tick, of `now`.
    chunk: Chunk | None
    now: float = 0.0
    #: Given to the step event by event.
    apart: bool = False
    #: A tick that the step raises on: not given to it.
    dropped: bool = False

    @property
    def places(self) -> list[Place]:
        """Where its events stand."""
        return [(self.topic, arrival.offset, arrival.place) for arrival in self.arrivals]

    @property
    def size(self) -> int:
        """How many events or ticks the step sees of it."""
        return len(self.arrivals) if self.chunk is not None else int(not self.dropped)

    def parts(self) -> list[Taken]:
        """What the step is given at a time."""
        if not self.apart or not self.arrivals:
            return [self]
        return [replace(self, arrivals=[arrival]) for arrival in self.arrivals]

    def without(self, places: Collection[Place]) -> Taken:
        """The same input, with some events left out."""
        kept = [arrival for arrival in self.arrivals if (self.topic, arrival.offset, arrival.place) not in places]
        return replace(self, arrivals=kept)

    def without_events(self) -> Taken:
        """The same input, to be kept: its events are large, and can be decoded again."""
        return self if self.chunk is None else replace(self, arrivals=[])

    def beginning(self, size: int) -> Taken:
        """The same input, with no more than its first `size` events or ticks."""
        if self.chunk is None:
            return replace(self, dropped=self.dropped or size == 0)
        return replace(self, arrivals=self.arrivals[:size])


class NotRead(Exception):
    """To take its input again, the step needs more of the saved state than was read."""

    def __init__(self, needs: Needs) -> None:
        super().__init__()
        self.needs = needs


class AsRead:
    """What was read of the saved state for an isolation, and what was asked for and is not there."""

    def __init__(self) -> None:
        self.entries: dict[bytes, bytes | None] = {}
        self.asleep: dict[str, bytes | None] = {}
        self.found = NOTHING_FOUND

    def add(self, needs: Needs, found: Found) -> None:
        """This was asked for, and that is there."""
        self.entries.update({key: found.entries.get(key) for key in needs.entries})
        self.asleep.update({name: found.asleep.get(name) for name in needs.asleep})
        self.found = Found(
            {key: value for key, value in self.entries.items() if value is not None},
            {name: value for name, value in self.asleep.items() if value is not None},
        )

    def missing(self, needs: Needs) -> Needs:
        """What of it was never asked for."""
        return Needs(
            [key for key in needs.entries if key not in self.entries],
            [name for name in needs.asleep if name not in self.asleep],
        )


@dataclass(frozen=True, slots=True)
class Failure:
    """Where a step raised, and the events that it was given."""

    #: Index of the input; their number where it raised when it was cut.
    at: int
    places: Sequence[Place] = ()


#: Goes back to the saved state and takes it all; None when all went well.
Attempt = Callable[[Sequence[Taken]], Failure | None]


def isolate(taken: Sequence[Taken], attempt: Attempt) -> tuple[list[Taken], list[Place]]:
    """The same input without what the step raises on, and the events left out. The last attempt is the answer's.

    Raises:
        TrueupError: the step raises on the saved state alone; there is nothing to leave out.
    """
    kept, skipped = list(taken), list[Place]()
    while (failure := attempt(kept)) is not None:
        if failure.at == len(kept):
            failure = _by_halves(kept, attempt)
        item = kept[failure.at]
        if item.chunk is None:
            kept[failure.at] = replace(item, dropped=True)
        elif len(failure.places) == 1:
            skipped.extend(failure.places)
            kept[failure.at] = item.without(failure.places)
        else:
            kept[failure.at] = replace(item, apart=True)
    return kept, skipped


def _by_halves(taken: Sequence[Taken], attempt: Attempt) -> Failure:
    """The first event or tick after which the step raises when it is cut."""
    sizes = range(sum(item.size for item in taken))
    least = bisect_left(sizes, True, key=lambda size: attempt(_beginning(taken, size)) is not None)
    if least == 0:
        raise TrueupError("the step raises on its saved state, before it is given anything")
    left = least
    for at, item in enumerate(taken):
        if left <= item.size:
            return Failure(at, item.places[left - 1 : left])
        left -= item.size
    raise AssertionError("the beginning is longer than the whole")


def _beginning(taken: Sequence[Taken], size: int) -> list[Taken]:
    beginning = []
    for item in taken:
        part = item.beginning(size)
        size -= part.size
        beginning.append(part)
    return beginning
