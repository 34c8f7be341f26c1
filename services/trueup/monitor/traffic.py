"""Whether a model's traffic is still made up as it was: which share of its predictions each value of a segment has.

Once a day the shares of the day that is over are held against those of the calm days before, up to four weeks:

    share of carrier AA    12 %  11 %  13 %  12 %  ...  11 %  31 %  33 %  <- moved, told on the second day

Of many predictions any two days differ beyond doubt, so days are held against days: a share is *odd* where it lies
further from the mean of those before than Student's quantile of their standard deviation, which is at least that of
independent predictions, and half further than any of them, as days may be far from normal; and where that is worth
telling (`LEAST_MOVED`), or the value is new or gone. A day with an odd share is odd. A second one in a row, by the same
value, confirms it; two in a row that are not end it; what stays so for two weeks is how it is. Odd days are not held
against later ones.

It informs: other traffic may be harmless, but it is what may explain a rise that comes later.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, variance
from typing import Any, NamedTuple

from scipy.special import stdtr

from trueup.monitor.label_counts import KEEP_DAYS, MOST_VALUES, LabelCounts
from trueup.monitor.windows import DAY

#: Days before, fewer of which say nothing of how days vary: weeks have to be seen twice.
LEAST_DAYS = 14
#: Days back from the present that it is held against.
MEMORY_DAYS = 28
#: Predictions of a day, fewer of which say nothing.
LEAST_A_DAY = 200
#: The mean number of days between two days of one model that are odd by chance; a second in a row is far rarer.
DAYS_AN_ODD_ONE = 100.0
#: How much further than on any day before a share has to lie from their mean.
FURTHER = 1.5
#: How far a share has to move, and how large it is where the value is new or gone, to be spoken of.
LEAST_MOVED, LEAST_NEW = 0.03, 0.01
#: Predictions of a value that is new; of one that is gone so many would have come.
LEAST_OF_NEW = 10.0
CONFIRMED_BY, CALM_DAYS = 2, 2
#: After so many odd days this is how it is: as many as a reference takes, of which counts are still kept.
NEW_NORMAL_DAYS = LEAST_DAYS
#: Values that are named, those first whose share moved most.
MOST_NAMED = 10


class Share(NamedTuple):
    """Which share of the predictions a value has, and had: the mean of its days and their standard deviation."""

    value: str
    share: float
    share_before: float
    spread: float


@dataclass(frozen=True, slots=True)
class Shift:
    """A day of other traffic by one segment, held against the days before."""

    segment: str
    #: The first of the odd days (since 1970).
    first_day: int
    #: Which share of the traffic would have to be of other values for it to be as before.
    moved: float
    #: How likely so large a move of any value is on days that vary as those before.
    p: float
    n: int
    reference_days: int
    #: Those that moved by a hundredth or more, the furthest first.
    shares: Sequence[Share]


class Told(NamedTuple):
    """The traffic moved, or (`ended`) is as it was, or has been so for so long that this is how it is."""

    shift: Shift
    ended: bool


@dataclass(slots=True)
class _Segment:
    """One segment's days: the calm ones and those that are odd, in their order."""

    calm: list[int] = field(default_factory=list)
    odd: list[int] = field(default_factory=list)
    #: The values that were odd on the first of the odd days, while a second is waited for.
    suspects: list[str] = field(default_factory=list)
    calm_again: int = 0
    #: What was told of and has not ended, as of the latest odd day.
    shift: Shift | None = None


class TrafficWatch:
    """The traffic of one model, all its versions together, by the names of its segments."""

    __slots__ = ("_changed", "_segments", "_until")

    def __init__(self, names: Iterable[str]) -> None:
        self._segments = {name: _Segment() for name in names}
        #: The day up to which, without it, all was looked at.
        self._until = 0
        self._changed = False

    def look(self, today: int, counts: LabelCounts) -> list[Told]:
        """What moved or is back, of the days before this one (since 1970) that were not looked at yet."""
        told: list[Told] = []
        for day in range(max(self._until, today - KEEP_DAYS + 1), today):
            for name, segment in self._segments.items():
                one = _look(name, segment, day, counts, chance=1 / DAYS_AN_ODD_ONE / len(self._segments))
                told += [] if one is None else [one]
        self._changed = self._changed or (today > self._until and bool(self._segments))
        self._until = max(self._until, today)
        return told

    @property
    def shifts(self) -> list[Shift]:
        """What moved and is not back, as of the latest day."""
        return [segment.shift for segment in self._segments.values() if segment.shift is not None]

    # -- saving -----------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """All of it is to be saved."""
        self._changed = self._until > 0

    def changes(self) -> list[Any] | None:
        """Plain values, for `restore`, where anything changed since the last call."""
        if not self._changed:
            return None
        self._changed = False
        return [self._until, [[name, *_plain(segment)] for name, segment in self._segments.items()]]

    def restore(self, data: Sequence[Any]) -> None:
        """Take back what `changes` gave, of the names that are still configured."""
        self._until, saved = data
        for name, calm, odd, suspects, calm_again, shift in saved:
            if name in self._segments:
                known = shift and _restored(shift)
                self._segments[name] = _Segment(list(calm), list(odd), list(suspects), calm_again, known)


