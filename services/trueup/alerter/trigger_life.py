"""What a trigger goes through, as the alerter sees it: requested or awaiting approval, then what the pipeline says.

awaiting_approval ─ approve ─> requested ─> accepted ─> running ─> succeeded
          │                        │            │           └────> failed
          └─ reject ─> rejected    └─ late ─> expired      rejected (by the pipeline)
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, Literal

from trueup.alerter.actions.request import Request
from trueup.alerter.config import Policy
from trueup_schemas.identity import stable_id
from trueup_schemas.reason import Reason
from trueup_schemas.trigger import Action, Dataset, Trigger

TriggerStatus = Literal[
    "awaiting_approval", "requested", "accepted", "running", "succeeded", "failed", "rejected", "expired"
]
FINAL: frozenset[TriggerStatus] = frozenset({"succeeded", "failed", "rejected", "expired"})
#: What a pipeline's word is called among the reasons.
REPORTED: Mapping[str, Reason] = {
    "accepted": Reason.PIPELINE_ACCEPTED,
    "running": Reason.PIPELINE_RUNNING,
    "succeeded": Reason.PIPELINE_SUCCEEDED,
    "failed": Reason.PIPELINE_FAILED,
    "rejected": Reason.PIPELINE_REJECTED,
}


@dataclass(slots=True)
class TriggerState:
    """One trigger and where it stands."""

    trigger: Trigger
    status: TriggerStatus
    model_version: str | None = None
    detail: str | None = None

    @property
    def open(self) -> bool:
        """Whether anything is still to come of it."""
        return self.status not in FINAL

    def snapshot(self) -> dict[str, Any]:
        """Plain values, for `restore` and for the view."""
        return {
            **self.trigger.model_dump(mode="json"),
            "status": self.status,
            "result_version": self.model_version,
            "detail": self.detail,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> TriggerState:
        """The same again."""
        return cls(Trigger.model_validate(data), data["status"], data["result_version"], data["detail"])


def renew(trigger: Trigger, *, now: float, policy: Policy) -> Trigger:
    """The trigger as it is published once approved: a pipeline has its time from then on."""
    return trigger.model_copy(update={"deadline_at": _deadline(trigger.requested_at, now, policy)})


def _deadline(at: float, now: float, policy: Policy) -> float:
    return max(at, now) + policy.accept_within_hours * 3_600


def request_trigger(
    action: Action,
    model_id: str,
    request: Request,
    *,
    alert_id: str | None,
    at: float,
    now: float,
    about: int,
    policy: Policy,
) -> Trigger:
    """The trigger for `request`; its id follows from the action and the number of the signal it is about."""
    return Trigger(
        trigger_id=stable_id("trigger", action, model_id, about, alert_id or ""),
        action=action,
        model_id=model_id,
        model_version=request.model_version,
        target_version=request.target_version,
        alert_id=alert_id,
        reason=request.reason,
        dataset=None if request.dataset is None else Dataset.model_validate(request.dataset),
        requested_at=at,
        deadline_at=_deadline(at, now, policy),
    )
