"""What the steps said over a history, put together as it is said."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import orjson

from trueup.backtest.drive import Listen, said
from trueup.engine.checkpoint import Save
from trueup.engine.lane import ENGINE
from trueup.workers.setups import WorkerName
from trueup_schemas.dead_letter import HEADER_REASON
from trueup_schemas.values import to_seconds

Event = dict[str, Any]


class Hour(NamedTuple):
    """An hour of label time of one version that closed at `at`: its outcomes, and the mean of the 24 hours."""

    at: float
    model_version: str
    outcomes: int
    day_mean: float
    day_outcomes: int
    low: float
    high: float


@dataclass(slots=True)
class Told:
    """What was said of one model."""

    hours: list[Hour] = field(default_factory=list)
    #: Signals that inform and call nobody, in order.
    informed: list[Event] = field(default_factory=list)
    view: Event = field(default_factory=dict)


@dataclass(slots=True)
class AlertTold:
    """An alert: as it was when it fired, and as it was at the end."""

    fired: Event
    last: Event

    @property
    def at(self) -> float:
        """When anybody could have read it first."""
        return to_seconds(self.fired["updated_at"])


class Story:
    """Listens to the cuts of monitors and alerters."""

    def __init__(self, overhear: Listen | None = None) -> None:
        self._overhear = overhear
        self.models: dict[str, Told] = {}
        self.alerts: dict[str, AlertTold] = {}
        self.triggers: list[Event] = []
        self._letters = Counter[str]()

    def listen(self, worker: WorkerName, save: Save) -> None:
        """One cut."""
        if self._overhear is not None:
            self._overhear(worker, save)
        for output in said(save):
            if output.topic == "signals":
                self._signal(orjson.loads(output.value))
            elif output.topic == "alerts":
                self._alert(orjson.loads(output.value))
            elif output.topic == "audit":
                self._audit(orjson.loads(output.value))
            elif output.topic == "dead-letters":
                self._letters[dict(output.headers)[HEADER_REASON].decode()] += 1
        for name, view in save.views.items():
            if worker == "monitor" and view is not None and name != ENGINE:
                shown = orjson.loads(view)
                self._told(shown["model_id"]).view = shown

    @property
    def dead_letters(self) -> dict[str, int]:
        """By reason."""
        return dict(sorted(self._letters.items()))

    def _told(self, model_id: str) -> Told:
        return self.models.setdefault(model_id, Told())

    def _signal(self, signal: Event) -> None:
        told, kind = self._told(signal["model_id"]), signal["type"]
        if kind == "window_closed":
            hour, day = signal["hour"], signal["day"]
            told.hours.append(
                Hour(signal["at"], signal["model_version"], hour["n"], day["mean"], day["n"], day["low"], day["high"])
            )
        elif kind != "deployment_seen" and not signal.get("pages"):
            told.informed.append(signal)

    def _alert(self, alert: Event) -> None:
        known = self.alerts.get(alert["alert_id"])
        if known is None:
            self.alerts[alert["alert_id"]] = AlertTold(alert, alert)
        elif alert["revision"] > known.last["revision"]:
            known.last = alert

    def _audit(self, entry: Event) -> None:
        if entry["what"] in ("trigger_requested", "trigger_awaiting_approval"):
            self.triggers.append(
                {"at": entry["at"], "model_id": entry["model_id"], "action": entry.get("detail", {}).get("action")}
            )
