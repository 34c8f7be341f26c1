"""What the calls of a version were like over some time: how many came again, failed, took how long, were how late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from trueup.monitor.features.histogram import Histogram

#: Event times are told apart by so many seconds from when they came, up to so many different distances.
SKEW_SECONDS, MOST_SKEWS = 300.0, 64
#: A latency is told apart by an eighth of a power of two: the exponent and three bits of the mantissa.
_LATENCY_SHIFT = 49


class CallWindow:
    """Counts that add up, in whatever parts the calls were given."""

    __slots__ = ("failed", "latencies_ms", "n", "repeats", "skews")

    def __init__(self) -> None:
        #: Predictions, without repeats.
        self.n = 0
        self.repeats = 0
        self.failed = 0
        #: By how many times `SKEW_SECONDS` the event times lie ahead of when they came (negative: behind) -> how many.
        self.skews: dict[int, int] = {}
        #: Of the calls that did not fail.
        self.latencies_ms = Histogram()
        self.latencies_ms.shift = _LATENCY_SHIFT

    @property
    def calls(self) -> int:
        """Predictions and repeats."""
        return self.n + self.repeats

    def add_all(self, came: Sequence[float], events: Sequence[Mapping[str, Any]]) -> None:
        """Count these predictions, and when each came."""
        self.n += len(events)
        self._date(
            [
                0.0 if (at := event.get("predicted_at")) is None else at - then
                for event, then in zip(events, came, strict=True)
            ]
        )
        went_well = [event for event in events if not event.get("error")]
        self.failed += len(events) - len(went_well)
        self.latencies_ms.add_all([ms for event in went_well if (ms := event.get("latency_ms")) is not None])

    def _date(self, ahead_seconds: Sequence[float]) -> None:
        half, skews = SKEW_SECONDS / 2, self.skews
        if ahead_seconds and -half < min(ahead_seconds) and max(ahead_seconds) < half:
            found: Mapping[int, int] = {0: len(ahead_seconds)}
        else:
            found = Counter([round(seconds / SKEW_SECONDS) for seconds in ahead_seconds])
        for skew, n in found.items():
            if skew in skews or len(skews) < MOST_SKEWS:
                skews[skew] = skews.get(skew, 0) + n

    def skewed_near(self, skew: int) -> int:
        """How many predictions lie this far from when they came, or to either side of it."""
        return sum([self.skews.get(near, 0) for near in (skew - 1, skew, skew + 1)])

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        latencies = self.latencies_ms.snapshot() if self.latencies_ms.n else None
        return [self.n, self.repeats, self.failed, sorted(self.skews.items()), latencies]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> CallWindow:
        """The same again."""
        found = cls()
        found.n, found.repeats, found.failed, skews, latencies = data
        found.skews = dict(skews)
        if latencies is not None:
            found.latencies_ms = Histogram.restore(latencies)
        return found
