"""The e-detector on any stream of numbers: of each value it takes the rank among the first ones.

An e-detector wants values in [0, 1] and sees a rise of their mean. A rank is such a value, whatever the unit of the
stream; a second e-detector takes it upside down and sees a fall.

    values ── first 256 ──> cut points
           ── later ones ─> rank in 0..1 ─┬─> e-detector: it rose
                                          └─> 1 - rank ─> e-detector: it fell
"""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections.abc import Mapping
from typing import Any, Self

from river.base import DriftAndWarningDetector

from trueup.monitor.detectors.e_detector import EDetector, EDetectorConfig

#: The values that say what a rank is, and how many of them are kept.
_RANKED_BY = 256
_EVERY = 8
#: It informs: one false alarm in a million values, half of it for each side.
_CONFIG = EDetectorConfig(min_labels=2_000, min_days=0.0, budget_per_event=0.5e-6)


class RankedEDetector(DriftAndWarningDetector):
    """Watches any stream of numbers for a lasting shift, at one false alarm in a million values.

    The first 256 values say what a rank is, for ever; from the next 2,000 ranks their mean is learned, and after an
    alarm anew. What the mean of the ranks does not show, such as a spread that widens on both sides, it does not see.

    >>> import random
    >>> rng = random.Random(1)
    >>> detector = RankedEDetector()
    >>> for i in range(12_000):
    ...     detector.update(rng.gauss(70.0 if i < 6_000 else 66.0, 8.0))
    ...     if detector.drift_detected:
    ...         print(f"alarm at {i}")
    alarm at 6223
    """

    def __init__(self) -> None:
        super().__init__()
        self._first: list[float] | None = []
        self._cuts: list[float] = []
        self._rise, self._fall = EDetector(_CONFIG), EDetector(_CONFIG)

    def update(self, x: float) -> None:
        """Take one finite number."""
        self._drift_detected = self._warning_detected = False
        if self._first is not None:
            self._first.append(x)
            if len(self._first) == _RANKED_BY:
                self._cuts = sorted(self._first)[_EVERY // 2 :: _EVERY]
                self._first = None
            return
        cuts = self._cuts
        # Between what is below and what is not above: a value that comes often has the middle of its ranks.
        rank = (bisect_left(cuts, x) + bisect_right(cuts, x)) / (2 * len(cuts))
        rise, fall = self._rise, self._fall
        rise.update(rank)
        fall.update(1.0 - rank)
        if rise.drift_detected or fall.drift_detected:
            self._drift_detected = True
            # What the one has seen as a change, the other has to learn as well.
            for side in (rise, fall):
                side.relearn()
        else:
            self._warning_detected = rise.warning_detected or fall.warning_detected

    def snapshot(self) -> dict[str, Any]:
        """The whole state as plain values, for `restore`."""
        return {
            "first": self._first and list(self._first),
            "cuts": list(self._cuts),
            "rise": self._rise.snapshot(),
            "fall": self._fall.snapshot(),
            "said": [self._drift_detected, self._warning_detected],
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> Self:
        """The detector that `snapshot` was taken of; it continues bit for bit."""
        own = cls()
        own._cuts = list(data["cuts"])
        own._first = None if own._cuts else list(data["first"] or ())
        own._rise, own._fall = EDetector.restore(data["rise"]), EDetector.restore(data["fall"])
        own._drift_detected, own._warning_detected = data["said"]
        return own
