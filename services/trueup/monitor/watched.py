"""One value of a segment: its reference, the evidence that it fell, and whether it has fallen. See `segment_watch`."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from trueup.monitor.breakdown import LOSS_UNITS, Breakdown, Counts
from trueup.statistics.bets import geometric_bets
from trueup.statistics.intervals import rate_upper_bound
from trueup.statistics.variance_inflation import SECONDS_PER_DAY

#: A day with fewer outcomes of a value says nothing of its recovery; so many days within its bound are one.
LEAST_A_DAY, CALM_DAYS = 20, 2
#: Of a value that is gone for so many days, nothing is said any more.
GONE_DAYS = 7
#: A bound is right with this confidence, and evidence has to reach its inverse.
CONFIDENCE = 0.95
LEAST_M, _MOST_M = 1e-6, 0.999
_THRESHOLD = 1.0 / CONFIDENCE
_BETS, _SMALLEST, _LARGEST = 8, 0.01, 0.5
#: Far beyond any alarm; a value whose evidence is that large waits only to be above its own bound.
_MOST_WEALTH, _LARGEST_EXPONENT = 1e6, 600.0


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
    #: Outcomes of the rest in the reference; 0 where it was saved before references grew: it stays as it is.
    n_of_rest: int = 0
    #: The day (since 1970) up to which, without it, days are in the reference.
    until_day: int = 0
    #: `m` lies above the mean of the rest by no more than it did at first.
    most_apart: float = 1.0
    #: Outcomes a day in the reference; 0: not known.
    a_day: float = 0.0
    #: Outcomes that were weighed today, and those of the day before.
    today: int = 0
    day_before: int = 0

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
        power = 1.0 / self._inflation_of(n)
        self.wealth = [
            min(_MOST_WEALTH, (wealth + budget) * math.exp(power * _growth(stake, bound, n, lost)))
            for wealth, stake in zip(self.wealth, _stakes(self.m), strict=True)
        ]
        if fmean(self.wealth) < _THRESHOLD or self.since[1] <= self.m * self.since[0] * LOSS_UNITS:
            return False
        self.bound, self.mean_before = self.m, self.mean
        self.risen, self.calm_days = True, 0
        return True

    def _inflation_of(self, n: int) -> float:
        """How much less than n outcomes these are worth, which are weighed now.

        A storm of a day comes over all the outcomes of that day: V = 1 + (outcomes a day)·t. So it grows with them.
        """
        self.today += n
        grown = max(1.0, max(self.today, self.day_before) / self.a_day) if self.a_day else 1.0
        return 1.0 + (self.inflation - 1.0) * grown

    def end_day(self, counts: Counts, at: float) -> bool:
        """A day is over in which it had these counts; whether with it a rise has ended, and evidence counts again."""
        n, lost = counts
        self.today, self.day_before = 0, n
        self.silent_days = 0 if n else self.silent_days + 1
        if n >= LEAST_A_DAY:
            self.calm_days = self.calm_days + 1 if lost <= self.bound * n * LOSS_UNITS else 0
        if not self.risen or (self.calm_days < CALM_DAYS and self.silent_days < GONE_DAYS):
            return False
        self.risen, self.wealth, self.until_day = False, [0.0] * _BETS, int(at // SECONDS_PER_DAY)
        self.excess, self.since, self.changed_at = 0.0, [0, 0], at
        return True

    def grow(self, breakdown: Breakdown, value: str, tolerance: float) -> None:
        """Let the days that lie before whatever may be rising now into the reference, and with them tighten the bound.

        It only becomes tighter, beside the mean of the rest: else a slow rise would carry its bound along.
        """
        before = self.n
        while not self.risen and self.n_of_rest and (self.until_day + 1) * SECONDS_PER_DAY <= self.changed_at:
            self._learn(breakdown.day(self.until_day), value)
            self.until_day += 1
        if self.n > before:
            m = bound_of(self.mean, self.n, inflation=self.inflation, tolerance=tolerance)
            self.m = max(LEAST_M, min(m, self.mean_of_rest + self.most_apart))

    def vary(self, inflation: float, tolerance: float) -> None:
        """The days of this value vary by more than was known: both its bound and its evidence have to allow for it."""
        self.inflation = inflation
        self.m = bound_of(self.mean, self.n, inflation=inflation, tolerance=tolerance)
        self.most_apart = self.m - self.mean_of_rest

    def _learn(self, day: Mapping[str, Counts], value: str) -> None:
        n, lost = day.get(value, (0, 0))
        n_of_rest, lost_of_rest = sum(of for of, _ in day.values()) - n, sum(of for _, of in day.values()) - lost
        if n and n_of_rest:
            self.mean = _mean_with(self.mean, self.n, lost, n)
            self.mean_of_rest = _mean_with(self.mean_of_rest, self.n_of_rest, lost_of_rest, n_of_rest)
            self.n, self.n_of_rest = self.n + n, self.n_of_rest + n_of_rest

    def snapshot(self) -> list[Any]:
        """Plain values; `Watched(*snapshot)` is the same again."""
        return [getattr(self, name) for name in self.__slots__]

    def stays_risen(self, before: Watched) -> None:
        """A new reference ends no rise: that is over where the value is back within the bound that it rose above."""
        self.risen, self.bound, self.mean_before = True, before.bound, before.mean_before
        self.calm_days, self.silent_days = before.calm_days, before.silent_days


def bound_of(mean: float, n: int, *, inflation: float, tolerance: float) -> float:
    """What a value is held against: the mean that, by a reference of `n` outcomes, is not exceeded, and the tolerance.

    >>> [round(bound_of(0.2, n, inflation=1.0, tolerance=0.01), 4) for n in (1_000, 10_000)]
    [0.2319, 0.2167]
    """
    bound = rate_upper_bound(min(mean * n, n), n, confidence=CONFIDENCE, inflation=inflation)
    return min(max(bound + tolerance, LEAST_M), _MOST_M)


def _mean_with(mean: float, n: int, lost_units: int, more: int) -> float:
    return min(1.0, (mean * n + lost_units / LOSS_UNITS) / (n + more))


def _stakes(m: float) -> Sequence[float]:
    """The stakes s on x − c, for rises above m on a geometric grid: the e-detector's λ / m."""
    largest = min(_LARGEST, 0.9 * (1.0 - m))
    return [rise / (1.0 - m) / m for rise in geometric_bets(min(_SMALLEST, largest / 2.0), largest, _BETS)]


def _growth(stake: float, bound: float, n: int, lost: float) -> float:
    """The logarithm of what a stake makes of these losses; it keeps a tenth where nothing is lost."""
    stake = min(stake, 0.9 / bound) if bound else stake
    growth = lost * math.log1p(stake * max(0.0, 1.0 - bound)) + (n - lost) * math.log1p(-stake * bound)
    return min(growth, _LARGEST_EXPONENT)
