"""What an alert goes through: firing, acknowledged, resolved. Each change is a new revision of the same alert."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.alerter.cause import Cause
from trueup.alerter.config import AlerterConfig
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
    """The first revision of an alert about `signal`; its id follows from the signal's number in its partition."""
    model_id = signal["model_id"]
    return Alert(
        alert_id=stable_id("alert", kind, model_id, partition, signal["number"]),
        revision=1,
        model_id=model_id,
        model_version=signal.get("model_version", "*"),
        kind=kind,
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
    """The last revision: it is over."""
    evidence = {**alert.evidence, "resolved_because": why}
    changes = {"status": "resolved", "resolved_at": at, "updated_at": at, "evidence": evidence}
    return alert.model_copy(update={**changes, "revision": alert.revision + 1})


def acknowledge(alert: Alert, at: float, author: str) -> Alert:
    """Somebody has taken it up."""
    evidence = {**alert.evidence, "acknowledged_by": author}
    changes = {"status": "acknowledged", "updated_at": at, "evidence": evidence}
    return alert.model_copy(update={**changes, "revision": alert.revision + 1})


def _figures(signal: Mapping[str, Any]) -> dict[str, Any]:
    left_out = {"type", "number", "model_id", "model_version", "pages", "training_data"}
    return {name: value for name, value in signal.items() if name not in left_out}


def _link(template: str | None, model_id: str) -> str | None:
    return None if template is None else template.replace("{model_id}", model_id)
