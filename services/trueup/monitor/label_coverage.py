"""Whether the truths come as they use to: of all predictions, of each class that is predicted, of each segment.

Once a day, soon after its first predictions came, the share of predictions with their truth is noted for those of 1, 2,
4, 7, 14 and 28 days ago, and held against that of earlier days *at the same age*:

    made on         3 Jan   4 Jan   5 Jan   6 Jan   7 Jan
    one day later    92 %    95 %    94 %    93 %    21 %  <- fell
    two days later   99 %    99 %    98 %    99 %

A day has *fallen* where it lies too far below those before (`usual_coverage`) at `ALPHA`, shared by all that is looked
at on that day. A second day in a row confirms it. So a model whose days are alike is told of falsely on one day in
10,000 at most, and by far less often where its days are independent. A day that fell does not become part of the
reference, and is not held against anything at a later age: it is known. What stays so for four weeks is how it is, and
a new reference is learned. So it is when for a week the days came to be looked at late, or early: predictions that come
in batches of a day are all there at the first look.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Literal, NamedTuple

from trueup.monitor.cohorts import day_name
from trueup.monitor.label_counts import TOTAL, LabelCounts, Slot
from trueup.monitor.usual_coverage import Reference
from trueup.monitor.windows import DAY, HOUR

MissingLabels = Literal["label_coverage", "labels_of_class", "labels_of_segment"]

#: In days.
AGES = (1, 2, 4, 7, 14, 28)
#: Of a false word on one day of one model.
ALPHA = 1e-4
#: Labels that are missing in one part are those that are missing in another, where they are not more by so much.
SAME_LABELS = 1.25
CONFIRMED_BY = 2
#: After so many fallen days this is how it is.
NEW_NORMAL_DAYS = 28
#: A look is early while no more than this share of the day before has come: later, everything is older than usual.
EARLY_SHARE = 0.25
#: Where predictions come in batches of a day, no look is early: after so many in a row that is how it is.
OTHER_LOOKS = 7
#: Values that a sentence names.
MOST_NAMED = 5


class Fall(NamedTuple):
    """Days in a row that had fallen at one age, up to the latest: how many, and the first and latest of them."""

    days: int
    first: int
    latest: int
    predictions: int
    truths: int


class Told(NamedTuple):
    """Labels began to be missing, or came back."""

    missing: MissingLabels
    #: The name of the segment, and the values of it or the classes of which truths are missing.
    segment: str | None
    values: tuple[str, ...]
    since: float
    detail: str
    ended: bool


class Lack(NamedTuple):
    """What the values of one kind that fell on a day have left of their usual truths, how many values, what they lack.

    Where the labels of one value stop, others that have to do with it lack some too, and keep more:

        UA 0 of 167, usually 82 %: lacks 137 <── EWR, from where it flies: 193 of 328, usually 89 %: lacks 99
    """

    left: float
    values: int
    truths: float


#: What is missing, and of which segment.
Kind = tuple[MissingLabels, str | None]


class LabelCoverage:
    """The coverage of one model's labels, looked at once a day. Nothing is said of days with too little."""

    __slots__ = (
        "_changed",
        "_falls",
        "_known",
        "_late",
        "_others",
        "_references",
        "_retry_at",
        "blind",
        "counts",
        "looked",
    )

    def __init__(self, names: Sequence[str]) -> None:
        self.counts = LabelCounts(names)
        #: The latest day on which it was looked at.
        self.looked = -1
        #: Since when (event time) what is missing.
        self.blind: dict[Kind, float] = {}
        self._references: dict[tuple[int, Slot], Reference] = {}
        self._falls: dict[tuple[int, Slot], Fall] = {}
        #: The days that had fallen, at whatever age.
        self._known: dict[Slot, list[int]] = {}
        #: Whether days are looked at late, and how many looks in a row were not so.
        self._late = False
        self._others = 0
        self._changed = False
        #: Not saved: a look at another time finds nothing to do.
        self._retry_at = 0.0

    @property
    def next_look(self) -> float:
        """The earliest time at which `look` may have something to do."""
        return max(self._retry_at, (self.looked + 1) * DAY + HOUR)

    def look(self, now: float, *, hour_began: bool, classes: bool) -> list[Told]:
        """What began to be missing or came back; `classes`: whether what is predicted are classes.

        Acts on the first tick of an hour alone, whenever else it is called.
        """
        today = int(now // DAY)
        self._retry_at = (now // HOUR + 1) * HOUR
        if not hour_began or today <= self.looked or now - today * DAY < HOUR:
            return []
        self.counts.count()
        if self.counts.latest > today + 1:
            self.counts.begin_anew()  # of a producer's clock that was far ahead
        if self.counts.latest < today:
            return []  # nothing of today came as yet: no traffic, or the worker is behind
        self.looked, self._changed = today, True
        if not self._is_as_others(today):
            return []
        self._forget(today)
        return self._tell(self._see_all(today, classes))

    def _is_as_others(self, today: int) -> bool:
        """Whether this look is as early, or as late, as those that were learned from; else it is none.

        Once that has changed for good, what was learned is of no use.
        """
        came, before = (self.counts.of(day).get(TOTAL, (0, 0))[0] for day in (today, today - 1))
        if not before:
            return False
        late = came > EARLY_SHARE * before
        self._others = self._others + 1 if late != self._late else 0
        if self._others >= OTHER_LOOKS or (self._others and not self._references):
            self._late, self._others = late, 0
            self._references, self._falls = {}, {}
        return not self._others

    def _forget(self, today: int) -> None:
        """What has not been seen for as long as days are kept."""
        self.counts.forget_unused()
        self._references = {at: one for at, one in self._references.items() if at[1] in self.counts}
        self._falls = {at: fall for at, fall in self._falls.items() if at[1] in self.counts}
        recent = {slot: [day for day in days if day >= today - AGES[-1]] for slot, days in self._known.items()}
        self._known = {slot: days for slot, days in recent.items() if days and slot in self.counts}

    def _see_all(self, today: int, classes: bool) -> set[tuple[int, Slot]]:
        """Look at the days of each age; where a slot is as usual."""
        days = {age: self.counts.of(today - age) for age in AGES}
        alpha = ALPHA / max(1, sum(len(of) for of in days.values()))
        usual: set[tuple[int, Slot]] = set()
        for age, of in days.items():
            for slot, (predictions, truths) in of.items():
                if today - age in self._known.get(slot, ()) or (slot.is_class and not classes):
                    continue
                reference = self._references.setdefault((age, slot), Reference())
                seen = reference.see(predictions, truths, alpha)
                if seen == "fallen":
                    self._fell(age, slot, today - age, (predictions, truths))
                    continue
                reference.add(predictions, truths)
                if seen != "too_little":
                    self._falls.pop((age, slot), None)
                if seen == "usual":
                    usual.add((age, slot))
        return usual

    def _fell(self, age: int, slot: Slot, day: int, share: tuple[int, int]) -> None:
        before = self._falls.get((age, slot))
        days, first = (1, day) if before is None else (before.days + 1, before.first)
        if days > NEW_NORMAL_DAYS:
            self._references = {at: one for at, one in self._references.items() if at[1] != slot}
            self._falls = {at: fall for at, fall in self._falls.items() if at[1] != slot}
        else:
            self._falls[age, slot] = Fall(days, first, day, *share)
            self._known.setdefault(slot, []).append(day)

    # -- what is told -----------------------------------------------------------------------------------------------

    def _tell(self, usual: set[tuple[int, Slot]]) -> list[Told]:
        fallen: dict[Kind, list[tuple[int, Slot]]] = {}
        for at, fall in self._falls.items():
            if fall.days >= CONFIRMED_BY:
                fallen.setdefault(_kind(at[1]), []).append(at)
        ended = [kind for kind in self.blind if kind not in fallen]
        told = [Told(*kind, (), self.blind.pop(kind), "", True) for kind in ended]
        # What is said of some values alone explains what is missing in all.
        for kind in sorted(fallen, key=_narrow_first):
            new = kind not in self.blind and self._is_worth_telling(kind, fallen[kind], usual)
            if new and not self._is_part_of_another(kind, fallen[kind]):
                told += [self._begin(kind, fallen[kind])]
        return told

    def _is_worth_telling(self, kind: Kind, fallen: Sequence[tuple[int, Slot]], usual: set[tuple[int, Slot]]) -> bool:
        """Of all: where no part of them explains it. Of some values: where those of others come as usual."""
        if kind == _kind(TOTAL):
            return not self.blind
        ages = {age for age, _ in fallen}
        return any(age in ages and _kind(slot) == kind for age, slot in usual)

    def _latest(self, fallen: Sequence[tuple[int, Slot]]) -> dict[Slot, int]:
        """Each that fell, with the least age at which it did."""
        ages: dict[Slot, int] = {}
        for age, slot in sorted(fallen, key=lambda at: at[0]):
            ages.setdefault(slot, age)
        return ages

    def _is_part_of_another(self, kind: Kind, fallen: Sequence[tuple[int, Slot]]) -> bool:
        """Whether what is missing may well be what another kind lacks, whose values have less left."""
        age, slot = min(fallen, key=lambda at: at[0])
        lacks = self._lacks(age, self._falls[age, slot].latest)
        if kind not in lacks:
            return False
        own = lacks[kind], *_narrow_first(kind)
        others = [other for of, other in lacks.items() if (other, *_narrow_first(of)) < own]
        return any(lacks[kind].truths <= SAME_LABELS * other.truths for other in others)

    def _lacks(self, age: int, day: int) -> dict[Kind, Lack]:
        """What the values lack at this age of which it is known that they had fallen on this day."""
        sums: dict[Kind, tuple[float, int, int]] = {}
        for slot, (predictions, truths) in self.counts.of(day).items():
            reference = self._references.get((age, slot))
            if slot.is_total or reference is None or day not in self._known.get(slot, ()):
                continue
            usually, values, met = sums.get(_kind(slot), (0.0, 0, 0))
            sums[_kind(slot)] = (usually + predictions * reference.coverage, values + 1, met + truths)
        return {kind: Lack(met / usually, values, usually - met) for kind, (usually, values, met) in sums.items()}

    def _begin(self, kind: Kind, fallen: Sequence[tuple[int, Slot]]) -> Told:
        since = min(self._falls[at].first for at in fallen) * DAY
        self.blind[kind] = since
        worst = self._latest(fallen)
        values = tuple(sorted(_named(slot) for slot in worst if not slot.is_total))
        sentences = [self._sentence(age, slot) for slot, age in sorted(worst.items(), key=lambda item: _named(item[0]))]
        more = len(sentences) - MOST_NAMED
        detail = "; ".join(sentences[:MOST_NAMED]) + (f"; and {more} more" if more > 0 else "")
        return Told(*kind, values, since, detail + ".", False)

    def _sentence(self, age: int, slot: Slot) -> str:
        fall = self._falls[age, slot]
        of = "" if slot.is_total else f" with {slot.name or 'prediction'} {_named(slot)}"
        return (
            f"{fall.truths} of the {fall.predictions} predictions{of} of {day_name(fall.latest)} had their truth "
            f"{age} {'day' if age == 1 else 'days'} later, usually {self._references[age, slot].coverage:.1%} have"
        )

    # -- saving -----------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """All of it is to be saved."""
        self._changed = True
        self.counts.touch()

    def changes(self) -> list[Any] | None:
        """Plain values, for `restore`, without the counts, where anything changed since the last call."""
        if not self._changed:
            return None
        self._changed = False
        references = [
            [age, *slot, one.days, one.predictions, one.truths, one.squares, one.lowest]
            for (age, slot), one in self._references.items()
        ]
        falls = [[age, *slot, *fall] for (age, slot), fall in self._falls.items()]
        known = [[*slot, days] for slot, days in self._known.items()]
        blind = [[*kind, since] for kind, since in self.blind.items()]
        return [self.looked, references, falls, known, blind, self._late, self._others]

    def restore(self, data: Sequence[Any]) -> None:
        """Take back what `changes` gave."""
        self.looked, references, falls, known, blind = data[:5]
        self._late, self._others = data[5:] or (False, 0)
        self._references = {(age, Slot(name, value)): _reference(sums) for age, name, value, *sums in references}
        self._falls = {(age, Slot(name, value)): Fall(*fall) for age, name, value, *fall in falls}
        self._known = {Slot(name, value): list(days) for name, value, days in known}
        self.blind = {(missing, segment): since for missing, segment, since in blind}

    @property
    def shown(self) -> Mapping[str, float]:
        """What is missing since when, in words."""
        return {missing + (f":{segment}" if segment else ""): since for (missing, segment), since in self.blind.items()}


def _kind(slot: Slot) -> Kind:
    if slot.is_total:
        return "label_coverage", None
    return ("labels_of_class", None) if slot.name is None else ("labels_of_segment", slot.name)


def _narrow_first(kind: Kind) -> tuple[bool, str, str]:
    missing, segment = kind
    return missing == "label_coverage", missing, segment or ""


def _reference(sums: Sequence[float]) -> Reference:
    """As it was saved; where its lowest day was not, as well as if nothing had come on it."""
    days, predictions, truths, squares, *lowest = sums
    return Reference(days, predictions, truths, squares, *(lowest or [0.0]))


def _named(slot: Slot) -> str:
    """A value as it is written: JSON's words for truth values."""
    return str(slot.value).lower() if isinstance(slot.value, bool) else str(slot.value)
