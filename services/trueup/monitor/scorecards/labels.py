"""The labels of one version, numbered in the order in which they first came: at most so many, the rest is one."""

from __future__ import annotations

from collections.abc import Sequence

from trueup.monitor.outcome import Label

#: Labels that are kept apart: a bucket then has at most some hundred pairs of them.
MOST_LABELS = 20
#: Longer labels are counted with the rest: they would be kept for ever.
MOST_CHARACTERS = 200
#: The number of what is beyond the cap.
REST = MOST_LABELS
#: The actual label of a wrong answer where both labels are beyond the cap: they are two labels.
ANOTHER = MOST_LABELS + 1
#: A pair of labels is predicted * this + actual.
PAIR = 32


class Labels:
    """Label -> number. 1, 1.0 and True are the same label, as they are the same answer."""

    __slots__ = ("_numbers",)

    def __init__(self, labels: Sequence[Label] = ()) -> None:
        self._numbers: dict[Label, int] = {label: number for number, label in enumerate(labels)}

    def pair(self, predicted: Label, actual: Label) -> int:
        """The number of a pair, whose labels get a number where they have none and there is room."""
        first, second = self._number(predicted), self._number(actual)
        if first == second == REST and predicted != actual:
            second = ANOTHER
        return first * PAIR + second

    def _number(self, label: Label) -> int:
        number = self._numbers.get(label)
        if number is None:
            number = len(self._numbers)
            if number >= MOST_LABELS or (isinstance(label, str) and len(label) > MOST_CHARACTERS):
                return REST
            self._numbers[label] = number
        return number

    def find(self, label: Label) -> int | None:
        """The number of a label, None where it has none."""
        return self._numbers.get(label)

    def known(self) -> list[Label]:
        """The labels by number; `Labels(known)` is the same again."""
        return list(self._numbers)
