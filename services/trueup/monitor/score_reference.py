"""What is learned of a version's scores from its first outcomes: how often the positive class is true at each."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.monitor.config import ModelConfig
from trueup.monitor.windows import DAY
from trueup.statistics.calibration import LABELLED, POSITIVE, Calibration, Quality, actual_quality, surer_is_worse


class ScoreReference:
    """Takes outcomes until there are as many, over as many days of label time, as the e-detector learns from."""

    __slots__ = (
        "_calibration",
        "_config",
        "_counts",
        "_quality",
        "_surer_is_worse",
        "changed",
        "complete",
        "from_at",
        "last_day",
        "n",
        "to_at",
    )

    def __init__(self, config: ModelConfig) -> None:
        self._config = config
        self._counts: dict[int, int] = {}
        self._calibration: Calibration | None = None
        self._quality: Quality | None = None
        self._surer_is_worse: bool | None = None
        self.n = 0
        #: Label times of the first and the latest outcome.
        self.from_at: float | None = None
        self.to_at: float | None = None
        #: The last day (since 1970) on which one of them was predicted.
        self.last_day = 0
        self.complete = False
        #: Whether it is to be saved.
        self.changed = False

    @property
    def calibration(self) -> Calibration | None:
        """The chance of the positive class by score; None until there are outcomes enough."""
        if self._calibration is None and self.complete:
            self._calibration = Calibration(self._counts)
        return self._calibration

    @property
    def quality(self) -> Quality:
        """How good the predictions of the reference were; what is expected of those that come."""
        if not self.complete:
            return actual_quality(self._counts)
        if self._quality is None:
            self._quality = actual_quality(self._counts)
        return self._quality

    @property
    def surer_is_worse(self) -> bool:
        """Whether low scores came true the more often, the lower they are; False until there are outcomes enough."""
        if self._surer_is_worse is None and self.complete:
            self._surer_is_worse = surer_is_worse(self._counts)
        return bool(self._surer_is_worse)

    def add(self, key: int, *, positive: bool, observed_at: float, day: int) -> None:
        """Learn from one outcome, its score counted under `key`, predicted on that day; nothing once it is complete."""
        if self.complete:
            return
        counts = self._counts
        counts[key + LABELLED] = counts.get(key + LABELLED, 0) + 1
        if positive:
            counts[key + POSITIVE] = counts.get(key + POSITIVE, 0) + 1
        self.n += 1
        self.changed = True
        from_at, to_at = self.from_at, self.to_at
        if from_at is None or observed_at < from_at:
            self.from_at = from_at = observed_at
        if to_at is None or observed_at > to_at:
            self.to_at = to_at = observed_at
        if day > self.last_day:
            self.last_day = day
        if self.n >= self._config.reference_labels:
            self.complete = to_at - from_at >= self._config.reference_days * DAY

    def snapshot(self) -> dict[str, Any]:
        """Plain values, for `restore`."""
        return {
            "counts": self._counts,
            "n": self.n,
            "span": [self.from_at, self.to_at],
            "last_day": self.last_day,
            "complete": self.complete,
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back what `snapshot` gave; what is complete stays so, whatever is configured now."""
        self._counts = dict(data["counts"])
        self.n = data["n"]
        self.from_at, self.to_at = data["span"]
        self.last_day = data["last_day"]
        self.complete = data["complete"]
