"""Topic `audit`: every decision, command, delivery and update: who, what, why. Out, kept, keyed by model_id."""

from __future__ import annotations

from typing import Any

from pydantic import BaseModel, ConfigDict

from trueup_schemas.reason import Reason
from trueup_schemas.values import Id, Moment, Name, Text


class AuditEntry(BaseModel):
    """One thing decided or done. `reason` may hold a value that this reader does not know yet: it is kept as text."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    audit_id: Id
    at: Moment
    model_id: Name
    #: Who: `alerter`, `notifier`, or a person's name.
    actor: Name
    #: What: `alert_opened`, `trigger_requested`, `trigger_withheld`, `delivered`, ...
    what: Name
    reason: Reason | Text
    subject: Id | None = None
    detail: dict[str, Any] = {}
