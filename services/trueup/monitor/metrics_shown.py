"""The metrics of a version by span of label time, as they are shown."""

from __future__ import annotations

from typing import Any

from trueup.monitor.config import Task
from trueup.monitor.metrics import METRICS
from trueup.monitor.scorecards.sample import Sample
from trueup.monitor.scorecards.scorecards import Scorecards


def metrics_shown(scorecards: Scorecards, task: Task | None, inflation: float) -> dict[str, dict[str, Any]]:
    """Span -> metric -> value, n, low, high; nothing of a model without a truth."""
    if task is None:
        return {}
    spans = scorecards.spans()
    found: dict[str, dict[str, Any]] = {}
    measured: dict[int, dict[str, Any]] = {}
    for span, card in spans.items():
        # A young model has the same outcomes in all spans.
        if id(card) not in measured:
            sample = Sample(card, scorecards.frame, spans["all"], inflation)
            measured[id(card)] = {name: measure(sample).shown() for name, measure in METRICS[task].items()}
        found[span] = measured[id(card)]
    return found
