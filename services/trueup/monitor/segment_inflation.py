"""How much less than n outcomes of a part of the traffic are worth, since they come in bursts."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from statistics import median, variance
from typing import NamedTuple

from trueup.monitor.breakdown import LOSS_UNITS, Counted, Counts, merged

_LEAST_DAYS, _FULL_DAY = 10, 0.3


def inflations_of(days: Sequence[Counted], *, otherwise: float) -> dict[str, float]:
    """The variance inflation of each value's mean over these days; `otherwise` where there are too few of them.

    F of a value is how much more its daily means, less those of the rest, vary than those of independent losses would;
    beyond doubt above 1 + 2e (see `variance_inflation`). A storm that comes over a value for all of a day raises it by
    the number of outcomes a day: F = 1 + n·t. A value with few outcomes shows nothing of t by itself; all together do,
    by the sum of F − 1 over that of n, where the mean of F is above 1 by more than its standard error.
    That the rest varies too is known, and no matter of doubt: a value with n outcomes to r of the rest has 1 + n/r.

    >>> days = [{"a": [100, lost], "b": [100, 20_000_000]} for lost in (10_000_000, 30_000_000)] * 6
    >>> {value: round(of, 1) for value, of in inflations_of(days, otherwise=1.0).items()}
    {'a': 12.6, 'b': 12.6}
    """
    totals = [total(day) for day in days]
    shown = {value: _day_ratio([day.get(value, [0, 0]) for day in days], totals) for value in merged(days)}
    known = [of for of in shown.values() if of is not None]
    if not known:
        return dict.fromkeys(shown, otherwise)
    storm = _storm(known, len(days))
    return {
        value: otherwise if of is None else of.of_rest * max(of.beyond_doubt, 1.0 + of.a_day * storm * of.slack)
        for value, of in shown.items()
    }


def _storm(known: Sequence[_DayRatio], days: int) -> float:
    """What the days of all values together show of a storm, for each outcome a day; 0 where that may be chance."""
    ratio = math.fsum(of.ratio for of in known) / len(known)
    if ratio <= 1.0 + math.sqrt(2.0 / (max(1, len(known) - 1) * (days - 1))):
        return 0.0
    return (ratio - 1.0) * len(known) / math.fsum(of.a_day for of in known)


class _DayRatio(NamedTuple):
    """How much more than independent losses the daily means of a value vary, with its slack; outcomes a day.

    `of_rest` is what the rest adds to the variance of their difference.
    """

    ratio: float
    slack: float
    a_day: float
    of_rest: float

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
    of_rest = 1.0 + n / sum(day[2] for day in full)
    if not 0.0 < mean < 1.0:
        return _DayRatio(1.0, slack, a_day, of_rest)
    differences = [(lost / n - lost_of_rest / rest) / LOSS_UNITS for n, lost, rest, lost_of_rest in full]
    # p(1 - p) is the variance of losses of 0 and 1, and more than that of others, whose bound allows for as much.
    ratio = a_day * variance(differences) / (mean * (1.0 - mean)) / of_rest
    return _DayRatio(ratio, slack, a_day, of_rest)


def total(counted: Mapping[str, Counts]) -> tuple[int, int]:
    """Outcomes of all values together, and what was lost on them."""
    return sum(n for n, _ in counted.values()), sum(lost for _, lost in counted.values())
