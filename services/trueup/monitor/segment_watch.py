"""Each value of a model's segments held against its own reference and the rest of the model: a fall in one part.

The same evidence as the e-detector's (see `detectors.e_detector`), but weighed when an hour of label time closes, on
the counts of a value since it was last weighed:

    R ← (R + a) · ((1 + s(1 − c))^lost · (1 − s·c)^(n − lost))^(1/V)      alarm where the mean of R reaches 1/0.95

which is a product of factors 1 + s(x − c) for losses x of 0 and 1, and less than it for losses between (the logarithm
is concave). The bound c moves with the rest of the model: it is the value's own bound m, and what the rest of the
model loses by now more than in the reference. So a storm over all of the traffic is no fall of a part, twenty values
that fall together are one alarm of the model and none of theirs, and one that falls alone is found although the total
hardly moves. It has to be above m besides: that the others got better is no fall.

Of the model's budget a quarter goes to its segments (`OF_SEGMENTS`), in even parts to all values that are watched: it
bounds their false alarms together, however dependent they are. The bounds are at 1 − 0.05/W of the W values, so that
with 95 % all of them hold.

A value is watched that had at least 200 outcomes, worth at least 20 independent ones, when the reference was frozen,
and the rest as many. The variance inflation V of a value is the largest of: what its own days show beyond doubt, in
their difference to the rest; what the days of all values show together, for so many outcomes a day as it has; and what
was met before. Where there are too few days, it is that of the model.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean, median, variance
from typing import Any, NamedTuple

from trueup.monitor.breakdown import HOURS_A_DAY, LOSS_UNITS, Breakdown, Counted, Counts, merged
from trueup.monitor.config import ModelConfig
from trueup.monitor.mix import Decomposition, decompose
from trueup.monitor.segments import OTHER, value_in
from trueup.statistics.bets import geometric_bets
from trueup.statistics.intervals import rate_upper_bound

#: The part of a model's budget that goes to its segments, as soon as any is watched.
OF_SEGMENTS = 0.25
#: The evidence of a value is weighed once it has so many outcomes, and at the end of a day.
LEAST_WEIGHED = 25
#: What a reference of a value takes: outcomes, and how many independent ones they must be worth.
LEAST_OUTCOMES, LEAST_WORTH = 200, 20.0
#: A day with fewer outcomes of a value says nothing of its recovery; so many days within its bound are one.
LEAST_A_DAY, CALM_DAYS = 20, 2
#: Of a value that is gone for so many days, nothing is said any more.
GONE_DAYS = 7
#: A value with a tenth of an alarm's evidence is named with one that alarms.
ALSO = 0.1
_BETS, _SMALLEST, _LARGEST = 8, 0.01, 0.5
_CONFIDENCE = 0.95
_THRESHOLD = 1.0 / _CONFIDENCE
#: At most so much of the budget in one go, so that a silence is no alarm in itself.
_LARGEST_BUDGET = 0.05
_LEAST_M, _MOST_M = 1e-6, 0.999
#: Far beyond any alarm; a value whose evidence is that large waits only to be above its own bound.
_MOST_WEALTH, _LARGEST_EXPONENT = 1e6, 600.0
_LEAST_DAYS, _FULL_DAY = 10, 0.3
#: Values of the predicted label that are kept apart.
_MOST_LABELS = 50
#: The name under which the labels that were predicted are told among the segments.
PREDICTED = "prediction"


@dataclass(slots=True)
class Watched:
    """One value of a segment: its reference, the evidence against it, and whether it has risen.

    `m` is the bound it is held against. `bound` and `mean_before` are those that it rose above: until it is back within
    that bound it cannot rise again.
    """

    n: int
    mean: float
    mean_of_rest: float
    inflation: float
    m: float
    wealth: list[float] = field(default_factory=lambda: [0.0] * _BETS)
    #: Of the value, and of the rest.
    waits: list[int] = field(default_factory=lambda: [0, 0, 0, 0])
    paid_until: float = 0.0
    excess: float = 0.0
    since: Counts = field(default_factory=lambda: [0, 0])
    changed_at: float = 0.0
    risen: bool = False
    bound: float = 0.0
    mean_before: float = 0.0
    calm_days: int = 0
    silent_days: int = 0

    @property
    def evidence(self) -> float:
        """As a part of what makes an alarm."""
        return fmean(self.wealth) / _THRESHOLD

    def weigh(self, budget: float, at: float) -> bool:
        """Weigh what waits, up to this label time; whether that is an alarm."""
        (n, lost_units, n_of_rest, lost_of_rest), self.waits = self.waits, [0, 0, 0, 0]
        lost = lost_units / LOSS_UNITS
        bound = max(0.0, self.m + lost_of_rest / n_of_rest / LOSS_UNITS - self.mean_of_rest)
        if self.risen:
            self.since = [self.since[0] + n, self.since[1] + lost_units]
            return False
        excess = self.excess + lost - n * bound
        if excess > 0.0:
            self.excess, self.since = excess, [self.since[0] + n, self.since[1] + lost_units]
        else:
            self.excess, self.since, self.changed_at = 0.0, [0, 0], at
        power = 1.0 / self.inflation
        self.wealth = [
            min(_MOST_WEALTH, (wealth + budget) * math.exp(power * _growth(stake, bound, n, lost)))
            for wealth, stake in zip(self.wealth, _stakes(self.m), strict=True)
        ]
        if fmean(self.wealth) < _THRESHOLD or self.since[1] <= self.m * self.since[0] * LOSS_UNITS:
            return False
        self.bound, self.mean_before = self.m, self.mean
        self.risen, self.calm_days = True, 0
        return True

    def end_day(self, counts: Counts, at: float) -> bool:
        """A day is over in which it had these counts; whether with it a rise has ended, and evidence counts again."""
        n, lost = counts
        self.silent_days = 0 if n else self.silent_days + 1
        if n >= LEAST_A_DAY:
            self.calm_days = self.calm_days + 1 if lost <= self.bound * n * LOSS_UNITS else 0
        if not self.risen or (self.calm_days < CALM_DAYS and self.silent_days < GONE_DAYS):
            return False
        self.risen, self.wealth = False, [0.0] * _BETS
        self.excess, self.since, self.changed_at = 0.0, [0, 0], at
        return True

    def snapshot(self) -> list[Any]:
        """Plain values; `Watched(*snapshot)` is the same again."""
        return [getattr(self, name) for name in self.__slots__]


class Rise(NamedTuple):
    """A value that rose: since when, to what, against what. `fired` is it that called, else it is named besides."""

    segment: str
    value: str
    n: int
    mean: float
    changed_at: float
    mean_before: float
    bound: float
    inflation: float
    fired: bool


class Found(NamedTuple):
    """What an hour's end brought: values that rose (the strongest first), and whether all that had risen are back."""

    rises: Sequence[Rise]
    ended: bool
    pages: bool


