"""How good were Tuesday's predictions: tallies by the day (UTC) on which the prediction was made.

A corrected truth corrects its cohort. Kept in sections of a month, so that a save writes only the months that changed.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from datetime import date, timedelta
from functools import lru_cache
from typing import Any

from trueup.monitor.outcome import Outcome
from trueup.monitor.windows import DAY, Tally

_EPOCH = date(1970, 1, 1)


@dataclass(slots=True)
class Cohort:
    """The predictions of one day and what is known of them."""

    predictions: int = 0
    tally: Tally = field(default_factory=Tally)
    #: How it is shown, once that was asked and until it changes.
    shown: bytes | None = None


class Cohorts:
    """Cohorts of one version, for `keep_days` back from the latest."""

    __slots__ = ("_changed", "_days", "_keep_days", "_months", "_sorted")

    def __init__(self, keep_days: int) -> None:
        self._days: dict[int, Cohort] = {}
        self._sorted: list[int] = []
        self._months: dict[str, list[int]] = {}
        self._changed: set[int] = set()
        self._keep_days = keep_days

    def predicted(self, predicted_at: Sequence[float]) -> None:
        """Predictions were made then."""
        for day, places in _by_day(predicted_at):
            self._day(day).predictions += len(places)

    def predicted_one(self, predicted_at: float) -> None:
        """A prediction was made then."""
        self._day(int(predicted_at // DAY)).predictions += 1

    def settled(self, predicted_at: Sequence[float], outcomes: Sequence[Outcome]) -> None:
        """Their truth is known."""
        for day, places in _by_day(predicted_at):
            self._day(day).tally.add_all(outcomes[places.start : places.stop])

    def settle(self, predicted_at: float, outcome: Outcome, sign: int = 1) -> None:
        """One outcome counts (`sign` 1), or no longer (-1), since a correction takes its place."""
        self._day(int(predicted_at // DAY)).tally.add(outcome, sign)

    def recent(self, days: int) -> list[tuple[int, Cohort]]:
        """The last `days` cohorts that have any prediction, by day since 1970, oldest first."""
        return [(day, self._days[day]) for day in self._sorted[-days:]]

    def _day(self, day: int) -> Cohort:
        cohort = self._days.get(day)
        if cohort is None:
            cohort = self._days[day] = Cohort()
            oldest = max(self._days) - self._keep_days
            for old in [known for known in self._days if known <= oldest]:
                self._changed.add(old)
                del self._days[old]
            self._sort()
        self._changed.add(day)
        cohort.shown = None
        return cohort

    def touch(self) -> None:
        """All of it is to be saved."""
        self._changed |= self._days.keys()

    @property
    def months(self) -> list[str]:
        """The months it is saved in."""
        return list(self._months)

    def changes(self) -> dict[str, list[Any] | None]:
        """Month -> its cohorts as plain values (None: nothing left), for those changed since the last call."""
        if not self._changed:
            return {}
        changed, self._changed = sorted({_month(day) for day in self._changed}), set()
        return {month: self._rows(month) for month in changed}

    def _rows(self, month: str) -> list[Any] | None:
        days = self._months.get(month)
        if days is None:
            return None
        cohorts = self._days
        return [[day, cohorts[day].predictions, cohorts[day].tally.snapshot()] for day in days]

    def restore(self, month: list[Any]) -> None:
        """Take back one month as `changes` gave it."""
        for day, predictions, tally in month:
            self._days[day] = Cohort(predictions, Tally(*tally))
        self._sort()

    def _sort(self) -> None:
        """Another day: the order of days, and which months they are in."""
        self._sorted = sorted(self._days)
        self._months = {}
        for day in self._sorted:
            self._months.setdefault(_month(day), []).append(day)


def _by_day(moments: Sequence[float]) -> Iterator[tuple[int, range]]:
    """Runs of the same day: the day since 1970, and which of the moments are of it."""
    start, day = 0, int(moments[0] // DAY)
    begin, end = day * DAY, (day + 1) * DAY
    for at, moment in enumerate(moments):
        if not begin <= moment < end:
            yield day, range(start, at)
            start, day = at, int(moment // DAY)
            begin, end = day * DAY, (day + 1) * DAY
    yield day, range(start, len(moments))


def day_name(day: int) -> str:
    """The date (ISO) of a day since 1970."""
    return (_EPOCH + timedelta(days=day)).isoformat()


@lru_cache(10_000)
def _month(day: int) -> str:
    return day_name(day)[:7]
