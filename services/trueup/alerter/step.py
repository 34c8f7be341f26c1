"""The alerter's step: signals of one partition in, alerts, triggers and audit out. Start reading here.

change_detected (pages) ──> performance_drop ──> retrain?
segments_moved (pages) ───> performance_drop, or more evidence for the one that fires ──> resolved, once all are back
versions_compared worse ──> version_worse ─────> rollback?      better ──> resolved, promote?
window_closed ────────────> back within bounds, or only other versions, for long enough? ──> resolved
deployment_seen champion ─> alerts of the versions before it are superseded
data_fault ───────────────> an alert, or a feature more in one that fires (`data_faults`)
blind ────────────────────> an alert of its own
trigger-updates, commands > the life of triggers and alerts
ticks ────────────────────> what is late expires, what came too soon is asked for again
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any

import orjson

from trueup import snapshots
from trueup.alerter import cause, data_faults
from trueup.alerter.alert_book import AlertBook
from trueup.alerter.config import AlerterConfig
from trueup.alerter.model import Model
from trueup.alerter.outputs import Outputs
from trueup.alerter.trigger_book import TriggerBook
from trueup.step import Arrival, Effects, Found, HoldsAllItsState
from trueup_schemas.alert import Alert, AlertKind
from trueup_schemas.reason import Reason

#: Version of the form in which state is saved.
FORM = 1
PARTITION = "partition"
#: Series of signals that have ended, of which one more signal is a repeat.
SERIES_KEPT = 20
MODEL = "model/"
#: In place of a model, in the audit of what concerns all of them.
FLEET = "*"
HOUR = 3_600.0
SignalData = Mapping[str, Any]


class AlerterStep(HoldsAllItsState):
    """The fold of one partition. See `trueup.step.Step` for what it promises."""

    def __init__(self, partition: int, config: AlerterConfig) -> None:
        self._config = config
        self._models: dict[str, Model] = {}
        self._number = 0
        self._series = 0
        self._ended_series: list[int] = []
        self._event_time: float | None = None
        #: The latest tick: deadlines count from it where old data is read in.
        self._now = 0.0
        self._outputs = Outputs(partition)
        self._alerts = AlertBook(partition, config, self._outputs, self._audit)
        self._triggers = TriggerBook(config, self._outputs, self._alerts, self._audit)
        self._changed: set[str] = set()
        self._topics: Mapping[str, Callable[[Arrival], None]] = {
            "signals": self._signal,
            "trigger-updates": self._update,
            "commands": self._command,
        }
        self._signals: Mapping[str, Callable[[Model, SignalData], None]] = {
            "change_detected": self._change,
            "segments_moved": self._segments_moved,
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

    def take(
        self,
        topic: str,
        arrivals: Sequence[Arrival],
        positions: Mapping[str, int],  # noqa: ARG002
        found: Found,  # noqa: ARG002
    ) -> None:
        handle = self._topics[topic]
        for arrival in arrivals:
            handle(arrival)
            self._alerts.publish()

    def tick(self, now: float, found: Found) -> None:  # noqa: ARG002
        self._now = now
        for _, model in sorted(self._models.items()):
            self._triggers.expire_late(model, now)
            self._end_unused(model, now)
            self._try_again(model)
        self._alerts.publish()

    def effects(self) -> Effects:
        effects = Effects(urgent=self._outputs.urgent, outputs=self._outputs.drain())
        for model_id in sorted(self._changed):
            model = self._models[model_id]
            model.forget_ended()
            effects.sections[MODEL + model_id] = snapshots.pack(FORM, model.snapshot())
            effects.views[MODEL + model_id] = orjson.dumps(model.view())
        partition = {
            "number": self._number,
            "series": self._series,
            "ended_series": self._ended_series,
            "event_time": self._event_time,
            "now": self._now,
            "audited": self._outputs.audited,
        }
        effects.sections[PARTITION] = snapshots.pack(FORM, partition)
        self._changed = set()
        return effects

    # -- signals ----------------------------------------------------------------------------------------------------

    def _new(self, signal: SignalData) -> bool:
        """Whether it was not seen before: the monitor publishes an outbox twice where it was killed in between.

        A monitor that lost its state counts from one again, in another series; what still comes of a series that has
        ended is a repeat.
        """
        series = signal.get("series", 0)
        if series != self._series:
            if series in self._ended_series:
                return False
            if self._number:
                self._ended_series = [*self._ended_series, self._series][-SERIES_KEPT:]
                what, why = "signals_began_anew", Reason.SIGNALS_BEGAN_ANEW
                self._outputs.audit(signal["model_id"], signal["at"], what, why, None, {"after": self._number})
            self._series, self._number = series, 0
        if signal["number"] <= self._number:
            return False
        self._number = signal["number"]
        return True

    def _signal(self, arrival: Arrival) -> None:
        signal = arrival.event
        if not self._new(signal):
            return
        self._event_time = max(self._event_time or 0.0, signal["at"])
        handle = self._signals.get(signal["type"])
        if handle is not None:
            model_id = signal["model_id"]
            model = self._models.get(model_id) or Model(model_id)
            handle(model, signal)
            if model_id in self._changed:  # else nothing is to be kept of it: most models have no alert
                self._models[model_id] = model

    def _change(self, model: Model, signal: SignalData) -> None:
        if not signal["pages"]:
            if signal["stream"] != "error":
                model.moves(signal)
                self._changed.add(model.model_id)
            return
        why = cause.of_change(signal, model.faults)
        moved = cause.moved_first(signal, model.moved)
        told = {**signal, "moved_first": moved} if len(moved) > 1 else signal
        in_parts = [alert for alert in self._dropping(model, signal) if not _about_all(alert)]
        if in_parts:
            alert = self._alerts.learn(model, in_parts[0].alert_id, told, why)
        else:
            alert = self._alerts.fire("performance_drop", model, told, why)
        self._triggers.wish("retrain", model, signal, alert, now=self._latest, retraining_helps=why.retraining_helps)

    def _segments_moved(self, model: Model, signal: SignalData) -> None:
        firing = self._dropping(model, signal)
        for alert in firing:
            self._alerts.learn(model, alert.alert_id, signal)
            if signal["ended"] and not _about_all(alert):
                self._resolve(model, alert, signal["at"], Reason.RECOVERED)
        if firing or not signal["pages"]:
            return
        why = cause.of_segments(signal, model.faults)
        alert = self._alerts.fire("performance_drop", model, signal, why)
        self._triggers.wish("retrain", model, signal, alert, now=self._latest, retraining_helps=why.retraining_helps)

    def _dropping(self, model: Model, signal: SignalData) -> list[Alert]:
        """The alerts that say that the errors of this version rose."""
        return model.firing("performance_drop", signal["model_version"])

    def _compared(self, model: Model, signal: SignalData) -> None:
        version = signal["model_version"]
        if signal["verdict"] in ("better", "not_worse"):
            for alert in model.firing("version_worse", version):
                self._resolve(model, alert, signal["at"], Reason.VERSION_BETTER)
            self._triggers.wish("promote", model, signal, None, now=self._latest)
            return
        if signal.get("role") == "shadow":
            return  # its answers reach nobody
        model.wishes.pop("promote", None)
        alert = self._alerts.fire("version_worse", model, signal, cause.of_comparison(signal))
        self._triggers.wish("rollback", model, signal, alert, now=self._latest)

    def _window(self, model: Model, signal: SignalData) -> None:
        for alert in _on_versions(model):
            self._changed.add(model.model_id)
            if model.lacks_truths:
                continue  # what is missing says nothing, for or against
            if alert.model_version != signal["model_version"]:
                since = model.silent_since.setdefault(alert.alert_id, signal["at"])
                if signal["at"] - since >= self._config.silent_after_hours * HOUR:
                    self._resolve(model, alert, signal["at"], Reason.NO_TRAFFIC)
                continue
            model.silent_since.pop(alert.alert_id, None)
            if alert.kind == "performance_drop":
                self._calm(model, alert, signal)

    def _calm(self, model: Model, alert: Alert, signal: SignalData) -> None:
        """Resolve the alert where its error was back within bounds for long enough."""
        day = signal["day"]
        if not _about_all(alert):
            return  # it ends with the segments that it is about
        if day["n"] < self._config.least_outcomes:
            return  # too little to tell: neither calm nor not
        if day["mean"] > alert.evidence["reference"]["bound"]:
            model.calm_since.pop(alert.alert_id, None)
            return
        since = model.calm_since.setdefault(alert.alert_id, signal["at"])
        waits_for_segments = alert.evidence.get("risen")
        if not waits_for_segments and signal["at"] - since >= self._config.resolve_after_hours * HOUR:
            self._resolve(model, alert, signal["at"], Reason.RECOVERED)

    def _deployed(self, model: Model, signal: SignalData) -> None:
        detail = {"model_version": signal["model_version"], "role": signal["role"]}
        self._outputs.audit(
            model.model_id, signal["at"], "version_deployed", Reason.VERSION_DEPLOYED, signal.get("trigger_id"), detail
        )
        if signal["role"] not in ("champion", "retired"):
            return
        kinds: tuple[AlertKind, ...] = ("performance_drop", "version_worse", "trigger_trouble")
        over = [alert for kind in kinds for alert in model.firing(kind)]
        for alert in over + _faults_that_end(model):
            same = alert.model_version == signal["model_version"]
            if same == (signal["role"] == "retired"):
                self._resolve(model, alert, signal["at"], Reason.SUPERSEDED)
        if model.wishes.pop("promote", None) is not None:  # it is about a champion that has just changed
            self._changed.add(model.model_id)

    def _fault(self, model: Model, signal: SignalData) -> None:
        what = cause.faulty(signal)
        if "since" not in signal:  # of a monitor that did not tell when a fault ends: one alert says it for all
            model.faults[what] = signal["fault"]
            self._alerts.fire("data_fault", model, signal, cause.of_fault(signal))
            return
        known = _faults_that_end(model)
        same = data_faults.about(known, signal)
        if signal.get("ended"):
            for alert in same:
                self._end_fault(model, alert, signal)
        elif not same:
            if cause.spoils(signal):
                model.faults[what] = signal["fault"]
            beside = data_faults.beside(known, signal)
            if beside is None:
                self._alerts.open("data_fault", model, signal, cause.of_fault(signal))
            else:
                together = data_faults.with_more(beside, signal)
                self._alerts.learn(model, beside.alert_id, together, cause.of_fault(together))

    def _end_fault(self, model: Model, alert: Alert, signal: SignalData) -> None:
        left = data_faults.with_less(alert, signal)
        if left is None:
            self._resolve(model, alert, signal["at"], Reason.RECOVERED)
            return
        self._alerts.learn(model, alert.alert_id, left, cause.of_fault(left))
        self._no_longer_faulty(model, [cause.faulty(signal)])

    def _blind(self, model: Model, signal: SignalData) -> None:
        lacks = ("missing", "segment")
        same = [
            alert
            for alert in model.firing("blind")
            if [alert.evidence.get(name) for name in lacks] == [signal.get(name) for name in lacks]
        ]
        if signal["ended"]:
            for alert in same:
                self._resolve(model, alert, signal["at"], Reason.SIGHT_RESTORED)
        elif not same:
            self._alerts.open("blind", model, signal, cause.of_blindness(signal))
            if model.lacks_truths:
                model.begin_to_wait()

    # -- what ends, and what comes after it -------------------------------------------------------------------------

    def _resolve(self, model: Model, alert: Alert, at: float, why: Reason) -> None:
        """The alert is over, with all that was waiting for its sake; where it is over already, nothing happens."""
        alert_id = alert.alert_id
        if not model.concerns_anybody(alert_id):
            return
        self._triggers.withdraw(model, alert_id, at)
        self._alerts.resolve(model, alert_id, at, why)
        if alert.kind == "data_fault":
            self._no_longer_faulty(model, data_faults.standing(alert))
        for trouble in model.firing("trigger_trouble"):
            if trouble.evidence["alert_id"] == alert_id:
                self._alerts.resolve(model, trouble.alert_id, at, why)

    def _no_longer_faulty(self, model: Model, ended: Iterable[str]) -> None:
        """Forget these faults, where no alert says the same of the same data."""
        still = {what for alert in model.firing("data_fault") for what in data_faults.standing(alert)}
        for what in ended:
            if what not in still:
                model.faults.pop(what, None)

    def _end_unused(self, model: Model, now: float) -> None:
        """A model that made no predictions for long is used by nobody: nothing is wrong with its versions any more.

        Where only the truth is missing nothing ends: that says nothing, for or against.
        """
        for blindness in model.firing("blind"):
            missing, since = blindness.evidence["missing"], blindness.evidence["since"]
            if missing == "predictions" and now - since >= self._config.silent_after_hours * HOUR:
                for alert in _on_versions(model):
                    self._resolve(model, alert, now, Reason.NO_TRAFFIC)

    def _try_again(self, model: Model) -> None:
        self._triggers.try_again(model, at=self._event_time or self._now, now=self._latest)

    # -- what pipelines and people say ------------------------------------------------------------------------------

    def _update(self, arrival: Arrival) -> None:
        update = arrival.event
        written_at = update.get("updated_at") or arrival.timestamp
        model = self._models.get(update["model_id"])
        if model is None:
            self._outputs.audit(
                update["model_id"], written_at, "update_ignored", Reason.UNKNOWN_TRIGGER, update["trigger_id"], {}
            )
            return
        at = self._event_time or written_at
        self._triggers.update(model, update, at=at, written_at=written_at, now=self._latest)
        self._try_again(model)

    def _command(self, arrival: Arrival) -> None:
        command = arrival.event
        at = command.get("issued_at") or arrival.timestamp
        subject, name, author = command.get("subject") or "", command["command"], command["author"]
        model_id = command.get("model_id") or FLEET
        model = self._models.get(command.get("model_id") or "") or Model(model_id)
        alert, state = model.alerts.get(subject), model.triggers.get(subject)
        if name == "acknowledge" and alert is not None and alert.status == "firing":
            self._alerts.acknowledge(model, subject, at, author)
        elif name == "approve" and state is not None and state.status == "awaiting_approval":
            self._triggers.approve(model, state, at=at, now=self._latest, author=author)
        elif name == "reject" and state is not None and state.status == "awaiting_approval":
            self._triggers.reject(model, state, at=at, author=author)
            self._try_again(model)
        else:
            detail = {"author": author, "command": name}
            self._outputs.audit(model_id, at, "command_ignored", Reason.UNKNOWN_SUBJECT, subject or None, detail)

    # -- state ------------------------------------------------------------------------------------------------------

    @property
    def _latest(self) -> float:
        """What deadlines and cooldowns count by: ticks, or event time where the stream is ahead of them."""
        return max(self._event_time or 0.0, self._now)

    def _audit(
        self, model: Model, at: float, what: str, reason: Reason, subject: str | None = None, **detail: Any
    ) -> None:
        self._changed.add(model.model_id)
        self._outputs.audit(model.model_id, at, what, reason, subject, detail)


def _about_all(alert: Alert) -> bool:
    """Whether it is about all of the traffic, not about segments alone."""
    return "reference" in alert.evidence


def _on_versions(model: Model) -> list[Alert]:
    """The alerts that say a version does badly, or is given bad data."""
    return [*model.firing("performance_drop"), *model.firing("version_worse"), *_faults_that_end(model)]


def _faults_that_end(model: Model) -> list[Alert]:
    """The alerts of data faults of which the monitor will tell the end, or their version goes out of use."""
    return [alert for alert in model.firing("data_fault") if "since" in alert.evidence]


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
            step._series, step._ended_series = data["series"], list(data["ended_series"])
            step._now, step._outputs.audited = data["now"], data["audited"]
        else:
            model_id = name.removeprefix(MODEL)
            step._models[model_id] = Model.restore(model_id, data)
    return step
