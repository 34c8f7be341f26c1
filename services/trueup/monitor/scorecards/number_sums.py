"""Sums over predicted and actual numbers, from which a regression's metrics come."""

from __future__ import annotations

from dataclasses import astuple, dataclass
from typing import Any

from trueup.monitor.outcome import LARGEST_ERROR

#: Squares are taken for at most this one before they are squared again.
_LARGEST_SQUARE = 1e140


@dataclass(slots=True)
class NumberSums:
    """Two of them merge by adding; floats, added in the order in which outcomes came.

    `error` is prediction - actual. `actual` is summed as its distance from an origin within the data, that is the same
    for all sums of a version: the variance of numbers far from 0 would drown in rounding.
    """

    n: int = 0
    actual: float = 0.0
    actual_squared: float = 0.0
    error: float = 0.0
    absolute: float = 0.0
    squared: float = 0.0
    to_the_fourth: float = 0.0

    def add(self, prediction: float, actual: float, origin: float, sign: int = 1) -> None:
        """Count one in, or out again (`sign` -1)."""
        error = _bounded(prediction - actual)
        distance = _bounded(actual - origin)
        squared = error * error
        self.n += sign
        self.actual += sign * distance
        self.actual_squared += sign * distance * distance
        self.error += sign * error
        self.absolute += sign * abs(error)
        self.squared += sign * squared
        self.to_the_fourth += sign * min(squared, _LARGEST_SQUARE) ** 2

    def merge(self, other: NumberSums, sign: int = 1) -> None:
        """Add all that `other` counted, or take it back."""
        self.n += sign * other.n
        self.actual += sign * other.actual
        self.actual_squared += sign * other.actual_squared
        self.error += sign * other.error
        self.absolute += sign * other.absolute
        self.squared += sign * other.squared
        self.to_the_fourth += sign * other.to_the_fourth

    def snapshot(self) -> list[Any]:
        """Plain values; `NumberSums(*snapshot)` is the same again."""
        return list(astuple(self))


def _bounded(value: float) -> float:
    return min(max(value, -LARGEST_ERROR), LARGEST_ERROR)
