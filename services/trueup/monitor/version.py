"""One version of a model: what was counted, how good it is, what its detectors have seen."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.monitor.calls import Calls
from trueup.monitor.cohorts import Cohorts
from trueup.monitor.config import ModelConfig, MonitorConfig
from trueup.monitor.error_watch import ErrorWatch
from trueup.monitor.join import Answer, Truth
from trueup.monitor.outcome import Outcome
from trueup.monitor.windows import Windows

COUNTS = ("predictions", "feedback", "joined", "pending", "duplicates", "corrections", "expired")
OTHER = "__other__"
#: Roles of versions whose answers reach nobody.
NOT_SERVING = ("shadow", "retired")
#: Cohorts are kept for this many days back from the latest.
COHORT_DAYS = 400


class Version:
    """State of one version. Counts are exact whatever the order in which events came."""

    def __init__(
        self, model_version: str, config: ModelConfig, fleet: MonitorConfig, *, inflation: float = 1.0
    ) -> None:
        self.model_version = model_version
        self.config = config
        self.fleet = fleet
        self.role: str | None = None
        self.first_seen = 0.0
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
        self.correct = 0
        self.error = 0.0
        self.squared = 0.0
        self.judged = 0
        self.windows = Windows(fleet.last_outcomes)
        self.segments: dict[str, dict[str, Windows]] = {name: {} for name in config.segments}
        self.cohorts = Cohorts(COHORT_DAYS)
        self.calls = Calls()
        self.watch = ErrorWatch(config, inflation=inflation)
        #: The hour of label time that is still open, as hours since 1970.
        self.open_hour: int | None = None

    @property
    def serves(self) -> bool:
        """Whether users get its answers, as far as is known."""
        return self.role not in NOT_SERVING

    def predicted(self, answer: Answer, *, failed: bool, latency_ms: float | None) -> None:
        """A prediction that was not seen before."""
        self.counts["predictions"] += 1
        self.counts["pending"] += 1
        self.cohorts.predicted(answer.predicted_at)
        self.calls.add(failed=failed, latency_ms=latency_ms)

    def joined(self, answer: Answer, truth: Truth, outcome: Outcome | None) -> None:
        """A prediction and its truth met for the first time. `outcome` None: they cannot be judged."""
        self.counts["joined"] += 1
        self.counts["pending"] -= 1
        self.counts["feedback"] += truth.events
        self.counts["corrections"] += truth.corrections
        self.counts["duplicates"] += truth.repeats
        if outcome is None:
            return
        self._settle(answer, outcome, 1)
        self.windows.add(outcome, truth.observed_at)
        if answer.segment:
            self._into_segments(answer.segment, outcome, truth.observed_at)

    def told_again(self, *, correction: bool) -> None:
        """A further feedback for a prediction that has its truth already."""
        self.counts["feedback"] += 1
        self.counts["corrections" if correction else "duplicates"] += 1

    def corrected(self, answer: Answer, before: Outcome | None, after: Outcome | None) -> None:
        """The truth was corrected: totals and cohort change; windows and detectors keep what they were told."""
        if before is not None:
            self._settle(answer, before, -1)
        if after is not None:
            self._settle(answer, after, 1)

    def _settle(self, answer: Answer, outcome: Outcome, sign: int) -> None:
        self.judged += sign
        self.correct += sign * bool(outcome.correct)
        self.error += sign * outcome.error
        self.squared += sign * outcome.error * outcome.error
        self.cohorts.settled(answer.predicted_at, outcome, sign)

    def _into_segments(self, segment: Mapping[str, str], outcome: Outcome, observed_at: float) -> None:
        for name, values in self.segments.items():
            value = segment.get(name)
            if value is None:
                continue
            windows = values.get(value)
            if windows is None:
                if len(values) >= self.fleet.segment_values:
                    value = OTHER
                windows = values.setdefault(value, Windows(self.fleet.last_outcomes))
            windows.add(outcome, observed_at)

    def snapshot(self) -> dict[str, Any]:
        """Plain values, without the cohorts, which have sections of their own."""
        return {
            "role": self.role,
            "first_seen": self.first_seen,
            "counts": self.counts,
            "totals": [self.correct, self.error, self.squared, self.judged],
            "windows": self.windows.snapshot(),
            "segments": {
                name: {value: windows.snapshot() for value, windows in values.items()}
                for name, values in self.segments.items()
            },
            "calls": self.calls.snapshot(),
            "watch": self.watch.snapshot(),
            "open_hour": self.open_hour,
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back what `snapshot` gave."""
        self.role = data["role"]
        self.first_seen = data["first_seen"]
        self.counts = {**dict.fromkeys(COUNTS, 0), **data["counts"]}
        self.correct, self.error, self.squared, self.judged = data["totals"]
        size = self.fleet.last_outcomes
        self.windows = Windows.restore(data["windows"], size)
        for name, values in data["segments"].items():
            if name in self.segments:
                self.segments[name] = {value: Windows.restore(windows, size) for value, windows in values.items()}
        self.calls = Calls(*data["calls"])
        self.watch = ErrorWatch.restore(data["watch"], self.config)
        self.open_hour = data["open_hour"]
