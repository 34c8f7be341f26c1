"""How many predictions of each day there were, and how many of them have their truth: in all, by what was predicted, by
segment.

Integers that only add up, so that it does not matter when they are added up: answers are put into `made` and `met` in
the order in which they came, and counted a thousand or a save at a time.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any, NamedTuple

from trueup.monitor.join import PREDICTED_AT, PREDICTION, SEGMENT, Answer
from trueup.monitor.segments import OTHER
from trueup.monitor.windows import DAY

#: Predicted classes, and values of each segment name, that are told apart here; the rest is `__other__`.
MOST_VALUES = 20
#: Days that are kept, back from the latest.
KEEP_DAYS = 30


class Slot(NamedTuple):
    """What is counted apart: all (both None), a predicted class (`name` None), or a value of a segment's name."""

    name: str | None
    value: Any

    @property
    def is_total(self) -> bool:
        """Whether it is all predictions."""
        return self.name is None and self.value is None

    @property
    def is_class(self) -> bool:
        """Whether it is a predicted class."""
        return self.name is None and self.value is not None


TOTAL = Slot(None, None)


class LabelCounts:
    """Counts of one model, over all its versions: their truths come the same way."""

    __slots__ = ("_by_day", "_changed", "_names", "_slots", "latest", "made", "met")

    def __init__(self, names: Sequence[str]) -> None:
        self._names = tuple(names)
        self._slots: dict[Slot, int] = {TOTAL: 0}
        #: Day (since 1970) -> predictions and truths of slot 0, of slot 1, ...
        self._by_day: dict[int, list[int]] = {}
        self._changed = False
        #: The latest day on which there was a prediction, -1 before any.
        self.latest = -1
        #: Answers that were given, and that met their truth for the first time, since the last `count`.
        self.made: list[Answer] = []
        self.met: list[Answer] = []

    def count(self) -> None:
        """Count what was put into `made` and `met`. Failed calls wait for no truth, and do not count."""
        if self.made:
            made, self.made = self.made, []
            for day, slot, n in self._counted(made):
                self._made(day, slot, n)
        if self.met:
            met, self.met = self.met, []
            for day, slot, n in self._counted(met):
                self._met(day, slot, n)

    def _counted(self, answers: Sequence[Answer]) -> Iterator[tuple[int, Slot, int]]:
        """What of which day appears how often, in the order of the first of each."""
        by_class = Counter(
            [
                # A number with a fraction point is no class. True and 1 are the same truth, and the same class.
                (answer[PREDICTED_AT] // DAY, None if type(answer[PREDICTION]) is float else answer[PREDICTION])
                for answer in answers
                if answer[PREDICTION] is not None
            ]
        )
        for (day, label), n in by_class.items():
            yield int(day), TOTAL, n
            if label is not None:
                yield int(day), Slot(None, label), n
        for name in self._names:
            by_value = Counter(
                [
                    (answer[PREDICTED_AT] // DAY, segment[name])
                    for answer in answers
                    if (segment := answer[SEGMENT]) and name in segment and answer[PREDICTION] is not None
                ]
            )
            for (day, value), n in by_value.items():
                yield int(day), Slot(name, value), n

    def _made(self, day: int, slot: Slot, n: int) -> None:
        if day > self.latest:
            self.latest = day
            for old in [old for old in self._by_day if old <= day - KEEP_DAYS]:
                del self._by_day[old]
        elif day <= self.latest - KEEP_DAYS:
            return
        place = 2 * self._place(slot)
        row = self._by_day.setdefault(day, [])
        if len(row) < place + 2:
            row.extend([0] * (place + 2 - len(row)))
        row[place] += n
        self._changed = True

    def _met(self, day: int, slot: Slot, n: int) -> None:
        row = self._by_day.get(day)
        index = self._slots.get(slot)
        if index is None:
            index = self._slots.get(Slot(slot.name, OTHER))
        # What was predicted before there were such counts is not counted when its truth comes.
        if row is not None and index is not None and 2 * index + 1 < len(row):
            row[2 * index + 1] += n
            self._changed = True

    def _place(self, slot: Slot) -> int:
        index = self._slots.get(slot)
        if index is None:
            if sum(1 for known in self._slots if known.name == slot.name and not known.is_total) >= MOST_VALUES:
                slot = Slot(slot.name, OTHER)
            index = self._slots.setdefault(slot, len(self._slots))
        return index

    def of(self, day: int) -> dict[Slot, tuple[int, int]]:
        """(predictions, of them with their truth) by slot, of the predictions of this day."""
        row = self._by_day.get(day, ())
        return {
            slot: (row[2 * index], row[2 * index + 1])
            for slot, index in self._slots.items()
            if 2 * index < len(row) and row[2 * index]
        }

    def __contains__(self, slot: Slot) -> bool:
        return slot in self._slots

    def begin_anew(self) -> None:
        """Forget all of it."""
        self.latest, self._slots, self._by_day, self._changed = -1, {TOTAL: 0}, {}, True

    def forget_unused(self) -> None:
        """Make room for other values where some have not been seen on any day that is kept."""
        used = {
            index
            for row in self._by_day.values()
            for index in range(len(row) // 2)
            if row[2 * index] or row[2 * index + 1]
        }
        kept = [(slot, index) for slot, index in self._slots.items() if slot.is_total or index in used]
        if len(kept) == len(self._slots):
            return
        self._by_day = {
            day: [row[2 * index + part] if 2 * index + part < len(row) else 0 for _, index in kept for part in (0, 1)]
            for day, row in self._by_day.items()
        }
        self._slots = {slot: place for place, (slot, _) in enumerate(kept)}
        self._changed = True

    # -- saving -----------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """All of it is to be saved."""
        self._changed = True

    def changes(self) -> list[Any] | None:
        """Plain values, for `restore`, where anything changed since the last call."""
        self.count()
        if not self._changed:
            return None
        self._changed = False
        return [self.latest, [list(slot) for slot in self._slots], sorted(self._by_day.items())]

    def restore(self, data: Sequence[Any]) -> None:
        """Take back what `changes` gave; values of segments that are no longer configured go with their days."""
        self.latest, slots, by_day = data
        self._slots = {Slot(*slot): index for index, slot in enumerate(slots)}
        self._by_day = {day: list(row) for day, row in by_day}
