"""What an alert goes through: firing, acknowledged, resolved, and meanwhile what is done about it.

What changes with one event is one new revision of the same alert: `revise` numbers it when the event is dealt with.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any
from urllib.parse import quote

from trueup.alerter.cause import Cause
from trueup.alerter.config import AlerterConfig
from trueup.alerter.trigger_life import TriggerState
from trueup_schemas.alert import Alert, AlertKind, Links, Severity
from trueup_schemas.identity import stable_id

SEVERITY: Mapping[AlertKind, Severity] = {
    "performance_drop": "page",
    "version_worse": "page",
    "data_fault": "ticket",
    "blind": "ticket",
    "trigger_trouble": "page",
}


def open_alert(
    kind: AlertKind, signal: Mapping[str, Any], cause: Cause, *, partition: int, config: AlerterConfig
) -> Alert:
    """An alert about `signal`, before its first revision; its id follows from the signal's number in its partition."""
    model_id = signal["model_id"]
    return Alert(
        alert_id=stable_id("alert", kind, model_id, partition, signal.get("series", 0), signal["number"]),
        revision=0,
        model_id=model_id,
        model_version=signal.get("model_version", "*"),
        kind=kind,
        segments=list(cause.segments),
        severity=SEVERITY[kind],
        status="firing",
        summary=cause.summary,
        cause=cause.cause,
        evidence={"cause": cause.kind, "retraining_helps": cause.retraining_helps, **_figures(signal)},
        started_at=signal["at"],
        updated_at=signal["at"],
        links=Links(console=_link(config.console_url, model_id), runbook=_link(config.runbook_url, model_id)),
    )


def resolve(alert: Alert, at: float, why: str) -> Alert:
    """It is over."""
    at = max(at, alert.updated_at)
    return _changed(alert, at, {"resolved_because": why}, status="resolved", resolved_at=at)


def acknowledge(alert: Alert, at: float, author: str) -> Alert:
    """Somebody has taken it up."""
    return _changed(alert, at, {"acknowledged_by": author}, status="acknowledged")


def learn(alert: Alert, signal: Mapping[str, Any], cause: Cause | None = None) -> Alert:
    """More is known of what it is about; with a cause, that takes the place of the one before."""
    figures = {name: value for name, value in _figures(signal).items() if name != "at"}
    at = max(signal["at"], alert.updated_at)
    if cause is None:
        segments = [part["segment"] for part in signal.get("segments", ())] or alert.segments
        return _changed(alert, at, figures, segments=segments)
    figures = {**figures, "cause": cause.kind, "retraining_helps": cause.retraining_helps}
    segments = list(cause.segments) or alert.segments
    return _changed(alert, at, figures, summary=cause.summary, cause=cause.cause, segments=segments)


def mention(alert: Alert, at: float, state: TriggerState) -> Alert:
    """It says which trigger is to mend it, and where that stands: on-call sees what waits for an answer."""
    trigger = {"trigger_id": state.trigger.trigger_id, "action": state.trigger.action, "status": state.status}
    return _changed(alert, max(at, alert.updated_at), {"trigger": trigger})


def revise(alert: Alert) -> Alert:
    """The next revision, to be published."""
    return alert.model_copy(update={"revision": alert.revision + 1})


def _changed(alert: Alert, at: float, evidence: Mapping[str, Any], **changes: Any) -> Alert:
    return alert.model_copy(update={**changes, "updated_at": at, "evidence": {**alert.evidence, **evidence}})


def _figures(signal: Mapping[str, Any]) -> dict[str, Any]:
    left_out = {"type", "number", "series", "model_id", "model_version", "pages", "training_data"}
    return {name: value for name, value in signal.items() if name not in left_out}


def _link(template: str | None, model_id: str) -> str | None:
    return None if template is None else template.replace("{model_id}", quote(model_id, safe=""))
