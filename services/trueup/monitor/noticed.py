"""What was noticed while events were folded in, with all that its signal says which later events may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from trueup.monitor.blindness import Missing
from trueup.monitor.error_watch import Change
from trueup.monitor.features.watch import Told
from trueup.monitor.mix import Decomposition
from trueup.monitor.segment_watch import Found
from trueup.monitor.versions_compared import VersionsCompared
from trueup.monitor.windows import Tally

if TYPE_CHECKING:
    from trueup.monitor.version import Version


@dataclass(frozen=True, slots=True)
class Changed:
    """A detector fired on a version's stream, at this event time."""

    version: Version
    change: Change
    at: float
    #: Of an alarm: by segment, where the rise comes from.
    explained: Sequence[tuple[str, Decomposition]] = ()


@dataclass(frozen=True, slots=True)
class SegmentsMoved:
    """Values of segments rose, or are all back, at the end of this hour."""

    version: Version
    found: Found
    at: float


@dataclass(frozen=True, slots=True)
class HourClosed:
    """An hour of label time (hours since 1970) of a version is over; `day` are the 24 hours that end with it."""

    version: Version
    hour: int
    tally: Tally
    day: Tally
    inflation: float


@dataclass(frozen=True, slots=True)
class Compared:
    """The test between two versions came to its verdict, at this event time."""

    compared: VersionsCompared
    at: float
    inflation: float
    #: Of the new version, when the verdict fell.
    role: str | None


@dataclass(frozen=True, slots=True)
class SightBack:
    """What was missing comes again, since this time."""

    what: Missing
    at: float


@dataclass(frozen=True, slots=True)
class OfFeatures:
    """Something about the features of a version, or its calls: a fault, a drift."""

    version: Version
    told: Told


Noticed = Changed | SegmentsMoved | HourClosed | Compared | SightBack | OfFeatures

#: In which order what one event brought is told: sight first, then scores, features and calls, then, for each of the
#: answers that its truth met, the hour that closed, the detectors, the verdict.
SIGHT, SCORES, FEATURES, CALLS, FIRST_ANSWER = range(5)
HOUR_FIRST, THEN_DETECTORS, THEN_VERDICT = range(3)


@dataclass(frozen=True, slots=True)
class Item:
    """One thing that was noticed: on which arrival of the chunk, and in which place among what that one brought."""

    arrival: int
    place: int
    noticed: Noticed


def answer_place(answer: int, step: int) -> int:
    """The place of what the truth of an entry's n-th answer brought."""
    return FIRST_ANSWER + 3 * answer + step
