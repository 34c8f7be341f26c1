"""Where the data of a retraining lies: offsets and counts by the hour in which a truth was first observed."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.monitor.windows import DAY, HOUR

PREDICTIONS, FEEDBACK = "predictions", "feedback"
#: Days of label time that a chunk may go on after an alarm in it.
SPARE_DAYS = 7


class TrainingIndex:
    """For each hour of label time of one model: how many ids got their truth, and from which offsets on they lie."""

    __slots__ = ("_hours", "_keep_hours", "_latest", "closed_changed")

    def __init__(self, keep_days: float) -> None:
        # An alarm is answered once its chunk is folded in, when later hours have come already: those it reaches back to
        # must still be there, wherever the chunk happens to end.
        self._keep_hours = int((keep_days + SPARE_DAYS) * DAY // HOUR) + 2
        #: hour -> [labelled, first offset of their predictions, first offset of their feedback]
        self._hours: dict[int, list[int]] = {}
        self._latest = -1
        #: Whether any hour but the latest changed since `closed_snapshot` was last called.
        self.closed_changed = False

    def labelled(self, observed_at: float, prediction_offset: int, feedback_offset: int) -> None:
        """An id has prediction and truth for the first time."""
        hour = int(observed_at // HOUR)
        if hour != self._latest:
            self.closed_changed = True
        known = self._hours.get(hour)
        if known is None:
            self._open(hour, prediction_offset, feedback_offset)
            return
        known[0] += 1
        if prediction_offset < known[1]:
            known[1] = prediction_offset
        if feedback_offset < known[2]:
            known[2] = feedback_offset

    def _open(self, hour: int, prediction_offset: int, feedback_offset: int) -> None:
        self._hours[hour] = [1, prediction_offset, feedback_offset]
        self._latest = max(self._latest, hour)
        oldest = self._latest - self._keep_hours
        for old in [key for key in self._hours if key <= oldest]:
            del self._hours[old]

    def until(
        self, at: float, days: float, *, partition: int, positions: Mapping[str, int], prefix: str
    ) -> dict[str, Any] | None:
        """The whole hours of the last `days` before `at`, as a `TrainingData`; None where nothing is labelled.

        A prediction belongs to the hour in which its truth was first observed. Where all of it lies within the hour
        that `at` is in, that hour is taken as far as it goes.
        """
        end, span = int(at // HOUR), int(days * DAY // HOUR)
        if not any(end - span <= hour < end for hour in self._hours):
            end += 1
        start = end - span
        hours = [counts for hour, counts in self._hours.items() if start <= hour < end]
        if not hours:
            return None
        part = str(partition)
        first_prediction = min(counts[1] for counts in hours)
        first_feedback = min(counts[2] for counts in hours)
        return {
            "topics": {
                prefix + PREDICTIONS: {part: [first_prediction, positions.get(PREDICTIONS, 0)]},
                prefix + FEEDBACK: {part: [first_feedback, positions.get(FEEDBACK, 0)]},
            },
            "from_time": float(max(start, min(hour for hour in self._hours if hour >= start)) * HOUR),
            "to_time": float(end * HOUR),
            "labelled": sum(counts[0] for counts in hours),
        }

    def snapshot(self) -> dict[int, list[int]]:
        """The latest hour, for `restore`."""
        return {hour: self._hours[hour] for hour in (self._latest,) if hour in self._hours}

    def closed_snapshot(self) -> dict[int, list[int]]:
        """All other hours in their order, for `restore`: they change only where a truth comes late."""
        self.closed_changed = False
        return {hour: self._hours[hour] for hour in sorted(self._hours) if hour != self._latest}

    def restore(self, hours: Mapping[int, list[int]]) -> None:
        """Take back what either gave."""
        self._hours.update((hour, list(counts)) for hour, counts in hours.items())
        self._latest = max(self._hours, default=-1)
