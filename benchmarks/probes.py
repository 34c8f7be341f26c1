"""Models whose error is known to jump, so that the record which makes the detector fire is known too.

A probe has stated how many errors it accepts, so its detector has nothing to learn. Its predictions come first; its
feedback says of each that it was wrong, a minute of label time apart, and after some thirty of them the detector fires.
The alert says at which label time: no two feedbacks of a probe have the same, so that names the one that did it.
Pure: no Kafka.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from typing import Any

#: The error rate that a probe accepts.
OBJECTIVE = 0.05
#: More wrong answers than it takes, whatever share of the budget a probe has.
ANSWERS = 50


@dataclass(frozen=True, slots=True)
class Probe:
    """One model. `start`: the label time of its first feedback, in whole seconds."""

    model_id: str
    start: int

    def predictions(self) -> Iterator[dict[str, Any]]:
        """Its answers."""
        for number in range(ANSWERS):
            yield {
                "prediction_id": f"{self.model_id}-{number}",
                "model_id": self.model_id,
                "model_version": "v1",
                "prediction": 1,
                "predicted_at": self.start - 3_600 + number,
                "probability": 0.9,
            }

    def feedback(self) -> Iterator[dict[str, Any]]:
        """All of them wrong."""
        for number in range(ANSWERS):
            yield {
                "prediction_id": f"{self.model_id}-{number}",
                "model_id": self.model_id,
                "actual": 0,
                "observed_at": self.start + 60 * number,
            }


def settings(probes: list[Probe]) -> str:
    """What a settings file says of these probes."""
    return "\n".join(f'[monitor.models."{probe.model_id}"]\nobjective = {OBJECTIVE}\n' for probe in probes)


def fired_on(alert: dict[str, Any]) -> tuple[str, int]:
    """Model and label time of the feedback on which an alert was opened."""
    return alert["model_id"], int(datetime.fromisoformat(alert["started_at"]).timestamp())


def percentile(values: list[float], percent: float) -> float:
    """The smallest of the values (at least one) that so many percent of them do not exceed."""
    rank = -(-len(values) * percent // 100)
    return sorted(values)[max(0, int(rank) - 1)]