def _look(name: str, segment: _Segment, day: int, counts: LabelCounts, *, chance: float) -> Told | None:
    """What there is to tell of a day; `chance`: of being wrong that it is odd."""
    now = counts.made_of(name, day)
    if now.total() < LEAST_A_DAY:
        return None
    if segment.shift is None:  # what the traffic moved from is kept until it is back
        segment.calm = [calm for calm in segment.calm if calm >= day - MEMORY_DAYS]
    before = [made for calm in segment.calm if (made := counts.made_of(name, calm))]
    compared = _Compared(before, now, chance) if len(before) >= LEAST_DAYS else None
    if compared is not None and compared.odd:
        return _odd(name, segment, day, compared)
    if segment.shift is not None:
        if compared is None:  # what it moved from is no longer kept
            return _new_normal(segment)
        segment.calm_again += 1
        return _end(segment) if segment.calm_again >= CALM_DAYS else None
    segment.odd, segment.suspects = [], []
    segment.calm.append(day)
    return None


def _odd(name: str, segment: _Segment, day: int, compared: _Compared) -> Told | None:
    if segment.shift is None and not set(segment.suspects).intersection(compared.odd):
        segment.odd, segment.suspects = [], list(compared.odd)
    segment.odd.append(day)
    segment.calm_again = 0
    if len(segment.odd) >= NEW_NORMAL_DAYS:
        return _new_normal(segment)
    if len(segment.odd) < CONFIRMED_BY:
        return None
    is_new, segment.shift = segment.shift is None, compared.shift(name, segment.odd[0])
    return Told(segment.shift, ended=False) if is_new else None


def _new_normal(segment: _Segment) -> Told | None:
    segment.calm = segment.odd
    return _end(segment)


def _end(segment: _Segment) -> Told | None:
    shift, segment.shift = segment.shift, None
    segment.odd, segment.suspects, segment.calm_again = [], [], 0
    return None if shift is None else Told(shift, ended=True)


class _Compared:
    """The shares of a day, held against those of at least two days before."""

    def __init__(self, before: Sequence[Counter[str]], now: Counter[str], chance: float) -> None:
        self._before = before
        self._n = now.total()
        self._total = sum([made.total() for made in before])
        self._shares = [self._share(value, now[value]) for value in sorted(set(now).union(*before))]
        far = [share for share in self._shares if self._is_worth_telling(share) and self._is_further(share)]
        #: The values whose share is odd, and how likely that is of any value.
        self.odd = {share.value: p for share in far if (p := self._chance(share)) < chance}

    def _share(self, value: str, n: int) -> Share:
        shares = [made[value] / made.total() for made in self._before]
        mean = fmean(shares)
        kept_off_0 = max(mean, 0.5 / self._total)
        independent = kept_off_0 * (1.0 - mean) / self._n
        return Share(value, n / self._n, mean, math.sqrt(max(variance(shares, mean), independent)))

    def _chance(self, share: Share) -> float:
        days = len(self._before)
        apart = abs(share.share - share.share_before) / math.sqrt(1 + 1 / days)
        one_sided = float(stdtr(days - 1, -apart / share.spread)) if share.spread else float(not apart)
        return 2 * (MOST_VALUES + 1) * one_sided

    def _is_further(self, share: Share) -> bool:
        furthest = max([abs(made[share.value] / made.total() - share.share_before) for made in self._before])
        return abs(share.share - share.share_before) > FURTHER * furthest

    def _is_worth_telling(self, share: Share) -> bool:
        value_is_new, value_is_gone = not share.share_before, not share.share
        least = max(LEAST_NEW, LEAST_OF_NEW / self._n) if value_is_new or value_is_gone else LEAST_MOVED
        return abs(share.share - share.share_before) >= least

    def shift(self, segment: str, first_day: int) -> Shift:
        """What is told of it."""
        apart = [(abs(share.share - share.share_before), share) for share in self._shares]
        moved = sorted([pair for pair in apart if pair[0] >= LEAST_NEW], key=lambda pair: -pair[0])
        return Shift(
            segment,
            first_day,
            moved=math.fsum(by for by, _ in apart) / 2,
            p=min(self.odd.values()),
            n=self._n,
            reference_days=len(self._before),
            shares=[share for _, share in moved[:MOST_NAMED]],
        )


def _plain(segment: _Segment) -> list[Any]:
    shift = segment.shift
    plain = None if shift is None else {name: getattr(shift, name) for name in Shift.__slots__}
    return [segment.calm, segment.odd, segment.suspects, segment.calm_again, plain]


def _restored(plain: Mapping[str, Any]) -> Shift:
    return Shift(**{**plain, "shares": [Share(*share) for share in plain["shares"]]})


def shown(shift: Shift) -> Mapping[str, Any]:
    """As it is signalled and shown: what share of which value was, is; and since when."""
    return {
        "segment": shift.segment,
        "since": float(shift.first_day * DAY),
        "moved": shift.moved,
        "p": shift.p,
        "n": shift.n,
        "reference_days": shift.reference_days,
        "values": [share._asdict() for share in shift.shares],
    }
