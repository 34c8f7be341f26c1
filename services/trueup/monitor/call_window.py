"""What the calls of a version were like over some time: how many came again, failed, took how long, were how late."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from itertools import accumulate
from math import floor, log2
from typing import Any

#: (arrival, came, event): a prediction, and when it came: by the wall clock the time of its record, by the stream's its
#: own. The event is None where its version had answered the same id before.
Call = tuple[int, float, Mapping[str, Any] | None]
#: Event times are told apart by so many seconds from when they came, up to so many different distances.
SKEW_SECONDS, MOST_SKEWS = 300.0, 64
#: A latency is told apart by an eighth of a power of two (9 %); less than this is this.
_BUCKETS, _LEAST_MS = 8, 0.01
#: Latencies that are counted together; the result does not depend on it.
_TOGETHER = 2_000


class CallWindow:
    """Counts that add up, in whatever parts the calls were given."""

    __slots__ = ("_latencies", "_pending", "failed", "n", "repeats", "skews")

    def __init__(self) -> None:
        #: Predictions, without repeats.
        self.n = 0
        self.repeats = 0
        self.failed = 0
        #: By how many times `SKEW_SECONDS` the event times lie ahead of when they came (negative: behind) -> how many.
        self.skews: dict[int, int] = {}
        #: Of the calls that did not fail: bucket -> how many.
        self._latencies: dict[int, int] = {}
        self._pending: list[float] = []

    @property
    def calls(self) -> int:
        """Predictions and repeats."""
        return self.n + self.repeats

    def add(self, came: float, event: Mapping[str, Any] | None) -> None:
        """Count a call, `event` None: a repeat."""
        if event is None:
            self.repeats += 1
            return
        self.n += 1
        at = event.get("predicted_at")
        self._skewed(0 if at is None else round((at - came) / SKEW_SECONDS), 1)
        if event.get("error"):
            self.failed += 1
        elif (latency_ms := event.get("latency_ms")) is not None:
            self._timed((latency_ms,))

    def add_all(self, calls: Sequence[Call]) -> None:
        """Count these, as one after the other."""
        made = [(came, event) for _, came, event in calls if event is not None]
        self.repeats += len(calls) - len(made)
        self.n += len(made)
        apart = [0.0 if (at := event.get("predicted_at")) is None else at - came for came, event in made]
        half = SKEW_SECONDS / 2
        if apart and -half < min(apart) and max(apart) < half:
            self._skewed(0, len(apart))
        else:
            for skew, n in Counter([round(seconds / SKEW_SECONDS) for seconds in apart]).items():
                self._skewed(skew, n)
        went_well = [event for _, event in made if not event.get("error")]
        self.failed += len(made) - len(went_well)
        self._timed([ms for event in went_well if (ms := event.get("latency_ms")) is not None])

    def _skewed(self, skew: int, n: int) -> None:
        skews = self.skews
        if skew in skews or len(skews) < MOST_SKEWS:
            skews[skew] = skews.get(skew, 0) + n

    def _timed(self, latencies_ms: Sequence[float]) -> None:
        self._pending += latencies_ms
        if len(self._pending) >= _TOGETHER:
            self._collect()

    def _collect(self) -> None:
        pending, self._pending = self._pending, []
        found = Counter([floor(_BUCKETS * log2(max(_LEAST_MS, ms))) for ms in pending])
        for bucket, n in found.items():
            self._latencies[bucket] = self._latencies.get(bucket, 0) + n

    # -- what is read from it ---------------------------------------------------------------------------------------

    @property
    def timed(self) -> int:
        """How many calls went well and said how long they took."""
        self._collect()
        return sum(self._latencies.values())

    def latency_ms(self, share: float) -> float:
        """What this share of the timed calls took at most, rounded up to the end of a bucket; none: 0."""
        self._collect()
        buckets = sorted(self._latencies)
        if not buckets:
            return 0.0
        sums = list(accumulate(self._latencies[bucket] for bucket in buckets))
        at = next(place for place, upto in enumerate(sums) if upto >= share * sums[-1])
        return float(2.0 ** ((buckets[at] + 1) / _BUCKETS))

    def share_slower(self, than_ms: float) -> float:
        """Which share of the timed calls took longer, by whole buckets; none: 0."""
        timed = self.timed
        slower = sum([n for bucket, n in self._latencies.items() if 2.0 ** (bucket / _BUCKETS) >= than_ms])
        return slower / timed if timed else 0.0

    def skewed_near(self, skew: int) -> int:
        """How many predictions lie this far from when they came, or to either side of it."""
        return sum([self.skews.get(near, 0) for near in (skew - 1, skew, skew + 1)])

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        self._collect()
        return [self.n, self.repeats, self.failed, sorted(self.skews.items()), sorted(self._latencies.items())]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> CallWindow:
        """The same again."""
        found = cls()
        found.n, found.repeats, found.failed, skews, latencies = data
        found.skews, found._latencies = dict(skews), dict(latencies)
        return found
