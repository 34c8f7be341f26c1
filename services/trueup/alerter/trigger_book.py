"""Asks for actions, hears what pipelines and people say of them, and ends what nobody takes any further."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.alerter import cause, policy, trigger_life
from trueup.alerter.actions import ACTIONS
from trueup.alerter.alert_book import AlertBook, Note
from trueup.alerter.config import AlerterConfig
from trueup.alerter.model import Model
from trueup.alerter.outputs import Outputs
from trueup.alerter.trigger_life import TriggerState
from trueup_schemas.alert import Alert
from trueup_schemas.reason import Reason
from trueup_schemas.trigger import Action, Trigger


class TriggerBook:
    """The triggers of all models of a partition; they themselves lie with their models.

    `at` is always the time to write down, mostly event time; `now`, which deadlines and cooldowns count by, is the
    later of event time and tick.
    """

    def __init__(self, config: AlerterConfig, outputs: Outputs, alerts: AlertBook, note: Note) -> None:
        self._config = config
        self._outputs = outputs
        self._alerts = alerts
        self._note = note

    # -- asking -----------------------------------------------------------------------------------------------------

    def wish(
        self,
        action: Action,
        model: Model,
        signal: Mapping[str, Any],
        alert: Alert | None,
        *,
        now: float,
        retraining_helps: bool = True,
    ) -> None:
        """Take `action` if there is something to ask for and policy lets it; say in the audit what became of it.

        What only comes too soon is remembered for `try_again`, in place of an earlier wish for the same action.
        """
        at, alert_id = signal["at"], None if alert is None else alert.alert_id
        request = ACTIONS[action](signal)
        if request is None:
            self._note(model, at, "trigger_withheld", Reason.NOTHING_LABELLED, alert_id, action=action)
            return
        trigger = trigger_life.make_trigger(
            action,
            model.model_id,
            request,
            alert_id=alert_id,
            at=at,
            about=f"{signal.get('series', 0)}/{signal['number']}",
        )
        reason = self._ask(action, model, trigger, at=at, now=now, retraining_helps=retraining_helps)
        model.wishes.pop(action, None)
        if reason in policy.NOT_YET:
            model.wishes[action] = trigger
        if reason not in policy.GOES_AHEAD:
            self._note(model, at, "trigger_withheld", reason, alert_id, action=action)

    def try_again(self, model: Model, *, at: float, now: float) -> None:
        """Ask for what was withheld for a time only. What it was for still stands: else `withdraw` dropped it."""
        for action, trigger in sorted(model.wishes.items()):
            reason = self._ask(action, model, trigger, at=at, now=now, retraining_helps=not model.faults)
            if reason in policy.NOT_YET:
                continue
            del model.wishes[action]
            if reason not in policy.GOES_AHEAD:
                self._note(model, at, "trigger_withheld", reason, trigger.alert_id, action=action)

    def _ask(
        self, action: Action, model: Model, trigger: Trigger, *, at: float, now: float, retraining_helps: bool
    ) -> Reason:
        rules = self._config.of(model.model_id)
        reason = policy.decide(action, rules, model.triggers.values(), now=now, retraining_helps=retraining_helps)
        if reason in policy.GOES_AHEAD:
            state = trigger_life.begin(trigger, reason, at=at, now=now, policy=rules)
            model.triggers[trigger.trigger_id] = state
            if state.published:
                self._outputs.trigger(state.trigger)
            self._note(model, at, f"trigger_{state.status}", reason, trigger.trigger_id, action=action)
            self._alerts.mention_trigger(model, trigger.alert_id, at)
        return reason

    # -- hearing ----------------------------------------------------------------------------------------------------

    def update(self, model: Model, update: Mapping[str, Any], *, at: float, written_at: float, now: float) -> None:
        """What a pipeline says, written at `written_at` by its own clock."""
        state = model.triggers.get(update["trigger_id"])
        reason = trigger_life.judge(state, update["status"])
        if state is None or reason not in trigger_life.HEARD:
            self._note(model, written_at, "update_ignored", reason, update["trigger_id"])
            return
        state.hear(update, now=now, policy=self._config.of(model.model_id))
        trigger_id = state.trigger.trigger_id
        self._note(model, written_at, f"trigger_{state.status}", reason, trigger_id, detail=state.detail)
        if state.status == "succeeded":
            self._end_trouble(model, state, at)
        if not state.open:
            self._ended(model, state, at, reason)

    def approve(self, model: Model, state: TriggerState, *, at: float, now: float, author: str) -> None:
        """Publish a trigger that waited for it."""
        state.publish(now=now, policy=self._config.of(model.model_id))
        self._outputs.trigger(state.trigger)
        self._note(model, at, "trigger_requested", Reason.APPROVED, state.trigger.trigger_id, author=author)
        self._alerts.mention_trigger(model, state.trigger.alert_id, at)

    def reject(self, model: Model, state: TriggerState, *, at: float, author: str) -> None:
        """End a trigger that waited; that answers also what was wished for while it did."""
        state.status = "rejected"
        for action in [action for action in model.wishes if action == state.trigger.action]:
            del model.wishes[action]
        self._note(model, at, "trigger_rejected", Reason.REJECTED, state.trigger.trigger_id, author=author)
        self._ended(model, state, at, Reason.REJECTED)

    # -- ending -----------------------------------------------------------------------------------------------------

    def expire_late(self, model: Model, now: float) -> None:
        """End every trigger whose time is up."""
        for state in [state for state in model.triggers.values() if state.open and now > state.expires_at]:
            reason = trigger_life.LATE[state.status]
            state.status = "expired"
            self._note(model, now, "trigger_expired", reason, state.trigger.trigger_id)
            self._ended(model, state, now, reason)

    def withdraw(self, model: Model, alert_id: str, at: float) -> None:
        """End what waits for a person, or for its time, for the sake of an alert that is about to be over."""
        for action in [action for action, trigger in model.wishes.items() if trigger.alert_id == alert_id]:
            del model.wishes[action]
        for state in model.triggers.values():
            if state.trigger.alert_id == alert_id and state.status == "awaiting_approval":
                state.status = "expired"
                self._note(model, at, "trigger_expired", Reason.ALERT_RESOLVED, state.trigger.trigger_id)
                self._ended(model, state, at, Reason.ALERT_RESOLVED)

    def _ended(self, model: Model, state: TriggerState, at: float, reason: Reason) -> None:
        """Tell on-call: in the alert that it was for while that stands, and by a page where it ended in trouble."""
        trigger, what = state.trigger, trigger_life.TROUBLE.get(reason)
        self._alerts.mention_trigger(model, trigger.alert_id, at)
        if what is None or not model.concerns_anybody(trigger.alert_id):
            return
        about = {
            "model_id": model.model_id,
            "model_version": trigger.model_version,
            "at": at,
            "number": trigger.trigger_id,
            "trigger_id": trigger.trigger_id,
            "action": trigger.action,
            "alert_id": trigger.alert_id,
            "detail": state.detail,
        }
        why = cause.of_trouble(model.model_id, trigger.action, what, state.detail)
        self._alerts.open("trigger_trouble", model, about, why, reason)

    def _end_trouble(self, model: Model, state: TriggerState, at: float) -> None:
        """What succeeded makes up for itself and for all triggers of the same action before it."""
        order = list(model.triggers)
        later = order[order.index(state.trigger.trigger_id) + 1 :]
        for alert in model.firing("trigger_trouble"):
            about = alert.evidence
            if about["action"] == state.trigger.action and about["trigger_id"] not in later:
                self._alerts.resolve(model, alert.alert_id, at, Reason.PIPELINE_SUCCEEDED)
