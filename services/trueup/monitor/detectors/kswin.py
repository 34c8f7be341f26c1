"""KSWIN: the last values against a sample of those just before them, by the test of Kolmogorov and Smirnov."""

from __future__ import annotations

import struct
from collections import deque
from collections.abc import Sequence
from typing import Any, Self

from river import drift

#: What the sampling begins with, after each alarm too: the same stream gives the same alarms.
_SEED = 1
#: The state of the Mersenne Twister: 624 words and where it is in them.
_WORDS = struct.Struct("<625I")
_TWISTER_VERSION = 3


class KSWIN(drift.KSWIN):
    """River's KSWIN with its defaults and a fixed seed, saved in plain values.

    Of the last 100 values, the last 30 are held against 30 that are drawn from the 70 before; an alarm where the
    p-value is 0.005 at most and the distance above 0.1. It sees any change of the distribution, and takes any number.
    Each value costs a hundred times what it costs the others. Source: Raab, Heusinger & Schleif (2020), "Reactive soft
    prototype computing for concept drift streams".

    >>> import random
    >>> rng = random.Random(3)
    >>> detector = KSWIN()
    >>> for i in range(600):
    ...     detector.update(rng.gauss(0.0 if i < 300 else 2.0, 1.0))
    ...     if detector.drift_detected:
    ...         print(f"alarm at {i}")
    alarm at 310
    """

    def __init__(self) -> None:
        super().__init__(seed=_SEED)

    def snapshot(self) -> list[Any]:
        """The whole state as plain values, for `restore`."""
        _, words, _ = self._rng.getstate()
        return [self._drift_detected, float(self.p_value), self.n, list(self.window), _WORDS.pack(*words)]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> Self:
        """The detector that `snapshot` was taken of; it continues bit for bit."""
        own = cls()
        own._drift_detected, own.p_value, own.n, window, words = data
        own.window = deque(window, maxlen=own.window_size)
        own._rng.setstate((_TWISTER_VERSION, _WORDS.unpack(words), None))
        return own
