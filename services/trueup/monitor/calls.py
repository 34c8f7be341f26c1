"""What the app reports of the calls themselves: latency and failures, with each prediction."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any


@dataclass(slots=True)
class Calls:
    """Sums over the calls of one version since it appeared."""

    n: int = 0
    failed: int = 0
    timed: int = 0
    latency_ms: float = 0.0
    slowest_ms: float = 0.0

    def add_all(self, predictions: Sequence[Mapping[str, Any]]) -> None:
        """Count the calls of these, one after the other."""
        self.n += len(predictions)
        self.failed += len([event for event in predictions if event.get("error")])
        latencies_ms = [ms for event in predictions if (ms := event.get("latency_ms")) is not None]
        if latencies_ms:
            self.timed += len(latencies_ms)
            self.slowest_ms = max(self.slowest_ms, *latencies_ms)
            total = self.latency_ms
            for ms in latencies_ms:  # one after the other: `sum` rounds in another way
                total += ms
            self.latency_ms = total

    def add(self, prediction: Mapping[str, Any]) -> None:
        """Count the call of this one."""
        self.n += 1
        if prediction.get("error"):
            self.failed += 1
        if "latency_ms" in prediction and (latency_ms := prediction["latency_ms"]) is not None:
            self.timed += 1
            self.latency_ms += latency_ms
            self.slowest_ms = max(self.slowest_ms, latency_ms)

    @property
    def error_rate(self) -> float | None:
        """Share of calls that failed."""
        return self.failed / self.n if self.n else None

    @property
    def mean_latency_ms(self) -> float | None:
        """Mean latency of the calls that reported one."""
        return self.latency_ms / self.timed if self.timed else None

    def snapshot(self) -> list[Any]:
        """Plain values; `Calls(*snapshot)` is the same again."""
        return [self.n, self.failed, self.timed, self.latency_ms, self.slowest_ms]
