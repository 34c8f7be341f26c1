"""Rolling windows over outcomes: the last N, and stretches of label time. Every window is a merge of buckets."""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from trueup.monitor.outcome import Outcome

BUCKET_SECONDS = 300
HOUR = 3_600
DAY = 86_400


@dataclass(slots=True)
class Tally:
    """Sums over outcomes; two of them merge by adding. `judged` counts those that are right or wrong at all."""

    n: int = 0
    judged: int = 0
    correct: int = 0
    error: float = 0.0
    squared: float = 0.0
    loss: float = 0.0

    def add(self, outcome: Outcome, sign: int = 1) -> None:
        """Count an outcome in, or out again (`sign` -1)."""
        self.n += sign
        if outcome.correct is not None:
            self.judged += sign
            self.correct += sign * outcome.correct
        self.error += sign * outcome.error
        self.squared += sign * outcome.error * outcome.error
        self.loss += sign * outcome.loss

    def merge(self, other: Tally) -> None:
        """Add all that `other` counted."""
        self.n += other.n
        self.judged += other.judged
        self.correct += other.correct
        self.error += other.error
        self.squared += other.squared
        self.loss += other.loss

    @property
    def accuracy(self) -> float | None:
        """Share of right answers, None where there are none to judge."""
        return self.correct / self.judged if self.judged else None

    @property
    def mean_error(self) -> float | None:
        """Mean of the errors in the model's own unit (regression: MAE; judged: 1 - mean score; labels: error rate)."""
        return self.error / self.n if self.n else None

    @property
    def root_mean_squared_error(self) -> float | None:
        """RMSE in the model's own unit."""
        return math.sqrt(max(0.0, self.squared) / self.n) if self.n else None

    @property
    def mean_loss(self) -> float | None:
        """Mean of what the detectors watch, in [0, 1]."""
        return self.loss / self.n if self.n else None

    def snapshot(self) -> list[Any]:
        """Plain values; `Tally(*snapshot)` is the same again."""
        return [self.n, self.judged, self.correct, self.error, self.squared, self.loss]


class LastOutcomes:
    """Right and wrong of the last `size` outcomes that were judged, exactly."""

    __slots__ = ("_at", "_marks", "_size", "correct")

    def __init__(self, size: int) -> None:
        self._size = size
        self._marks = bytearray()
        self._at = 0
        self.correct = 0

    @property
    def n(self) -> int:
        """How many outcomes are in the window: `size` once that many came."""
        return len(self._marks)

    def add(self, correct: bool) -> None:
        """Let one outcome in, and the oldest out when the window is full."""
        if len(self._marks) < self._size:
            self._marks.append(correct)
        else:
            self.correct -= self._marks[self._at]
            self._marks[self._at] = correct
            self._at = (self._at + 1) % self._size
        self.correct += correct

    def snapshot(self) -> list[Any]:
        return [self._size, bytes(self._marks), self._at]

    @classmethod
    def restore(cls, data: list[Any], size: int) -> LastOutcomes:
        """The same again; where `size` is another than it was, the latest outcomes that fit."""
        saved_size, marks, at = data
        window = cls(size)
        if size != saved_size:
            marks, at = (marks[at:] + marks[:at])[-size:], 0
        window._marks = bytearray(marks)
        window._at = at
        window.correct = sum(window._marks)
        return window


class LabelTime:
    """Outcomes in buckets of five minutes of label time, for a day back from the latest."""

    __slots__ = ("_buckets", "_latest")

    def __init__(self) -> None:
        self._buckets: dict[int, Tally] = {}
        self._latest = 0

    def add(self, outcome: Outcome, observed_at: float) -> None:
        """Count an outcome whose truth was observed then; one older than the window is left out."""
        bucket = int(observed_at // BUCKET_SECONDS)
        if bucket > self._latest:
            self._latest = bucket
            oldest = bucket - DAY // BUCKET_SECONDS
            if len(self._buckets) > DAY // BUCKET_SECONDS or min(self._buckets, default=bucket) <= oldest:
                for old in [key for key in self._buckets if key <= oldest]:
                    del self._buckets[old]
        elif bucket <= self._latest - DAY // BUCKET_SECONDS:
            return
        tally = self._buckets.get(bucket)
        if tally is None:
            tally = self._buckets[bucket] = Tally()
        tally.add(outcome)

    def last(self, seconds: int) -> Tally:
        """The outcomes of the last `seconds` (at most a day, in steps of five minutes) before the latest one."""
        return self.between((self._latest + 1) * BUCKET_SECONDS - seconds, (self._latest + 1) * BUCKET_SECONDS)

    def between(self, start: float, end: float) -> Tally:
        """The outcomes observed in `[start, end)`, both multiples of five minutes."""
        first, last = int(start // BUCKET_SECONDS), int(end // BUCKET_SECONDS)
        total = Tally()
        for bucket, tally in self._buckets.items():
            if first <= bucket < last:
                total.merge(tally)
        return total

    def snapshot(self) -> list[Any]:
        return [self._latest, {bucket: tally.snapshot() for bucket, tally in self._buckets.items()}]

    @classmethod
    def restore(cls, data: list[Any]) -> LabelTime:
        window = cls()
        window._latest = data[0]
        window._buckets = {bucket: Tally(*values) for bucket, values in data[1].items()}
        return window


class Windows:
    """All rolling windows of one stream of outcomes."""

    __slots__ = ("label_time", "last")

    def __init__(self, last_outcomes: int) -> None:
        self.last = LastOutcomes(last_outcomes)
        self.label_time = LabelTime()

    def add(self, outcome: Outcome, observed_at: float) -> None:
        """Let one outcome into every window."""
        if outcome.correct is not None:
            self.last.add(outcome.correct)
        self.label_time.add(outcome, observed_at)

    def snapshot(self) -> dict[str, Any]:
        return {"last": self.last.snapshot(), "label_time": self.label_time.snapshot()}

    @classmethod
    def restore(cls, data: Mapping[str, Any], last_outcomes: int) -> Windows:
        windows = cls(last_outcomes)
        windows.last = LastOutcomes.restore(data["last"], last_outcomes)
        windows.label_time = LabelTime.restore(data["label_time"])
        return windows
