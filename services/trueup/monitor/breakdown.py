"""How many outcomes each value of one segment had, and how much was lost on them, by hour and by day of label time.

Kept in whole numbers, so that the sums are the same however the outcomes were cut into runs.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trueup.monitor.segments import OTHER

#: Losses are summed in millionths.
LOSS_UNITS = 1_000_000
HOURS_A_DAY = 24
#: Hours and days that are kept, back from the latest that closed.
HOURS_KEPT, DAYS_KEPT = 24, 35

#: Outcomes of one value, and what was lost on them in `LOSS_UNITS`.
Counts = list[int]
#: Value -> its counts.
Counted = dict[str, Counts]


class Breakdown:
    """The outcomes of one version by the values of one segment.

    An outcome counts in the hour that is open when its truth comes. At most `most` values are kept apart.
    """

    __slots__ = ("_days", "_hours", "_known", "_most", "open")

    def __init__(self, most: int) -> None:
        self._most = most
        self._known: dict[str, None] = {}
        self._hours: dict[int, Counted] = {}
        self._days: dict[int, Counted] = {}
        #: Since the last hour that closed.
        self.open: Counted = {}

    def add_all(self, values: Sequence[str | None], losses: Sequence[float]) -> None:
        """Count these outcomes; those without a value are passed over."""
        for (value, loss), n in Counter(zip(values, losses, strict=True)).items():
            self.add(value, loss, n)

    def add(self, value: str | None, loss: float, n: int = 1) -> None:
        """Count `n` outcomes of this value with this loss."""
        if value is None:
            return
        counts = self.open.get(value)
        if counts is None:
            value = self._capped(value)
            counts = self.open.setdefault(value, [0, 0])
        counts[0] += n
        counts[1] += n * round(loss * LOSS_UNITS)

    def _capped(self, value: str) -> str:
        if value not in self._known:
            if len(self._known) >= self._most:
                return OTHER
            self._known[value] = None
        return value

    def close(self, hour: int) -> None:
        """This hour (since 1970) is over."""
        if self.open:
            _merge(self._hours.setdefault(hour, {}), self.open)
            _merge(self._days.setdefault(hour // HOURS_A_DAY, {}), self.open)
            self.open = {}
        for old in [key for key in self._hours if key <= hour - HOURS_KEPT]:
            del self._hours[old]
        for old in [key for key in self._days if key <= hour // HOURS_A_DAY - DAYS_KEPT]:
            del self._days[old]

    def day(self, day: int) -> Counted:
        """What the closed hours of this day (since 1970) hold."""
        return self._days.get(day, {})

    def by_day(self, first_day: int) -> list[Counted]:
        """The days from this one on, in their order in time, without the hour that is open."""
        return [self._days[day] for day in sorted(self._days) if day >= first_day]

    def since(self, at: float) -> Counted:
        """From the hour of this label time on, or its day where its hours are no longer kept; the open hour with it."""
        hour = int(at // 3_600)
        if hour > max(self._hours, default=hour) - HOURS_KEPT:
            closed = [self._hours[key] for key in sorted(self._hours) if key >= hour]
        else:
            closed = self.by_day(hour // HOURS_A_DAY)
        return merged([*closed, self.open])

    def snapshot(self) -> list[Any]:
        """The open hour and the values that are known, for `restore`."""
        return [list(self._known), self.open]

    def closed_snapshot(self) -> list[Any]:
        """The closed hours and days, for `restore_closed`."""
        return [dict(sorted(self._hours.items())), dict(sorted(self._days.items()))]

    def restore(self, data: Sequence[Any]) -> None:
        """Take back what `snapshot` gave."""
        self._known = dict.fromkeys(data[0])
        self.open = {value: list(counts) for value, counts in data[1].items()}

    def restore_closed(self, data: Sequence[Mapping[int, Mapping[str, Counts]]]) -> None:
        """Take back what `closed_snapshot` gave."""
        self._hours, self._days = [
            {key: {value: list(counts) for value, counts in of.items()} for key, of in kept.items()} for kept in data
        ]


def merged(parts: Iterable[Mapping[str, Counts]]) -> Counted:
    """All of them in one."""
    total: Counted = {}
    for part in parts:
        _merge(total, part)
    return total


def _merge(into: Counted, part: Mapping[str, Counts]) -> None:
    for value, (n, lost) in part.items():
        counts = into.setdefault(value, [0, 0])
        counts[0] += n
        counts[1] += lost
