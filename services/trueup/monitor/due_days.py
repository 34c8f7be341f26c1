"""Of each model the earliest day from which an id of it ages, so that the horizon finds those it passes."""

from __future__ import annotations


class DueDays:
    """Ordinals of models by day."""

    def __init__(self) -> None:
        self._by_day: dict[int, set[int]] = {}
        self._day_of: dict[int, int] = {}

    def put(self, ordinal: int, day: int | None) -> None:
        """The earliest day of this model; None: it has none."""
        before = self._day_of.get(ordinal)
        if before == day:
            return
        if before is not None:
            models = self._by_day[before]
            models.discard(ordinal)
            if not models:
                del self._by_day[before]
        if day is None:
            self._day_of.pop(ordinal, None)
        else:
            self._day_of[ordinal] = day
            self._by_day.setdefault(day, set()).add(ordinal)

    def of(self, ordinal: int) -> int | None:
        """The day of this model."""
        return self._day_of.get(ordinal)

    def before(self, day: int, *, most: int) -> list[int]:
        """The models with a day before this one, the longest due first, at most so many."""
        found: list[int] = []
        for due in sorted([due for due in self._by_day if due < day]):
            found += sorted(self._by_day[due])
            if len(found) >= most:
                break
        return found[:most]
