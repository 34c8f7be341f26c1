"""HDDM_A: the mean of the mistakes, held against where it was lowest, by Hoeffding's bound.

The same as `river.drift.binary.HDDMA` with its defaults, alarm for alarm; River's copies an object, by way of
introspection, each time the lowest point moves, which is every other value.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any, Self

from river.base import BinaryDriftAndWarningDetector
from river.drift import binary as rivers


class HDDMA(BinaryDriftAndWarningDetector):
    """Alarms when the mean since the start lies above the mean at its lowest point by more than chance explains.

    The lowest point is where mean + bound was least. For n values the bound is sqrt(ln(1/δ) / 2n); the difference of
    the two means is held against sqrt(m/2 ln(2/δ)), m = 1/n_lowest - 1/n. After an alarm it begins anew. One-sided.
    Source: Frías-Blanco et al. (2015), "Online and non-parametric drift detection methods based on Hoeffding's bounds".

    >>> import random
    >>> rng = random.Random(1)
    >>> detector = HDDMA()
    >>> for i in range(2_000):
    ...     detector.update(rng.random() < (0.1 if i < 1_000 else 0.3))
    ...     if detector.drift_detected:
    ...         print(f"alarm at {i}")
    alarm at 1058
    alarm at 1741
    """

    def __init__(self, drift_confidence: float = 0.001, warning_confidence: float = 0.005) -> None:
        super().__init__()
        self.drift_confidence = drift_confidence
        self.warning_confidence = warning_confidence
        self._begin()

    @classmethod
    def from_river(cls, detector: rivers.HDDMA) -> Self:
        """The same detector at the same place of the stream."""
        own = cls(detector.drift_confidence, detector.warning_confidence)
        own._drift_detected, own._warning_detected = detector.drift_detected, detector.warning_detected
        own._n, own._mean = int(detector._z.n), detector._z.get()
        own._lowest_n, own._lowest_mean = int(detector._x_min.n), detector._x_min.get()
        if own._lowest_n:
            own._lowest = own._lowest_mean + own._bound(own._lowest_n)
        return own

    def snapshot(self) -> list[Any]:
        """The whole state as plain values, for `restore`."""
        said = [self._drift_detected, self._warning_detected]
        return [*said, self._n, self._mean, self._lowest_n, self._lowest_mean, self._lowest]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> Self:
        """The detector that `snapshot` was taken of; it continues bit for bit."""
        own = cls()
        own._drift_detected, own._warning_detected, own._n, own._mean = data[:4]
        own._lowest_n, own._lowest_mean, own._lowest = data[4:]
        return own

    def _bound(self, n: int) -> float:
        return math.sqrt(1.0 / (2 * n) * math.log(1.0 / self.drift_confidence))

    def _begin(self) -> None:
        self._drift_detected = self._warning_detected = False
        self._n = self._lowest_n = 0
        self._mean = self._lowest_mean = 0.0
        #: mean + bound at the lowest point.
        self._lowest = math.inf

    def update(self, x: bool) -> None:
        """Take whether one answer was wrong."""
        if self._drift_detected:
            self._begin()
        self._n = n = self._n + 1
        self._mean = mean = self._mean + (1.0 / n) * (x - self._mean)
        bounded = mean + self._bound(n)
        if self._lowest >= bounded:
            self._lowest, self._lowest_n, self._lowest_mean = bounded, n, mean
            self._warning_detected = False
            return
        lowest = self._lowest_n
        risen = mean - self._lowest_mean
        halved = (n - lowest) / lowest * (1.0 / n) / 2
        self._drift_detected = risen >= math.sqrt(halved * math.log(2.0 / self.drift_confidence))
        self._warning_detected = not self._drift_detected and risen >= math.sqrt(
            halved * math.log(2.0 / self.warning_confidence)
        )
