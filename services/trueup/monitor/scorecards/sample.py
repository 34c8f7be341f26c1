"""A merge of scorecards as metrics read it, and what they give."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property, lru_cache
from math import isfinite, sqrt
from statistics import NormalDist
from typing import Any, NamedTuple

from river.metrics import ConfusionMatrix

from trueup.monitor.outcome import Label
from trueup.monitor.scorecards import score_statistics
from trueup.monitor.scorecards.labels import ANOTHER, PAIR, REST
from trueup.monitor.scorecards.score_statistics import ScoreStatistics
from trueup.monitor.scorecards.scorecard import Frame, Scorecard
from trueup.statistics.intervals import Interval, rate_interval

#: Half the width of a 95 % interval, in standard deviations.
Z95 = NormalDist().inv_cdf(0.975)


class Measured(NamedTuple):
    """What a metric is, over how many outcomes, and its 95 % interval.

    None: it cannot be told (`value`), or there is no interval for it (`low`, `high`). `more` is shown beside them.
    """

    value: float | None
    n: int
    low: float | None = None
    high: float | None = None
    more: Mapping[str, Any] | None = None

    def shown(self) -> dict[str, Any]:
        """Plain values; a number that is not finite is none."""
        value, low, high = [
            end if end is not None and isfinite(end) else None for end in (self.value, self.low, self.high)
        ]
        return {"value": value, "n": self.n, "low": low, "high": high, **(self.more or {})}


@dataclass
class Sample:
    """The outcomes of a span. n of them are worth n / `inflation` independent ones."""

    card: Scorecard
    frame: Frame
    #: All outcomes, of the span and besides.
    everything: Scorecard
    inflation: float = 1.0

    @property
    def positive(self) -> int | None:
        """The number of the positive label, None where it never came."""
        return self.frame.labels.find(self.frame.positive)

    @cached_property
    def confusion(self) -> Any:
        """Actual label (number) x predicted label, for River's formulas."""
        make: Callable[[], Any] = ConfusionMatrix
        matrix = make()
        for pair, n in sorted(self.card.pairs.items()):
            if n:
                matrix.update(pair % PAIR, pair // PAIR, n)
        return matrix

    def by_river(self, metric: Callable[..., Any], **options: Any) -> float:
        """What River's metric makes of the confusion matrix."""
        return float(metric(cm=self.confusion, **options).get())

    @cached_property
    def n(self) -> int:
        """How many labels there are in the confusion matrix."""
        return sum(self.card.pairs.values())

    @cached_property
    def scores(self) -> ScoreStatistics | None:
        """What the scores tell, None where there are none."""
        return None if self.card.scores is None else score_statistics.read(self.card.scores)

    def label(self, number: int) -> Label:
        """The label of this number."""
        return "__other__" if number in (REST, ANOTHER) else self.frame.labels.known()[number]


def share(value: float, events: float, n: float, inflation: float) -> Measured:
    """A share of `events` among `n` outcomes, with Wilson's interval."""
    whole = round(n)
    if not 0 <= events <= n or n <= 0:
        return Measured(None, max(0, whole))
    return Measured(value, whole, *_interval(events, n, inflation))


@lru_cache(10_000)
def _interval(events: float, n: float, inflation: float) -> Interval:
    """As `rate_interval`: most models have the few outcomes of others."""
    return rate_interval(events, n, inflation=inflation)


def mean(value: float, variance: float, n: int, inflation: float) -> Measured:
    """A mean of values of this variance, with the normal interval."""
    half = Z95 * sqrt(max(0.0, variance) * inflation / n)
    return Measured(value, n, value - half, value + half)
