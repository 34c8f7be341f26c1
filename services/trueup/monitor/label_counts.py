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
#: So many answers are counted one by one.
FEW = 3
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

    __slots__ = ("_by_day", "_changed", "_values", "latest", "made", "met", "names")

    def __init__(self, names: Sequence[str]) -> None:
        self.names = tuple(dict.fromkeys(names))
        #: Of the classes (None) and of each name of a segment: value -> its place in a row.
        self._values: dict[str | None, dict[Any, int]] = {name: {} for name in (None, *self.names)}
        #: Day (since 1970) -> its rows: of all, of the classes, of each name; predictions and truths of each value.
        self._by_day: dict[int, list[list[int]]] = {}
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
        if len(answers) <= FEW:
            for answer in answers:
                if answer[PREDICTION] is not None:
                    yield from self._slots_of(answer)
            return
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
        for name in self.names:
            by_value = Counter(
                [
                    (answer[PREDICTED_AT] // DAY, segment[name])
                    for answer in answers
                    if (segment := answer[SEGMENT]) and name in segment and answer[PREDICTION] is not None
                ]
            )
            for (day, value), n in by_value.items():
                yield int(day), Slot(name, value), n

    def _slots_of(self, answer: Answer) -> Iterator[tuple[int, Slot, int]]:
        """The same of one answer: where there are few, counting them together costs more than it saves."""
        day, label, segment = int(answer[PREDICTED_AT] // DAY), answer[PREDICTION], answer[SEGMENT]
        yield day, TOTAL, 1
        if type(label) is not float:
            yield day, Slot(None, label), 1
        if segment:
            for name in self.names:
                if name in segment:
                    yield day, Slot(name, segment[name]), 1

    def _made(self, day: int, slot: Slot, n: int) -> None:
        # A value has its place from when it is first seen, also where that day is over: so it goes by the order alone.
        place = 2 * self._place(slot)
        self._changed = True
        if day > self.latest:
            self.latest = day
            for old in [old for old in self._by_day if old <= day - KEEP_DAYS]:
                del self._by_day[old]
        elif day <= self.latest - KEEP_DAYS:
            return
        rows = self._by_day.get(day)
        if rows is None:
            rows = self._by_day[day] = [[0, 0], *[[] for _ in self._values]]
        row = rows[self._row(slot)]
        if len(row) < place + 2:
            row.extend([0] * (place + 2 - len(row)))
        row[place] += n

    def _met(self, day: int, slot: Slot, n: int) -> None:
        rows = self._by_day.get(day)
        values = self._values[slot.name]
        index = 0 if slot.is_total else values.get(slot.value, values.get(OTHER))
        # What was predicted before there were such counts is not counted when its truth comes.
        if rows is not None and index is not None and 2 * index + 1 < len(row := rows[self._row(slot)]):
            row[2 * index + 1] += n
            self._changed = True

    def _row(self, slot: Slot) -> int:
        if slot.name is None:
            return 0 if slot.is_total else 1
        return 2 + self.names.index(slot.name)

    def _place(self, slot: Slot) -> int:
        if slot.is_total:
            return 0
        values, value = self._values[slot.name], slot.value
        if value not in values and len(values) >= MOST_VALUES:
            value = OTHER
        return values.setdefault(value, len(values))

    def of(self, day: int) -> dict[Slot, tuple[int, int]]:
        """(predictions, of them with their truth) by slot, of the predictions of this day."""
        rows = self._by_day.get(day)
        if rows is None:
            return {}
        found = {TOTAL: (rows[0][0], rows[0][1])}
        for (name, values), row in zip(self._values.items(), rows[1:], strict=True):
            for value, index in values.items():
                if 2 * index < len(row) and row[2 * index]:
                    found[Slot(name, value)] = (row[2 * index], row[2 * index + 1])
        return found

    def made_of(self, name: str, day: int) -> Counter[str]:
        """How many predictions of this day had which value of a segment's name."""
        rows = self._by_day.get(day)
        if rows is None:
            return Counter()
        row = rows[2 + self.names.index(name)]
        return Counter({value: n for value, n in zip(self._values[name], row[::2], strict=False) if n})

    def __contains__(self, slot: Slot) -> bool:
        return slot.is_total or slot.value in self._values.get(slot.name, ())

    def begin_anew(self) -> None:
        """Forget all of it."""
        self.latest, self._values, self._by_day = -1, {name: {} for name in self._values}, {}
        self._changed = True

    def forget_unused(self) -> None:
        """Make room for other values where some have not been seen on any day that is kept."""
        for at, (name, values) in enumerate(self._values.items(), start=1):
            rows = [of[at] for of in self._by_day.values()]
            used = {index for row in rows for index in range(len(row) // 2) if row[2 * index]}
            if len(used) == len(values):
                continue
            kept = [(value, index) for value, index in values.items() if index in used]
            for row in rows:
                row[:] = [n for _, index in kept for n in row[2 * index : 2 * index + 2]]
            self._values[name] = {value: place for place, (value, _) in enumerate(kept)}
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
        values = [[name, list(of)] for name, of in self._values.items()]
        return [self.latest, values, sorted(self._by_day.items())]

    def restore(self, data: Sequence[Any]) -> None:
        """Take back what `changes` gave, of the names that are still configured."""
        self.latest, saved, by_day = data
        values = {name: {value: index for index, value in enumerate(of)} for name, of in saved}
        places = {name: at for at, name in enumerate(values, start=1)}
        self._values = {name: values.get(name, {}) for name in self._values}
        for day, rows in by_day:
            kept = [list(rows[places[name]]) if name in places else [] for name in self._values]
            self._by_day[day] = [list(rows[0]), *kept]
