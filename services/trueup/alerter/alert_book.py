"""Opens, changes and ends alerts, and publishes each that an event changed once, as one new revision."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Protocol

from trueup.alerter import alert_life
from trueup.alerter.cause import Cause
from trueup.alerter.config import AlerterConfig
from trueup.alerter.model import Model
from trueup.alerter.outputs import Outputs
from trueup_schemas.alert import Alert, AlertKind
from trueup_schemas.reason import Reason

#: Why an alert of each kind was opened, as the audit says it; of trouble with a trigger, its end is the reason.
OPENED: Mapping[AlertKind, Reason] = {
    "performance_drop": Reason.ERROR_ROSE,
    "version_worse": Reason.VERSION_WORSE,
    "data_fault": Reason.DATA_FAULTY,
    "blind": Reason.CANNOT_TELL,
    "trigger_trouble": Reason.PIPELINE_FAILED,
}


class Note(Protocol):
    """Writes into the audit what was decided about a model that is known."""

    def __call__(
        self, model: Model, at: float, what: str, reason: Reason, subject: str | None = None, **detail: Any
    ) -> None: ...


class AlertBook:
    """The alerts of all models of a partition; they themselves lie with their models.

    Whoever changes any calls `publish` before the next event.
    """

    def __init__(self, partition: int, config: AlerterConfig, outputs: Outputs, note: Note) -> None:
        self._partition = partition
        self._config = config
        self._outputs = outputs
        self._note = note
        #: Alert id -> its model, of what changed since the last `publish`, in order.
        self._changed: dict[str, Model] = {}

    def fire(self, kind: AlertKind, model: Model, signal: Mapping[str, Any], why: Cause) -> Alert:
        """The alert about this signal: the one that fires already for this version, or a new one."""
        firing = model.firing(kind, signal["model_version"])
        if firing:
            self._note(model, signal["at"], "alert_kept", Reason.ALREADY_FIRING, firing[0].alert_id)
            return firing[0]
        return self.open(kind, model, signal, why)

    def open(
        self, kind: AlertKind, model: Model, signal: Mapping[str, Any], why: Cause, reason: Reason | None = None
    ) -> Alert:
        """A new alert about this signal."""
        alert = alert_life.open_alert(kind, signal, why, partition=self._partition, config=self._config)
        self._put(model, alert)
        self._note(model, signal["at"], "alert_opened", reason or OPENED[kind], alert.alert_id)
        return alert

    def learn(self, model: Model, alert_id: str, signal: Mapping[str, Any], why: Cause | None = None) -> Alert:
        """More is known of what an alert is about: no second alert, a revision of this one."""
        self._put(model, alert_life.learn(model.alerts[alert_id], signal, why))
        self._note(model, signal["at"], "alert_kept", Reason.ALREADY_FIRING, alert_id)
        return model.alerts[alert_id]

    def resolve(self, model: Model, alert_id: str, at: float, why: Reason) -> None:
        """It is over, and so is what was noted down for its end."""
        self._put(model, alert_life.resolve(model.alerts[alert_id], at, why))
        model.calm_since.pop(alert_id, None)
        model.silent_since.pop(alert_id, None)
        self._note(model, at, "alert_resolved", why, alert_id)

    def acknowledge(self, model: Model, alert_id: str, at: float, author: str) -> None:
        """Somebody has taken it up."""
        self._put(model, alert_life.acknowledge(model.alerts[alert_id], at, author))
        self._note(model, at, "alert_acknowledged", Reason.ACKNOWLEDGED, alert_id, author=author)

    def mention_trigger(self, model: Model, alert_id: str | None, at: float) -> None:
        """The alert, unless it is over, says where the latest trigger for it stands."""
        if alert_id is None or not model.concerns_anybody(alert_id):
            return
        latest = [state for state in model.triggers.values() if state.trigger.alert_id == alert_id][-1]
        self._put(model, alert_life.mention(model.alerts[alert_id], at, latest))

    def publish(self) -> None:
        """One new revision of each alert that changed."""
        for alert_id, model in self._changed.items():
            model.alerts[alert_id] = revised = alert_life.revise(model.alerts[alert_id])
            self._outputs.alert(revised)
        self._changed = {}

    def _put(self, model: Model, alert: Alert) -> None:
        model.alerts[alert.alert_id] = alert
        self._changed[alert.alert_id] = model
