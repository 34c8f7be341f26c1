"""How good were Tuesday's predictions: tallies by the day (UTC) on which the prediction was made.

A corrected truth corrects its cohort. Kept in sections of a month, so that a save writes only the months that changed.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import Any

from trueup.monitor.outcome import Outcome
from trueup.monitor.windows import DAY, Tally

_EPOCH = date(1970, 1, 1)


@dataclass(slots=True)
class Cohort:
    """The predictions of one day and what is known of them."""

    predictions: int = 0
    tally: Tally = field(default_factory=Tally)


class Cohorts:
    """Cohorts of one version, for `keep_days` back from the latest."""

    __slots__ = ("_changed", "_days", "_keep_days")

    def __init__(self, keep_days: int) -> None:
        self._days: dict[int, Cohort] = {}
        self._changed: set[int] = set()
        self._keep_days = keep_days

    def predicted(self, predicted_at: float) -> None:
        """A prediction was made then."""
        self._day(predicted_at).predictions += 1

    def settled(self, predicted_at: float, outcome: Outcome, sign: int = 1) -> None:
        """Its truth is known, or (`sign` -1) no longer counts, since a correction takes its place."""
        self._day(predicted_at).tally.add(outcome, sign)

    def recent(self, days: int) -> list[tuple[str, Cohort]]:
        """The last `days` cohorts that have any prediction, by date (ISO), oldest first."""
        return [(_name(day), self._days[day]) for day in sorted(self._days)[-days:]]

    def _day(self, predicted_at: float) -> Cohort:
        day = int(predicted_at // DAY)
        cohort = self._days.get(day)
        if cohort is None:
            cohort = self._days[day] = Cohort()
            oldest = max(self._days) - self._keep_days
            for old in [known for known in self._days if known <= oldest]:
                self._changed.add(old)
                del self._days[old]
        self._changed.add(day)
        return cohort

    def changes(self) -> dict[str, list[Any] | None]:
        """Month -> its cohorts as plain values (None: nothing left), for those changed since the last call."""
        changed, self._changed = {_month(day) for day in self._changed}, set()
        months: dict[str, list[Any] | None] = dict.fromkeys(sorted(changed))
        for day, cohort in sorted(self._days.items()):
            month = _month(day)
            if month in changed:
                rows = months[month] or []
                rows.append([day, cohort.predictions, cohort.tally.snapshot()])
                months[month] = rows
        return months

    def restore(self, month: list[Any]) -> None:
        """Take back one month as `changes` gave it."""
        for day, predictions, tally in month:
            self._days[day] = Cohort(predictions, Tally(*tally))


def _name(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).isoformat()


def _month(day: int) -> str:
    return _name(day)[:7]
