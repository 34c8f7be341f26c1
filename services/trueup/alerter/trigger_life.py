"""What a trigger goes through, as the alerter sees it: requested or awaiting approval, then what the pipeline says.

awaiting_approval ─ approve ─> requested ─> accepted ─> running ─> succeeded <─ at last ─ expired
          │                        │            │          │  └──> failed
          ├─ reject ─> rejected    │            │          └─────> rejected (by the pipeline)
          └─ late, or its alert is over ───────────────── late ──> expired

A status never goes back. What a pipeline achieved counts even after its time was up.
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
#: How far along a trigger is; each end is further than any of these.
_STAGE: Mapping[str, int] = {"awaiting_approval": 0, "requested": 1, "accepted": 2, "running": 3}
_ENDED = 4
#: What a pipeline's word is called among the reasons, where it is heard.
REPORTED: Mapping[str, Reason] = {
    "accepted": Reason.PIPELINE_ACCEPTED,
    "running": Reason.PIPELINE_RUNNING,
    "succeeded": Reason.PIPELINE_SUCCEEDED,
    "failed": Reason.PIPELINE_FAILED,
    "rejected": Reason.PIPELINE_REJECTED,
}
HEARD = frozenset(REPORTED.values())
#: Why a trigger expires that stays in a status for too long.
LATE: Mapping[TriggerStatus, Reason] = {
    "awaiting_approval": Reason.NOT_APPROVED_IN_TIME,
    "requested": Reason.NOT_ACCEPTED_IN_TIME,
    "accepted": Reason.NOT_FINISHED_IN_TIME,
    "running": Reason.NOT_FINISHED_IN_TIME,
}
#: The ends that are a page, in words. That nobody approved is none: the people who would be called were asked.
TROUBLE: Mapping[Reason, str] = {
    Reason.PIPELINE_FAILED: "failed",
    Reason.NOT_ACCEPTED_IN_TIME: "was accepted by no pipeline in time",
    Reason.NOT_FINISHED_IN_TIME: "was accepted by a pipeline and not finished in time",
}


@dataclass(slots=True)
class TriggerState:
    """One trigger and where it stands. Its times are those of the deadlines: the later of event time and tick."""

    trigger: Trigger
    status: TriggerStatus
    #: When it came to be, for the cooldown.
    asked_at: float
    #: When it expires, unless it gets on before.
    expires_at: float
    #: Whether pipelines were given it.
    published: bool = False
    model_version: str | None = None
    detail: str | None = None

    @property
    def open(self) -> bool:
        """Whether anything is still to come of it."""
        return self.status not in FINAL

    def publish(self, *, now: float, policy: Policy) -> None:
        """Give it to the pipelines, which have their time from now on."""
        self.status, self.published = "requested", True
        self.expires_at = now + policy.accept_within_hours * 3_600
        self.trigger = self.trigger.model_copy(update={"deadline_at": self.expires_at})

    def hear(self, update: Mapping[str, Any], *, now: float, policy: Policy) -> None:
        """Get on as the pipeline says; from acceptance on it has its time to finish."""
        if self.status == "requested":
            self.expires_at = now + policy.finish_within_hours * 3_600
        self.status = update["status"]
        self.model_version = update.get("model_version") or self.model_version
        self.detail = update.get("detail") or self.detail

    def snapshot(self) -> dict[str, Any]:
        """Plain values, for `restore` and for the view."""
        return {
            **self.trigger.model_dump(mode="json"),
            "status": self.status,
            "asked_at": self.asked_at,
            "expires_at": self.expires_at,
            "published": self.published,
            "result_version": self.model_version,
            "detail": self.detail,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> TriggerState:
        """The same again."""
        return cls(
            trigger=Trigger.model_validate(data),
            status=data["status"],
            asked_at=data["asked_at"],
            expires_at=data["expires_at"],
            published=data["published"],
            model_version=data["result_version"],
            detail=data["detail"],
        )


def judge(state: TriggerState | None, word: str) -> Reason:
    """What becomes of a pipeline's `word` on a trigger: one of `HEARD`, or why it is ignored."""
    if state is None:
        return Reason.UNKNOWN_TRIGGER
    if not state.published:
        return Reason.AWAITING_APPROVAL if state.open else Reason.TRIGGER_FINISHED
    if not state.open:
        corrects = state.status == "expired" and word == "succeeded"
        return Reason.PIPELINE_SUCCEEDED if corrects else Reason.TRIGGER_FINISHED
    goes_back = _STAGE.get(word, _ENDED) < _STAGE[state.status]
    return Reason.UPDATE_OUT_OF_ORDER if goes_back else REPORTED[word]


def make_trigger(
    action: Action, model_id: str, request: Request, *, alert_id: str | None, at: float, about: str
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
        deadline_at=at,
    )


def begin(trigger: Trigger, decision: Reason, *, at: float, now: float, policy: Policy) -> TriggerState:
    """The trigger's first state after the `decision` to go ahead: published, or waiting for a person.

    `at` is the event time, `now` the later of it and the tick: a replay's pipeline deploys as of `requested_at`.
    """
    expires_at = now + policy.approve_within_hours * 3_600
    trigger = trigger.model_copy(update={"requested_at": at, "deadline_at": expires_at})
    state = TriggerState(trigger, "awaiting_approval", asked_at=now, expires_at=expires_at)
    if decision is Reason.REQUESTED:
        state.publish(now=now, policy=policy)
    return state
