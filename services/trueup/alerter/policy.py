"""Whether an action is taken: the team's policy, what is already under way, and whether it would help at all."""

from __future__ import annotations

from collections.abc import Iterable

from trueup.alerter.config import Policy
from trueup.alerter.trigger_life import TriggerState
from trueup_schemas.reason import Reason
from trueup_schemas.trigger import Action

#: The decisions after which a trigger exists.
GOES_AHEAD = frozenset({Reason.REQUESTED, Reason.AWAITING_APPROVAL})
#: The decisions that time alone changes: the wish is remembered.
NOT_YET = frozenset({Reason.TRIGGER_OPEN, Reason.COOLING_DOWN})


def decide(
    action: Action, policy: Policy, known: Iterable[TriggerState], *, now: float, retraining_helps: bool
) -> Reason:
    """What becomes of the wish for `action`, given the model's triggers so far (`known`).

    `now` is the later of event time and tick: reading old data in passes no cooldown.
    """
    mode = policy.mode(action)
    if mode == "off":
        return Reason.POLICY_OFF
    if action == "retrain" and not retraining_helps:
        return Reason.RETRAINING_WILL_NOT_HELP
    same = [state for state in known if state.trigger.action == action]
    if any(state.open for state in same):
        return Reason.TRIGGER_OPEN
    if any(now - state.asked_at < policy.cooldown_hours * 3_600 for state in same):
        return Reason.COOLING_DOWN
    return Reason.AWAITING_APPROVAL if mode == "approve" else Reason.REQUESTED
