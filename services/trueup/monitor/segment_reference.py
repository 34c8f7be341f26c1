"""What the values of a segment are held against: how long it is learned, and of which values there is enough."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from trueup.monitor.breakdown import LOSS_UNITS, Counted, merged
from trueup.monitor.config import ModelConfig
from trueup.monitor.segment_inflation import total
from trueup.monitor.segments import OTHER
from trueup.monitor.watched import Watched, bound_of

#: What a reference of a value takes: outcomes, and how many independent ones they must be worth.
LEAST_OUTCOMES, LEAST_WORTH = 200, 20.0


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


def watched_of(
    days: Sequence[Counted], inflations: Mapping[str, float], *, tolerance: float, next_day: int
) -> dict[str, Watched]:
    """The values of one segment of which these days are reference enough, as are those of the rest.

    `next_day` is the first day (since 1970) of which no hour is among them.
    """
    counted = merged(days)
    all_n, all_lost = total(counted)
    found = {}
    for value, (n, lost) in counted.items():
        inflation, n_of_rest = inflations[value], all_n - n
        if value == OTHER or min(n, n_of_rest) < max(LEAST_OUTCOMES, LEAST_WORTH * inflation):
            continue
        mean, mean_of_rest = lost / n / LOSS_UNITS, (all_lost - lost) / n_of_rest / LOSS_UNITS
        m = bound_of(mean, n, inflation=inflation, tolerance=tolerance)
        found[value] = watched = Watched(n, mean, mean_of_rest, inflation, m)
        watched.n_of_rest, watched.until_day, watched.most_apart = n_of_rest, next_day, m - mean_of_rest
        watched.a_day = n / len(days)
    return found
