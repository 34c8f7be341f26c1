"""Topic `alerts`: what on-call should know. Out, compacted, keyed by alert_id; a reader keeps the highest revision.

The closed sets grow with versions: a reader passes a word on that it does not know, it does not fail.
"""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from trueup_schemas.values import Id, Moment, Name, Text

AlertKind = Literal["performance_drop", "version_worse", "data_fault", "blind", "trigger_trouble"]
Severity = Literal["page", "ticket", "info"]
AlertStatus = Literal["firing", "acknowledged", "resolved"]


class Links(BaseModel):
    """Where to look further."""

    model_config = ConfigDict(frozen=True)

    console: Text | None = None
    runbook: Text | None = None


class Alert(BaseModel):
    """One state of one alert. `alert_id` is the same through all its revisions."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    alert_id: Id
    revision: int
    model_id: Name
    model_version: Name
    segments: list[dict[str, str]] = []
    kind: AlertKind | Name
    severity: Severity | Name
    status: AlertStatus | Name
    silenced_by: Id | None = None
    #: One line for a phone: what fell, from where to where, since when.
    summary: Text
    #: What is behind it, and whether retraining would help.
    cause: Text
    #: The figures behind the sentences.
    evidence: dict[str, Any] = {}
    started_at: Moment
    updated_at: Moment
    resolved_at: Moment | None = None
    links: Links = Links()
