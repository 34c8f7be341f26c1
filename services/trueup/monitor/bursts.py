"""How bursty the errors of a model with a stated objective are: what its promise is weighed with.

Where the reference is learned, its variance inflation is learned with it. A promise is watched from the first label on,
when nothing of that is known; and a storm weighed as if its errors were independent breaks any promise.

    labels  ├─ 64 ─┼─ 128 ─┼── 256 ──┼── ... ──┼── reference_labels, reference_days ──┼── as long again ── ...
    V       at least a 16th of the labels by then             what block means have shown, never less than before

Until there are as many labels, over as many days, as a reference is learned from, dependence may reach further than the
blocks show: all labels together then count for no more than 16 independent ones. What is wrong nearly always is
found all the same, and nothing finer. After an alarm, the same again, as a reference is learned anew. Nor are they ever
taken for fewer than 16: a fall or a bad first day looks like one long burst, and must not blind for good.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.monitor.config import ModelConfig
from trueup.monitor.windows import DAY
from trueup.statistics.variance_inflation import DependentSample

#: Labels at which the inflation is looked at first; from then on, at twice as many.
_FIRST = 64
#: Labels are worth at least so many independent ones; as long as not enough was seen, just so many.
_WORTH = 16


class Bursts:
    """Takes every loss, and says what the detector's factors are tempered with."""

    __slots__ = ("_config", "_look_at", "_sample", "_settled", "known")

    def __init__(self, config: ModelConfig, *, known: float = 1.0) -> None:
        self._config = config
        #: The variance inflation that was met so far.
        self.known = known
        self._sample = DependentSample()
        self._look_at = _FIRST
        #: Whether enough was seen since the beginning, or since the last alarm.
        self._settled = False

    @property
    def inflation(self) -> float:
        """What is to be weighed with until the next look."""
        return self.known if self._settled else max(self.known, self._look_at / _WORTH)

    def update(self, loss: float, at: float, *, rising: bool) -> bool:
        """Take a loss in [0, 1] and its label time; whether `inflation` is now another.

        `rising`: there is evidence of a rise. It is weighed to its end as it was begun: what would look at it as a
        burst would never let it become an alarm.
        """
        sample = self._sample
        sample.update(loss, at)
        if sample.n < self._look_at or rising:
            return False
        before, enough = self.inflation, self._config.reference_labels
        self.known = max(self.known, min(sample.inflation(), sample.n / _WORTH))
        if sample.n >= enough and sample.span_seconds >= self._config.reference_days * DAY:
            self._sample, self._look_at, self._settled = DependentSample(), enough, True
        elif sample.n < enough:
            self._look_at = min(2 * sample.n, enough)
        else:  # labels enough, but not over as many days
            self._look_at = sample.n + sample.n // 4
        return self.inflation != before

    def alarmed(self) -> None:
        """The promise was broken: what comes from now on is another stretch of the stream, as long to be known."""
        if self._settled:
            self._sample, self._look_at, self._settled = DependentSample(), self._config.reference_labels, False

    def snapshot(self) -> dict[str, Any]:
        """Plain values, for `restore`."""
        return {
            "known": self.known,
            "look_at": self._look_at,
            "settled": self._settled,
            "sample": self._sample.snapshot(),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back what `snapshot` gave."""
        self.known = data["known"]
        self._look_at = data["look_at"]
        self._settled = data["settled"]
        self._sample = DependentSample.restore(data["sample"])
