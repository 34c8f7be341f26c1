"""The alerter's step: signals of one partition in, alerts, triggers and audit out. Start reading here.

change_detected (pages) ──> performance_drop ──> retrain?
versions_compared worse ──> version_worse ─────> rollback?      better ──> promote?
window_closed ────────────> back within bounds for long enough? ──> resolved
deployment_seen champion ─> alerts of the versions before it are superseded
data_fault, blind ────────> an alert of their own
trigger-updates, commands > the life of triggers and alerts
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import orjson

from trueup import snapshots
from trueup.alerter import alert_life, cause, policy, trigger_life
from trueup.alerter.actions import ACTIONS
from trueup.alerter.cause import Cause
from trueup.alerter.config import AlerterConfig
from trueup.alerter.model import Model
from trueup.alerter.outputs import Outputs
from trueup.alerter.trigger_life import TriggerState
from trueup.step import Arrival, Effects
from trueup_schemas.alert import Alert, AlertKind
from trueup_schemas.reason import Reason
from trueup_schemas.trigger import Action

#: Version of the form in which state is saved.
FORM = 1
PARTITION = "partition"
MODEL = "model/"
#: In place of a model, in the audit of what concerns all of them.
FLEET = "*"
HOUR = 3_600.0
SignalData = Mapping[str, Any]


class AlerterStep:
    """The fold of one partition. See `trueup.step.Step` for what it promises."""

    def __init__(self, partition: int, config: AlerterConfig) -> None:
        self._partition = partition
        self._config = config
        self._models: dict[str, Model] = {}
        self._number = 0
        self._event_time: float | None = None
        #: The latest tick: deadlines count from it where old data is read in.
        self._now = 0.0
        self._outputs = Outputs(partition)
        self._changed: set[str] = set()
        self._topics: Mapping[str, Callable[[Arrival], None]] = {
            "signals": self._signal,
            "trigger-updates": self._update,
            "commands": self._command,
        }
        self._signals: Mapping[str, Callable[[Model, SignalData], None]] = {
            "change_detected": self._change,
            "versions_compared": self._compared,
            "window_closed": self._window,
            "deployment_seen": self._deployed,
            "data_fault": self._fault,
            "blind": self._blind,
        }

    # -- the port ---------------------------------------------------------------------------------------------------

    @property
    def event_time(self) -> float | None:
        return self._event_time

    @property
    def urgent(self) -> bool:
        return self._outputs.urgent

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int]) -> None:  # noqa: ARG002
        handle = self._topics[topic]
        for arrival in arrivals:
            handle(arrival)

    def tick(self, now: float) -> None:
        self._now = now
        for _, model in sorted(self._models.items()):
            for state in list(model.triggers.values()):
                if state.status == "requested" and now > state.trigger.deadline_at:
                    self._expire(model, state, now)

    def effects(self) -> Effects:
        effects = Effects(urgent=self._outputs.urgent, outputs=self._outputs.drain())
        for model_id in sorted(self._changed):
            model = self._models[model_id]
            model.forget_ended()
            effects.sections[MODEL + model_id] = snapshots.pack(FORM, model.snapshot())
            effects.views[MODEL + model_id] = orjson.dumps(model.view())
        partition = {
            "number": self._number,
            "event_time": self._event_time,
            "now": self._now,
            "audited": self._outputs.audited,
        }
        effects.sections[PARTITION] = snapshots.pack(FORM, partition)
        self._changed = set()
        return effects

    # -- signals ----------------------------------------------------------------------------------------------------

    def _signal(self, arrival: Arrival) -> None:
        signal = arrival.event
        if signal["number"] <= self._number:
            return  # a repeat: the monitor published its outbox twice
        self._number = signal["number"]
        self._event_time = max(self._event_time or 0.0, signal["at"])
        handle = self._signals.get(signal["type"])
        if handle is not None:
            handle(self._model(signal["model_id"]), signal)

    def _change(self, model: Model, signal: SignalData) -> None:
        if not signal["pages"]:
            return
        why = cause.of_change(signal, model.faults)
        alert = self._fire("performance_drop", model, signal, why)
        self._wish("retrain", model, signal, alert, retraining_helps=why.retraining_helps)

    def _compared(self, model: Model, signal: SignalData) -> None:
        if signal["verdict"] == "better":
            self._wish("promote", model, signal, None)
            return
        alert = self._fire("version_worse", model, signal, cause.of_comparison(signal))
        self._wish("rollback", model, signal, alert)

    def _window(self, model: Model, signal: SignalData) -> None:
        for alert in model.firing("performance_drop", signal["model_version"]):
            day = signal["day"]
            if day["n"] < self._config.least_outcomes:
                continue  # too little to tell: neither calm nor not
            if day["mean"] > alert.evidence["reference"]["bound"]:
                model.calm_since.pop(alert.alert_id, None)
            else:
                since = model.calm_since.setdefault(alert.alert_id, signal["at"])
                if signal["at"] - since >= self._config.resolve_after_hours * HOUR:
                    self._resolve(model, alert, signal["at"], Reason.RECOVERED)
            self._changed.add(model.model_id)

    def _deployed(self, model: Model, signal: SignalData) -> None:
        detail = {"model_version": signal["model_version"], "role": signal["role"]}
        self._outputs.audit(
            model.model_id, signal["at"], "version_deployed", Reason.VERSION_DEPLOYED, signal.get("trigger_id"), detail
        )
        if signal["role"] not in ("champion", "retired"):
            return
        kinds: tuple[AlertKind, ...] = ("performance_drop", "version_worse", "trigger_trouble")
        for alert in [alert for kind in kinds for alert in model.firing(kind)]:
            same = alert.model_version == signal["model_version"]
            if same == (signal["role"] == "retired"):
                self._resolve(model, alert, signal["at"], Reason.SUPERSEDED)

    def _fault(self, model: Model, signal: SignalData) -> None:
        model.faults[signal.get("feature") or "*"] = signal["fault"]
        self._fire("data_fault", model, signal, cause.of_fault(signal))

    def _blind(self, model: Model, signal: SignalData) -> None:
        same = [alert for alert in model.firing("blind") if alert.evidence["missing"] == signal["missing"]]
        if signal["ended"]:
            for alert in same:
                self._resolve(model, alert, signal["at"], Reason.SIGHT_RESTORED)
        elif not same:
            self._open("blind", model, signal, cause.of_blindness(signal))

    # -- alerts -----------------------------------------------------------------------------------------------------

    def _fire(self, kind: AlertKind, model: Model, signal: SignalData, why: Cause) -> Alert:
        """The alert about this signal: the one that fires already for this version, or a new one."""
        firing = model.firing(kind, signal["model_version"])
        if firing:
            self._audit(model, signal["at"], "alert_kept", Reason.ALREADY_FIRING, firing[0].alert_id)
            return firing[0]
        return self._open(kind, model, signal, why)

    def _open(self, kind: AlertKind, model: Model, signal: SignalData, why: Cause) -> Alert:
        alert = alert_life.open_alert(kind, signal, why, partition=self._partition, config=self._config)
        model.alerts[alert.alert_id] = alert
        self._outputs.alert(alert)
        self._audit(model, signal["at"], "alert_opened", OPENED[kind], alert.alert_id)
        return alert

    def _resolve(self, model: Model, alert: Alert, at: float, why: Reason) -> None:
        resolved = alert_life.resolve(alert, max(at, alert.updated_at), why)
        model.alerts[alert.alert_id] = resolved
        model.calm_since.pop(alert.alert_id, None)
        self._outputs.alert(resolved)
        self._audit(model, at, "alert_resolved", why, alert.alert_id)

    # -- triggers ---------------------------------------------------------------------------------------------------

    def _wish(
        self, action: Action, model: Model, signal: SignalData, alert: Alert | None, *, retraining_helps: bool = True
    ) -> None:
        """Take `action` if there is something to ask for and policy lets it; say in the audit what became of it."""
        at, alert_id = signal["at"], None if alert is None else alert.alert_id
        request = ACTIONS[action](signal)
        if request is None:
            self._audit(model, at, "trigger_withheld", Reason.NOTHING_LABELLED, alert_id, action=action)
            return
        rules = self._config.of(model.model_id)
        reason = policy.decide(action, rules, model.triggers.values(), now=at, retraining_helps=retraining_helps)
        if reason not in policy.GOES_AHEAD:
            self._audit(model, at, "trigger_withheld", reason, alert_id, action=action)
            return
        trigger = trigger_life.request_trigger(
            action,
            model.model_id,
            request,
            alert_id=alert_id,
            at=at,
            now=self._now,
            about=signal["number"],
            policy=rules,
        )
        status: trigger_life.TriggerStatus = "requested" if reason is Reason.REQUESTED else "awaiting_approval"
        model.triggers[trigger.trigger_id] = TriggerState(trigger, status)
        if status == "requested":
            self._outputs.trigger(trigger)
        self._audit(model, at, f"trigger_{status}", reason, trigger.trigger_id, action=action)

    def _update(self, arrival: Arrival) -> None:
        update = arrival.event
        at = update.get("updated_at") or arrival.timestamp
        model = self._model(update["model_id"])
        state = model.triggers.get(update["trigger_id"])
        if state is None or not state.open:
            self._audit(model, at, "update_ignored", Reason.UNKNOWN_TRIGGER, update["trigger_id"])
            return
        state.status = update["status"]
        state.model_version = update.get("model_version") or state.model_version
        state.detail = update.get("detail") or state.detail
        reason = trigger_life.REPORTED[update["status"]]
        self._audit(model, at, f"trigger_{state.status}", reason, state.trigger.trigger_id, detail=state.detail)
        if state.status == "failed":
            self._trouble(model, state, self._event_time or at, "failed")

    def _expire(self, model: Model, state: TriggerState, now: float) -> None:
        state.status = "expired"
        self._audit(model, now, "trigger_expired", Reason.NOT_ACCEPTED_IN_TIME, state.trigger.trigger_id)
        self._trouble(model, state, now, "was accepted by no pipeline in time")

    def _trouble(self, model: Model, state: TriggerState, at: float, what: str) -> None:
        trigger = state.trigger
        about = {
            "model_id": model.model_id,
            "model_version": trigger.model_version,
            "at": at,
            "number": trigger.trigger_id,
            "trigger_id": trigger.trigger_id,
            "detail": state.detail,
        }
        self._open(
            "trigger_trouble", model, about, cause.of_trouble(model.model_id, trigger.action, what, state.detail)
        )

    # -- commands ---------------------------------------------------------------------------------------------------

    def _command(self, arrival: Arrival) -> None:
        command = arrival.event
        at = command.get("issued_at") or arrival.timestamp
        subject, name, author = command.get("subject"), command["command"], command["author"]
        if not command.get("model_id") or subject is None:
            detail = {"author": author, "command": name}
            model_id = command.get("model_id") or FLEET
            self._outputs.audit(model_id, at, "command_ignored", Reason.UNKNOWN_SUBJECT, subject, detail)
            return
        model = self._model(command["model_id"])
        alert, state = model.alerts.get(subject), model.triggers.get(subject)
        if name == "acknowledge" and alert is not None and alert.status == "firing":
            model.alerts[subject] = taken = alert_life.acknowledge(alert, at, author)
            self._outputs.alert(taken)
            self._audit(model, at, "alert_acknowledged", Reason.ACKNOWLEDGED, subject, author=author)
        elif name in ("approve", "reject") and state is not None and state.status == "awaiting_approval":
            state.status = "requested" if name == "approve" else "rejected"
            if name == "approve":
                rules = self._config.of(model.model_id)
                state.trigger = trigger_life.renew(state.trigger, now=self._now, policy=rules)
                self._outputs.trigger(state.trigger)
            reason = Reason.APPROVED if name == "approve" else Reason.REJECTED
            self._audit(model, at, f"trigger_{state.status}", reason, subject, author=author)
        else:
            self._audit(model, at, "command_ignored", Reason.UNKNOWN_SUBJECT, subject, author=author, command=name)

    # -- state ------------------------------------------------------------------------------------------------------

    def _model(self, model_id: str) -> Model:
        model = self._models.get(model_id)
        if model is None:
            model = self._models[model_id] = Model(model_id)
        return model

    def _audit(
        self, model: Model, at: float, what: str, reason: Reason, subject: str | None = None, **detail: Any
    ) -> None:
        self._changed.add(model.model_id)
        self._outputs.audit(model.model_id, at, what, reason, subject, detail)


#: Why an alert of each kind was opened, as the audit says it.
OPENED: Mapping[AlertKind, Reason] = {
    "performance_drop": Reason.ERROR_ROSE,
    "version_worse": Reason.VERSION_WORSE,
    "data_fault": Reason.DATA_FAULTY,
    "blind": Reason.CANNOT_TELL,
    "trigger_trouble": Reason.PIPELINE_FAILED,
}


def restore(partition: int, saved: Mapping[str, bytes], *, config: AlerterConfig) -> AlerterStep:
    """The step of one partition from its saved sections, or a new one from none.

    Raises:
        UnknownSnapshot: saved in a form that this code does not read.
    """
    step = AlerterStep(partition, config)
    for name, raw in saved.items():
        _, data = snapshots.unpack(raw, known=[FORM], what=name)
        if name == PARTITION:
            step._number, step._event_time = data["number"], data["event_time"]
            step._now, step._outputs.audited = data["now"], data["audited"]
        else:
            model_id = name.removeprefix(MODEL)
            step._models[model_id] = Model.restore(model_id, data)
    return step
