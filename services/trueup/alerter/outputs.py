"""The alerter's outputs as records: alerts, triggers and the audit, each with CloudEvents attributes."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from pydantic import BaseModel

from trueup.step import Output
from trueup_schemas import cloudevents
from trueup_schemas.alert import Alert
from trueup_schemas.audit import AuditEntry
from trueup_schemas.identity import stable_id
from trueup_schemas.reason import Reason
from trueup_schemas.trigger import Trigger
from trueup_schemas.values import to_rfc3339


class Outputs:
    """What goes out since the last `drain`, in order."""

    def __init__(self, partition: int) -> None:
        self._partition = partition
        self._source = f"/trueup/alerter/{partition}"
        self._outputs: list[Output] = []
        #: Whether something is among them that must go out at once.
        self.urgent = False
        #: Entries of the audit so far: their ids follow from it.
        self.audited = 0

    def alert(self, alert: Alert) -> None:
        """One revision of an alert, keyed by its id."""
        event_id = stable_id("alert_revision", alert.alert_id, alert.revision)
        headers = self._headers(event_id, "alert.v1", alert.updated_at)
        self._outputs.append(Output("alerts", alert.alert_id.encode(), _json(alert), headers))
        self.urgent = True

    def trigger(self, trigger: Trigger) -> None:
        """A trigger that may be acted on."""
        headers = self._headers(trigger.trigger_id, "trigger.v1", trigger.requested_at)
        self._outputs.append(Output("triggers", trigger.model_id.encode(), _json(trigger), headers, self._partition))
        self.urgent = True

    def audit(
        self, model_id: str, at: float, what: str, reason: Reason, subject: str | None, detail: Mapping[str, Any]
    ) -> None:
        """One thing decided or heard of."""
        self.audited += 1
        entry = AuditEntry(
            audit_id=stable_id("audit", "alerter", self._partition, self.audited),
            at=at,
            model_id=model_id,
            actor="alerter",
            what=what,
            reason=reason,
            subject=subject,
            detail=dict(detail),
        )
        headers = self._headers(entry.audit_id, "audit.v1", at)
        self._outputs.append(Output("audit", model_id.encode(), _json(entry), headers, self._partition))

    def drain(self) -> list[Output]:
        """Everything since the last call, once."""
        outputs, self._outputs, self.urgent = self._outputs, [], False
        return outputs

    def _headers(self, event_id: str, event_type: str, at: float) -> tuple[tuple[str, bytes], ...]:
        return tuple(
            cloudevents.headers(event_id=event_id, event_type=event_type, source=self._source, time=to_rfc3339(at))
        )


def _json(model: BaseModel) -> bytes:
    return model.model_dump_json().encode()