class SegmentWatch:
    """All segments of one version, and the labels that it predicts, which are counted and not watched."""

    def __init__(self, config: ModelConfig, most_values: int) -> None:
        self._config = config
        self._by_segment = {segment: Breakdown(most_values) for segment in config.segments}
        self._labels = Breakdown(_MOST_LABELS)
        #: Segment -> value -> its counts in the reference; with those of the labels.
        self._before: dict[str, Counted] = {}
        self._watched: dict[tuple[str, str], Watched] = {}
        self._inflations: dict[tuple[str, str], float] = {}
        #: What the model earned so far, of which a part is the segments'.
        self._earned = 0.0
        self._learning: Learning | None = None
        #: Whether a rise calls: not between an alarm about all of the model and the next reference.
        self._calls = True
        #: Whether anything but the open hour changed since `closed_snapshot` was last called.
        self.closed_changed = False

    @property
    def of_total(self) -> float:
        """The part of the model's budget that is left for its errors as a whole; it changes with an hour's end only."""
        return 1.0 - OF_SEGMENTS if self._watched else 1.0

    # -- counting ---------------------------------------------------------------------------------------------------

    def add_all(
        self,
        segments: Sequence[Mapping[str, str] | None],
        labels: Sequence[Any],
        losses: Sequence[float],
        budgets: Sequence[float],
    ) -> None:
        """Count outcomes of the hour that is open: of which segments and label, what was lost, what they earned."""
        for segment, breakdown in self._by_segment.items():
            breakdown.add_all([value_in(segment, given) for given in segments], losses)
        # Labels that are equal have the same text, whichever of them stands for all.
        for (label, loss), n in Counter(zip(labels, losses, strict=True)).items():
            self._labels.add(_label(label), loss, n)
        if self._by_segment:
            earned = self._earned
            for budget in budgets:
                earned += budget
            self._earned = earned

    def add(self, segment: Mapping[str, str] | None, label: Any, loss: float, budget: float) -> None:
        """`add_all` of a single outcome."""
        for name, breakdown in self._by_segment.items():
            breakdown.add(value_in(name, segment), loss)
        self._labels.add(_label(label), loss)
        if self._by_segment:
            self._earned += budget

    # -- the end of an hour -----------------------------------------------------------------------------------------

    def close(self, hour: int, next_hour: int, *, inflation: float) -> Found | None:
        """This hour is over, the next outcome is of `next_hour`; what that brought, if anything.

        `inflation` is that of the model's errors.
        """
        self.closed_changed = True
        at = (hour + 1) * 3_600.0
        day_over = next_hour // HOURS_A_DAY > hour // HOURS_A_DAY
        fired = self._weigh(at, day_over=day_over)
        counted = self._labels.open or any(breakdown.open for breakdown in self._by_segment.values())
        for breakdown in (*self._by_segment.values(), self._labels):
            breakdown.close(hour)
        if counted:
            self._learn(hour)
        ended = self._end_day(hour // HOURS_A_DAY, at) if day_over else False
        found = self._found(fired, ended=ended)
        if self._learning is not None and self._learning.enough(self._config):
            self._freeze(inflation, at)
        return found

    def _weigh(self, at: float, *, day_over: bool) -> list[tuple[str, str]]:
        fired = []
        totals: dict[str, tuple[int, int]] = {}
        for (segment, value), watched in self._watched.items():
            if segment not in totals:
                totals[segment] = _total(self._by_segment[segment].open)
            n, lost = self._by_segment[segment].open.get(value, (0, 0))
            all_n, all_lost = totals[segment]
            watched.waits = [
                before + now for before, now in zip(watched.waits, (n, lost, all_n - n, all_lost - lost), strict=True)
            ]
            least = 1 if day_over else LEAST_WEIGHED
            if watched.waits[0] >= least and watched.waits[2] >= LEAST_WEIGHED:
                budget = min(OF_SEGMENTS * (self._earned - watched.paid_until) / len(self._watched), _LARGEST_BUDGET)
                watched.paid_until = self._earned
                if watched.weigh(budget, at):
                    fired.append((segment, value))
        return fired

    def _end_day(self, day: int, at: float) -> bool:
        """Whether the last value that had risen is back with this day's end."""
        back = []
        for (segment, value), watched in self._watched.items():
            back.append(watched.end_day(self._by_segment[segment].day(day).get(value, [0, 0]), at))
        return any(back) and not any(watched.risen for watched in self._watched.values())

    def _found(self, fired: Sequence[tuple[str, str]], *, ended: bool) -> Found | None:
        rises = [
            (watched.evidence, _rise(segment, value, watched, fired=(segment, value) in fired))
            for (segment, value), watched in self._watched.items()
            if fired and (watched.risen or watched.evidence >= ALSO) and watched.since[0]
        ]
        if not rises and not ended:
            return None
        strongest = sorted(rises, key=lambda pair: (-pair[1].fired, -pair[0]))
        return Found([rise for _, rise in strongest], ended and not rises, self._calls)

    # -- the reference ----------------------------------------------------------------------------------------------

    def _learn(self, hour: int) -> None:
        day = hour // HOURS_A_DAY
        if self._learning is None and not self._before:
            self._learning = Learning(day)
        if self._learning is not None and day >= self._learning.first_day:
            n = sum(counts[0] for counts in self._labels.day(day).values())
            for breakdown in self._by_segment.values():
                n = max(n, sum(counts[0] for counts in breakdown.day(day).values()))
            self._learning.saw(day, n)

    def _freeze(self, inflation: float, at: float) -> None:
        """What was learned is the reference from now on."""
        learning, self._learning = self._learning, None
        assert learning is not None
        self._before = {}
        candidates: dict[tuple[str, str], tuple[Counts, float, float]] = {}
        for segment, breakdown in self._breakdowns():
            days = breakdown.by_day(learning.first_day)
            self._before[segment] = merged(days)
            if breakdown is self._labels:
                continue
            all_n, all_lost = _total(self._before[segment])
            inflations = inflations_of(days, otherwise=inflation)
            for value, counts in self._before[segment].items():
                own = max(self._inflations.get((segment, value), 1.0), inflations[value])
                self._inflations[segment, value] = own
                n_of_rest = all_n - counts[0]
                if value != OTHER and min(counts[0], n_of_rest) >= max(LEAST_OUTCOMES, LEAST_WORTH * own):
                    candidates[segment, value] = (counts, own, (all_lost - counts[1]) / n_of_rest / LOSS_UNITS)
        confidence = 1.0 - (1.0 - _CONFIDENCE) / max(1, len(candidates))
        before = self._watched
        self._watched = {}
        for key, ((n, lost), own, mean_of_rest) in candidates.items():
            bound = rate_upper_bound(lost / LOSS_UNITS, n, confidence=confidence, inflation=own)
            m = min(max(bound + self._config.worth_paging, _LEAST_M), _MOST_M)
            self._watched[key] = watched = Watched(n, lost / n / LOSS_UNITS, mean_of_rest, own, m)
            watched.paid_until, watched.changed_at = self._earned, at
            if key in before and before[key].risen:
                _stays_risen(watched, before[key])
        self._calls = True

    def _breakdowns(self) -> Iterator[tuple[str, Breakdown]]:
        yield from self._by_segment.items()
        if PREDICTED not in self._by_segment:
            yield PREDICTED, self._labels

    # -- an alarm about all of the model ----------------------------------------------------------------------------

    def explain(self, changed_at: float, *, inflation: float) -> list[tuple[str, Decomposition]]:
        """Where a rise of all the model since then comes from: by segment, the one that tells most of the mix first."""
        found = []
        for segment, breakdown in self._breakdowns():
            before = self._before.get(segment)
            decomposition = decompose(before or {}, breakdown.since(changed_at), inflation=inflation)
            if decomposition is not None:
                found.append((segment, decomposition))
        return sorted(found, key=lambda pair: -pair[1].mix)

    def start_anew(self, at: float) -> None:
        """An alarm about all of the model: learn from the day after it; until then no segment calls."""
        self._learning = Learning(int(at // 86_400) + 1)
        self._calls = False
        self.closed_changed = True

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """What changes with each outcome, for `restore`."""
        by_segment = {segment: breakdown.snapshot() for segment, breakdown in self._by_segment.items()}
        return [self._earned, by_segment, self._labels.snapshot()]

    def restore(self, data: Sequence[Any]) -> None:
        """Take back what `snapshot` gave, of the segments that are still configured."""
        self._earned = data[0]
        for segment, breakdown in self._by_segment.items():
            if segment in data[1]:
                breakdown.restore(data[1][segment])
        self._labels.restore(data[2])

    def closed_snapshot(self) -> dict[str, Any]:
        """What changes with an hour's end, for `restore_closed`."""
        self.closed_changed = False
        return {
            "by_segment": {segment: breakdown.closed_snapshot() for segment, breakdown in self._by_segment.items()},
            "labels": self._labels.closed_snapshot(),
            "before": self._before,
            "watched": [[*key, watched.snapshot()] for key, watched in self._watched.items()],
            "inflations": [[*key, inflation] for key, inflation in self._inflations.items()],
            "learning": None if self._learning is None else list(self._learning.snapshot()),
            "calls": self._calls,
        }

    def restore_closed(self, data: Mapping[str, Any]) -> None:
        """Take back what `closed_snapshot` gave, of the segments that are still configured."""
        kept = (*self._by_segment, PREDICTED)
        for segment, breakdown in self._by_segment.items():
            if segment in data["by_segment"]:
                breakdown.restore_closed(data["by_segment"][segment])
        self._labels.restore_closed(data["labels"])
        self._before = {segment: dict(of) for segment, of in data["before"].items() if segment in kept}
        self._watched = {
            (segment, value): Watched(*values) for segment, value, values in data["watched"] if segment in kept
        }
        self._inflations = {(segment, value): of for segment, value, of in data["inflations"] if segment in kept}
        self._learning = None if data["learning"] is None else Learning(*data["learning"])
        self._calls = data["calls"]


class Learning:
    """How much there is to learn from: the days from the first on, and their outcomes."""

    __slots__ = ("_before", "_last_day", "_today", "first_day")

    def __init__(self, first_day: int, last_day: int = -1, before: int = 0, today: int = 0) -> None:
        self.first_day = first_day
        self._last_day = last_day
        self._before = before
        self._today = today

    def saw(self, day: int, n: int) -> None:
        """This day has so many outcomes by now."""
        if day > self._last_day:
            self._last_day, self._before, self._today = day, self._before + self._today, 0
        self._today = n

    def enough(self, config: ModelConfig) -> bool:
        """Whether there are as many outcomes, over as many days, as a reference takes."""
        days = self._last_day + 1 - self.first_day
        return self._before + self._today >= config.reference_labels and days >= config.reference_days

    def snapshot(self) -> list[int]:
        """Plain values; `Learning(*snapshot)` is the same again."""
        return [self.first_day, self._last_day, self._before, self._today]


def inflations_of(days: Sequence[Counted], *, otherwise: float) -> dict[str, float]:
    """The variance inflation of each value's mean over these days; `otherwise` where there are too few of them.

    F of a value is how much more its daily means, less those of the rest, vary than means of independent losses would;
    beyond doubt above 1 + 2e (see `variance_inflation`). A storm that comes over a value for all of a day raises it by
    the number of outcomes a day: F = 1 + n·t. A value with few outcomes shows nothing of t by itself; all together do,
    by the sum of F − 1 over that of n.

    >>> days = [{"a": [100, lost], "b": [100, 20_000_000]} for lost in (10_000_000, 30_000_000)] * 6
    >>> {value: round(of, 1) for value, of in inflations_of(days, otherwise=1.0).items()}
    {'a': 12.6, 'b': 12.6}
    """
    totals = [_total(day) for day in days]
    shown = {value: _day_ratio([day.get(value, [0, 0]) for day in days], totals) for value in merged(days)}
    known = [of for of in shown.values() if of is not None]
    if not known:
        return dict.fromkeys(shown, otherwise)
    storm = max(0.0, math.fsum(of.ratio - 1.0 for of in known) / math.fsum(of.a_day for of in known))
    return {
        value: otherwise if of is None else max(of.beyond_doubt, 1.0 + of.a_day * storm * of.slack)
        for value, of in shown.items()
    }


class _DayRatio(NamedTuple):
    """How much more than independent losses the daily means of a value vary, with its slack; outcomes a day."""

    ratio: float
    slack: float
    a_day: float

    @property
    def beyond_doubt(self) -> float:
        return self.ratio * self.slack if self.ratio > self.slack else 1.0


def _day_ratio(days: Sequence[Counts], totals: Sequence[tuple[int, int]]) -> _DayRatio | None:
    some = [n for n, _ in days if n]
    least = max(1.0, _FULL_DAY * median(some)) if some else 1.0
    full = [(n, lost, all_n - n, all_lost - lost) for (n, lost), (all_n, all_lost) in zip(days, totals, strict=True)]
    full = [day for day in full if day[0] >= least and day[2]]
    if len(full) < _LEAST_DAYS:
        return None
    n, slack = sum(day[0] for day in full), 1.0 + 2.0 * math.sqrt(2.0 / (len(full) - 1))
    mean, a_day = sum(day[1] for day in full) / n / LOSS_UNITS, n / len(full)
    if not 0.0 < mean < 1.0:
        return _DayRatio(1.0, slack, a_day)
    differences = [(lost / n - lost_of_rest / rest) / LOSS_UNITS for n, lost, rest, lost_of_rest in full]
    # p(1 - p) is the variance of losses of 0 and 1, and more than that of others, whose bound allows for as much.
    return _DayRatio(a_day * variance(differences) / (mean * (1.0 - mean)), slack, a_day)


def _stakes(m: float) -> Sequence[float]:
    """The stakes s on x − c, for rises above m on a geometric grid: the e-detector's λ / m."""
    largest = min(_LARGEST, 0.9 * (1.0 - m))
    return [rise / (1.0 - m) / m for rise in geometric_bets(min(_SMALLEST, largest / 2.0), largest, _BETS)]


def _growth(stake: float, bound: float, n: int, lost: float) -> float:
    """The logarithm of what a stake makes of these losses; it keeps a tenth where nothing is lost."""
    stake = min(stake, 0.9 / bound) if bound else stake
    growth = lost * math.log1p(stake * max(0.0, 1.0 - bound)) + (n - lost) * math.log1p(-stake * bound)
    return min(growth, _LARGEST_EXPONENT)


def _total(counted: Mapping[str, Counts]) -> tuple[int, int]:
    return sum(n for n, _ in counted.values()), sum(lost for _, lost in counted.values())


def _rise(segment: str, value: str, watched: Watched, *, fired: bool) -> Rise:
    n, lost = watched.since
    mean_before, bound = (watched.mean_before, watched.bound) if watched.risen else (watched.mean, watched.m)
    return Rise(
        segment, value, n, lost / n / LOSS_UNITS, watched.changed_at, mean_before, bound, watched.inflation, fired
    )


def _stays_risen(watched: Watched, before: Watched) -> None:
    """A new reference does not end a rise: it is over where it is back within the bound that it rose above."""
    watched.risen, watched.bound, watched.mean_before = True, before.bound, before.mean_before
    watched.calm_days, watched.silent_days = before.calm_days, before.silent_days


def _label(label: Any) -> str | None:
    """A label that was predicted, as a text; the same for all that are equal, as True, 1 and 1.0 are."""
    if label is None or isinstance(label, str):
        return None if label is None else label[:200]
    return str(int(label)) if label == label // 1 else str(label)
