"""The metrics of a version by span of label time, as they are shown."""

from __future__ import annotations

from typing import Any

import orjson

from trueup.monitor.config import Task
from trueup.monitor.metrics import METRICS
from trueup.monitor.scorecards.sample import Sample
from trueup.monitor.scorecards.scorecards import Scorecards


def metrics_shown(scorecards: Scorecards, task: Task | None, inflation: float) -> orjson.Fragment:
    """The JSON of `measured`, written once and as long as it stays the same."""
    of = (task, inflation)
    if scorecards.shown is None or scorecards.shown[0] != of:
        scorecards.shown = of, orjson.dumps(measured(scorecards, task, inflation))
    return orjson.Fragment(scorecards.shown[1])


def measured(scorecards: Scorecards, task: Task | None, inflation: float) -> dict[str, dict[str, Any]]:
    """Span -> metric -> value, n, low, high; nothing of a model without a truth."""
    if task is None:
        return {}
    spans = scorecards.spans()
    found: dict[str, dict[str, Any]] = {}
    known: dict[int, dict[str, Any]] = {}
    for span, card in spans.items():
        # A young model has the same outcomes in all spans.
        if id(card) not in known:
            sample = Sample(card, scorecards.frame, spans["all"], inflation)
            known[id(card)] = {name: measure(sample).shown() for name, measure in METRICS[task].items()}
        found[span] = known[id(card)]
    return found
