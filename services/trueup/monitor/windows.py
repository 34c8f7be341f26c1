"""Rolling windows over outcomes: the last N, and stretches of label time. Every window is a merge of buckets."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from trueup.monitor.outcome import RIGHT, WRONG, Outcome

BUCKET_SECONDS = 300
HOUR = 3_600
DAY = 86_400
BUCKETS_A_DAY = DAY // BUCKET_SECONDS
#: Far below the 2^53 up to which floats hold every whole number.
_EXACT = 2.0**52


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
        correct, error, loss = outcome
        self.n += sign
        if correct is not None:
            self.judged += sign
            self.correct += sign * correct
        if error:
            self.error += sign * error
            self.squared += sign * error * error
        if loss:
            self.loss += sign * loss

    def add_all(self, outcomes: Sequence[Outcome]) -> None:
        """Count these in, bit for bit as one after the other."""
        n, right = len(outcomes), outcomes.count(RIGHT)
        wrong = n - right
        if (wrong and outcomes.count(WRONG) != wrong) or not self._is_whole:
            for outcome in outcomes:
                self.add(outcome)
            return
        self.n += n
        self.judged += n
        self.correct += right
        self.error += wrong
        self.squared += wrong
        self.loss += wrong

    @property
    def _is_whole(self) -> bool:
        """Whether all sums are whole numbers that leave room for more, which floats add exactly in any order."""
        error, squared, loss = self.error, self.squared, self.loss
        whole = error.is_integer() and squared.is_integer() and loss.is_integer()
        return whole and max(error, squared, loss) < _EXACT and min(error, squared, loss) > -_EXACT

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

    __slots__ = ("_at", "_marks", "correct", "size")

    def __init__(self, size: int) -> None:
        self.size = size
        self._marks = bytearray()
        self._at = 0
        self.correct = 0

    @property
    def n(self) -> int:
        """How many outcomes are in the window: `size` once that many came."""
        return len(self._marks)

    def add(self, correct: bool) -> None:
        """Let one outcome in, and the oldest out when the window is full."""
        marks, at = self._marks, self._at
        self.correct += correct
        if len(marks) < self.size:
            marks.append(correct)
            return
        self.correct -= marks[at]
        marks[at] = correct
        self._at = (at + 1) % self.size

    def add_all(self, corrects: Sequence[bool]) -> None:
        """Let these in, one after the other, and as many of the oldest out as there is no room for."""
        new, marks = bytes(corrects), self._marks
        room = self.size - len(marks)
        if room:
            marks += new[:room]
            self.correct += sum(new[:room])
            new = new[room:]
        while new:
            end = min(self._at + len(new), self.size)
            piece, new = new[: end - self._at], new[end - self._at :]
            self.correct += sum(piece) - sum(marks[self._at : end])
            marks[self._at : end] = piece
            self._at = end % self.size

    def snapshot(self) -> list[Any]:
        return [self.size, bytes(self._marks), self._at]

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
    """Outcomes in buckets of five minutes of label time, for a day back from the latest.

    The latest bucket is open. The others are closed: they change only where truths come late, are saved apart, and
    their sum is remembered.
    """

    __slots__ = ("_buckets", "_closed_day", "_latest", "closed_changed")

    def __init__(self) -> None:
        self._buckets: dict[int, Tally] = {}
        self._latest = 0
        self._closed_day: Tally | None = None
        #: Whether a closed bucket changed since `closed_snapshot` was last called.
        self.closed_changed = False

    def add(self, outcome: Outcome, observed_at: float) -> None:
        """Count an outcome whose truth was observed then; one older than the window is left out."""
        bucket = int(observed_at // BUCKET_SECONDS)
        tally = self._buckets.get(bucket) if bucket == self._latest else self._tally(bucket)
        if tally is not None:
            tally.add(outcome)

    def add_all(self, outcomes: Sequence[Outcome], observed_at: Sequence[float]) -> None:
        """Count these, one after the other."""
        start, bucket = 0, int(observed_at[0] // BUCKET_SECONDS)
        begin, end = bucket * BUCKET_SECONDS, (bucket + 1) * BUCKET_SECONDS
        for at, moment in enumerate(observed_at):
            if not begin <= moment < end:
                self._add_to(bucket, outcomes[start:at])
                start, bucket = at, int(moment // BUCKET_SECONDS)
                begin, end = bucket * BUCKET_SECONDS, (bucket + 1) * BUCKET_SECONDS
        self._add_to(bucket, outcomes[start:] if start else outcomes)

    def _add_to(self, bucket: int, outcomes: Sequence[Outcome]) -> None:
        tally = self._tally(bucket)
        if tally is not None:
            tally.add_all(outcomes)

    def _tally(self, bucket: int) -> Tally | None:
        """What an outcome of this bucket is counted in, None where it is older than the window."""
        if bucket > self._latest:
            self._open(bucket)
        elif bucket < self._latest:
            if bucket <= self._latest - BUCKETS_A_DAY:
                return None
            self.closed_changed, self._closed_day = True, None
        tally = self._buckets.get(bucket)
        if tally is None:
            tally = self._buckets[bucket] = Tally()
        return tally

    def _open(self, bucket: int) -> None:
        """A later bucket than any before: those a day before it leave the window."""
        self._latest = bucket
        self.closed_changed, self._closed_day = True, None
        oldest = bucket - BUCKETS_A_DAY
        if len(self._buckets) > BUCKETS_A_DAY or min(self._buckets, default=bucket) <= oldest:
            for old in [key for key in self._buckets if key <= oldest]:
                del self._buckets[old]

    def day(self) -> Tally:
        """The outcomes of the last day, as `last(DAY)`."""
        if self._closed_day is None:
            self._closed_day = self._sum(self._latest + 1 - BUCKETS_A_DAY, self._latest)
        total = Tally(*self._closed_day.snapshot())
        latest = self._buckets.get(self._latest)
        if latest is not None:
            total.merge(latest)
        return total

    def last(self, seconds: int) -> Tally:
        """The outcomes of the last `seconds` (at most a day, in steps of five minutes) before the latest one."""
        return self._sum(self._latest + 1 - seconds // BUCKET_SECONDS, self._latest + 1)

    def between(self, start: float, end: float) -> Tally:
        """The outcomes observed in `[start, end)`, both multiples of five minutes."""
        return self._sum(int(start // BUCKET_SECONDS), int(end // BUCKET_SECONDS))

    def _sum(self, first: int, last: int) -> Tally:
        """Of the buckets `[first, last)`, added in their order in time."""
        total, buckets = Tally(), self._buckets
        if last - first > len(buckets):
            found = [buckets[bucket] for bucket in sorted(buckets) if first <= bucket < last]
        else:
            found = [buckets[bucket] for bucket in range(first, last) if bucket in buckets]
        for tally in found:
            total.merge(tally)
        return total

    def snapshot(self) -> list[Any]:
        """The open bucket, for `restore`."""
        latest = self._buckets.get(self._latest)
        return [self._latest, None if latest is None else latest.snapshot()]

    def closed_snapshot(self) -> dict[int, list[Any]]:
        """The closed buckets in their order in time, for `restore`."""
        self.closed_changed = False
        return {bucket: self._buckets[bucket].snapshot() for bucket in sorted(self._buckets) if bucket != self._latest}

    def restore(self, data: Sequence[Any]) -> None:
        """Take back the open bucket."""
        self._latest = data[0]
        if data[1] is not None:
            self._buckets[data[0]] = Tally(*data[1])

    def restore_closed(self, buckets: dict[int, list[Any]]) -> None:
        """Take back the closed buckets."""
        self._buckets.update((bucket, Tally(*values)) for bucket, values in buckets.items())


class Windows:
    """All rolling windows of one stream of outcomes."""

    __slots__ = ("label_time", "last")

    def __init__(self, last_outcomes: int) -> None:
        self.last = LastOutcomes(last_outcomes)
        self.label_time = LabelTime()

    def add(self, outcome: Outcome, observed_at: float) -> None:
        """Let one outcome into every window."""
        correct = outcome[0]
        if correct is not None:
            self.last.add(correct)
        self.label_time.add(outcome, observed_at)

    def add_all(self, outcomes: Sequence[Outcome], observed_at: Sequence[float]) -> None:
        """Let these into every window, one after the other; at least one."""
        self.last.add_all([correct for correct, _, _ in outcomes if correct is not None])
        self.label_time.add_all(outcomes, observed_at)

    def snapshot(self) -> list[Any]:
        """Without the closed buckets, for `restore`."""
        return [self.last.snapshot(), self.label_time.snapshot()]

    def restore(self, data: Sequence[Any]) -> None:
        """Take back what `snapshot` gave."""
        self.last = LastOutcomes.restore(data[0], self.last.size)
        self.label_time.restore(data[1])
