"""Everything that is known, in one object: what `trueup status --json` prints."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping
from typing import Any

from trueup.console.progress import Progress, Saved
from trueup.engine.lane import ENGINE
from trueup.workers.setups import WorkerName
from trueup_schemas.values import to_rfc3339

#: Of the object; it grows by one where something in it changes its meaning or goes, and not where something is added.
FORMAT = 1

WORKERS: tuple[WorkerName, ...] = ("monitor", "alerter", "notifier")


def read_status(progress: Progress) -> dict[str, Any]:
    """Models, alerts, triggers, dead letters and lag, with the offsets that the figures belong to.

    Raises:
        Unavailable: Redis or Kafka does not answer.
    """
    saved = {worker: progress.saved(worker) for worker in WORKERS}
    lag: dict[str, int] = {}
    for worker in WORKERS:
        if worker != "notifier" or any(part.offsets for part in saved[worker].values()):
            lag.update(progress.lag(worker, saved[worker]))
    alerter = _views(saved["alerter"])
    models = map(_model, _views(saved["monitor"]))
    return {
        "format": FORMAT,
        "models": sorted(models, key=lambda model: str(model["model_id"])),
        "alerts": sorted((alert for view in alerter for alert in view["alerts"]), key=_started),
        "triggers": sorted((state for view in alerter for state in view["triggers"]), key=_requested),
        "dead_letters": _dead_letters(saved),
        "lag": lag,
        "offsets": {
            worker: {str(partition): dict(part.offsets) for partition, part in parts.items()}
            for worker, parts in saved.items()
        },
    }


def _views(saved: Mapping[int, Saved]) -> list[dict[str, Any]]:
    return [view for part in saved.values() for name, view in part.views.items() if name != ENGINE]


def _model(view: Mapping[str, Any]) -> dict[str, Any]:
    return {**view, "blind": {what: to_rfc3339(since) for what, since in view["blind"].items()}}


def _dead_letters(saved: Mapping[WorkerName, Mapping[int, Saved]]) -> dict[str, int]:
    counts: Counter[str] = Counter()
    for parts in saved.values():
        for part in parts.values():
            counts.update(part.views.get(ENGINE, {}).get("dead_letters", {}))
    return dict(sorted(counts.items()))


def _started(alert: Mapping[str, Any]) -> tuple[str, str]:
    return alert["started_at"], alert["alert_id"]


def _requested(trigger: Mapping[str, Any]) -> tuple[str, str]:
    return trigger["requested_at"], trigger["trigger_id"]
