"""One value of a segment: its reference, the evidence that it fell, and whether it has fallen. See `segment_watch`."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass, field
from statistics import fmean
from typing import Any

from trueup.monitor.breakdown import LOSS_UNITS, Counts
from trueup.statistics.bets import geometric_bets

#: A day with fewer outcomes of a value says nothing of its recovery; so many days within its bound are one.
LEAST_A_DAY, CALM_DAYS = 20, 2
#: Of a value that is gone for so many days, nothing is said any more.
GONE_DAYS = 7
#: A bound is right with this confidence, and evidence has to reach its inverse.
CONFIDENCE = 0.95
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
        self.risen, self.wealth = False, [0.0] * _BETS
        self.excess, self.since, self.changed_at = 0.0, [0, 0], at
        return True

    def snapshot(self) -> list[Any]:
        """Plain values; `Watched(*snapshot)` is the same again."""
        return [getattr(self, name) for name in self.__slots__]

    def stays_risen(self, before: Watched) -> None:
        """A new reference ends no rise: that is over where the value is back within the bound that it rose above."""
        self.risen, self.bound, self.mean_before = True, before.bound, before.mean_before
        self.calm_days, self.silent_days = before.calm_days, before.silent_days


def _stakes(m: float) -> Sequence[float]:
    """The stakes s on x − c, for rises above m on a geometric grid: the e-detector's λ / m."""
    largest = min(_LARGEST, 0.9 * (1.0 - m))
    return [rise / (1.0 - m) / m for rise in geometric_bets(min(_SMALLEST, largest / 2.0), largest, _BETS)]


def _growth(stake: float, bound: float, n: int, lost: float) -> float:
    """The logarithm of what a stake makes of these losses; it keeps a tenth where nothing is lost."""
    stake = min(stake, 0.9 / bound) if bound else stake
    growth = lost * math.log1p(stake * max(0.0, 1.0 - bound)) + (n - lost) * math.log1p(-stake * bound)
    return min(growth, _LARGEST_EXPONENT)
