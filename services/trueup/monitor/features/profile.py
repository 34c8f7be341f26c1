"""What one column of values (a feature, the scores) held over some time: counts that merge by adding."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from hashlib import blake2b
from itertools import compress
from math import isfinite
from typing import Any

from trueup.monitor.features.histogram import Histogram
from trueup.monitor.segments import OTHER

#: Values of text that are counted apart; the rest is `__other__`.
MOST_CATEGORIES = 100
#: A longer text is told apart by its beginning and a hash of all of it.
_LONG = 64
_NUMBERS = frozenset((float, int))
_COUNTED = frozenset((float, int, str, bool))


class Profile:
    """Counts of one column over some time: what was missing, which types came, which numbers, which texts."""

    __slots__ = ("categories", "missing", "n", "numbers", "texts", "truths")

    def __init__(self) -> None:
        #: Values, missing ones among them.
        self.n = 0
        self.missing = 0
        self.texts = 0
        self.truths = 0
        self.numbers = Histogram()
        #: Text, or truth value, -> how often; in the order in which they first came.
        self.categories: dict[str, int] = {}

    def add_all(self, values: Sequence[Any]) -> None:
        """Count these: numbers, texts, truth values; None, and what is none of them, is missing."""
        self.n += len(values)
        types = list(map(type, values))
        kinds = set(types)
        if kinds <= _NUMBERS:
            self._numbers(values)
            return
        if kinds == {str}:
            self.texts += len(values)
            self._categories(Counter(values))
            return
        self._numbers(list(compress(values, [kind is float or kind is int for kind in types])))
        named = list(compress(values, [kind is str or kind is bool for kind in types]))
        truths = types.count(bool)
        self.texts += len(named) - truths
        self.truths += truths
        self.missing += len([kind for kind in types if kind not in _COUNTED])
        self._categories(Counter([str(value).lower() if value is True or value is False else value for value in named]))

    def _numbers(self, values: Sequence[Any]) -> None:
        if not values:
            return
        numbers = list(map(float, values))
        if not all(map(isfinite, numbers)):
            numbers = [number for number in numbers if isfinite(number)]
            self.missing += len(values) - len(numbers)
        self.numbers.add_all(numbers)

    def _categories(self, found: Mapping[str, int]) -> None:
        categories = self.categories
        for value, n in found.items():
            value = shortened(value)
            if value not in categories and len(categories) >= MOST_CATEGORIES:
                value = OTHER
            categories[value] = categories.get(value, 0) + n

    def merge(self, other: Profile) -> None:
        """Count all that the other one counted."""
        self.n += other.n
        self.missing += other.missing
        self.texts += other.texts
        self.truths += other.truths
        self.numbers.merge(other.numbers)
        self._categories(other.categories)

    # -- what is read from it ---------------------------------------------------------------------------------------

    @property
    def present(self) -> int:
        """Values that were there."""
        return self.n - self.missing

    @property
    def missing_share(self) -> float:
        """Share of the values that were missing, 0 where there are none."""
        return self.missing / self.n if self.n else 0.0

    @property
    def kinds(self) -> dict[str, int]:
        """How many values of each type there were."""
        return {"number": self.numbers.n, "text": self.texts, "truth value": self.truths}

    @property
    def kind(self) -> str:
        """The type of most of its values."""
        kinds = self.kinds
        return max(kinds, key=lambda kind: kinds[kind])

    @property
    def only_value(self) -> str | None:
        """The value that all present ones have, as far as they can be told apart; None where there are several."""
        if self.numbers.distinct + len(self.categories) != 1 or OTHER in self.categories:
            return None
        return next(iter(self.categories), None) or f"{self.numbers.low:g}"

    @property
    def largest_share(self) -> float:
        """The share that the commonest value, or bucket of numbers, has among the present ones."""
        most = max([*self.numbers.counts.values(), *self.categories.values()], default=0)
        return most / self.present if self.present else 0.0

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        numbers = self.numbers.snapshot() if self.numbers.n else None
        return [self.n, self.missing, self.texts, self.truths, numbers, list(self.categories.items())]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> Profile:
        """The same again."""
        found = cls()
        found.n, found.missing, found.texts, found.truths, numbers, categories = data
        if numbers is not None:
            found.numbers = Histogram.restore(numbers)
        found.categories = dict(categories)
        return found


def shortened(value: Any) -> Any:
    """A value as it is counted: a long text by its beginning and a hash of all of it, all else as it is."""
    if isinstance(value, str) and len(value) > _LONG:
        return f"{value[:40]}…{blake2b(value.encode(), digest_size=8).hexdigest()}"
    return value
