"""What a team may say about decisions. All of it is optional."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import BaseModel, ConfigDict, Field

from trueup_schemas.trigger import Action
from trueup_schemas.values import Name, Text

Mode = Literal["auto", "approve", "off"]
Hours = Annotated[float, Field(ge=0, le=24 * 365)]


class Policy(BaseModel):
    """What may be done about one model without asking, and how often."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    retrain: Mode = "auto"
    rollback: Mode = "auto"
    promote: Mode = "off"
    #: After a trigger, the next one for the same model and action is withheld for so long.
    cooldown_hours: Hours = 24.0
    #: People have so long to approve or reject a trigger: the default spans a long weekend.
    approve_within_hours: Hours = 96.0
    #: A pipeline has so long to accept a trigger.
    accept_within_hours: Hours = 24.0
    #: A pipeline has so long to finish a trigger, counted from when it accepted: the default leaves room for a
    #: training of a day that had to be started again.
    finish_within_hours: Hours = 72.0

    def mode(self, action: Action) -> Mode:
        """How this action is handled."""
        modes: dict[Action, Mode] = {"retrain": self.retrain, "rollback": self.rollback, "promote": self.promote}
        return modes[action]


class AlerterConfig(BaseModel):
    """The alerter's settings."""

    model_config = ConfigDict(frozen=True, extra="forbid")

    #: An alert resolves once the error of the last 24 hours was back within the bound it fired on for so long.
    resolve_after_hours: Hours = 24.0
    #: A version is out of use, and its alerts are over, once for so long other versions closed windows and it closed
    #: none, or the whole model made no predictions.
    silent_after_hours: Hours = 168.0
    #: A day with fewer outcomes than this says nothing, for or against.
    least_outcomes: Annotated[int, Field(ge=1)] = 100
    #: `{model_id}` in these is replaced.
    console_url: Text | None = None
    runbook_url: Text | None = None
    policy: Policy = Policy()
    models: dict[Name, Policy] = {}

    def of(self, model_id: str) -> Policy:
        """The policy of one model: what is said of it, and for the rest that of the fleet."""
        said = self.models.get(model_id)
        if said is None:
            return self.policy
        return self.policy.model_copy(update={name: getattr(said, name) for name in said.model_fields_set})
