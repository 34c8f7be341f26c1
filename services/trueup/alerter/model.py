"""What the alerter keeps of one model: its alerts, its triggers, its faults."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from trueup.alerter.cause import ANY_VERSION, Moved
from trueup.alerter.trigger_life import TriggerState
from trueup_schemas.alert import Alert, AlertKind
from trueup_schemas.trigger import Action, Trigger

#: Ended alerts and triggers that are kept to be shown.
KEPT = 100
#: The latest moves of scores and features that are kept.
MOVES_KEPT = 50
#: Values of a segment of which it is kept that their share moved.
SHARES_KEPT = 3


@dataclass(slots=True)
class Model:
    """Open and recent alerts and triggers of one model, in the order in which they came."""

    model_id: str
    alerts: dict[str, Alert] = field(default_factory=dict)
    triggers: dict[str, TriggerState] = field(default_factory=dict)
    #: Alert id -> event time since which its error is back within bounds.
    calm_since: dict[str, float] = field(default_factory=dict)
    #: Alert id -> event time since which only other versions close windows.
    silent_since: dict[str, float] = field(default_factory=dict)
    #: Action -> the latest trigger that was withheld for a time only, to be asked for again.
    wishes: dict[Action, Trigger] = field(default_factory=dict)
    #: Feature -> its data fault, until it ends.
    faults: dict[str, str] = field(default_factory=dict)
    #: When scores and features moved, the latest last.
    moved: list[Moved] = field(default_factory=list)

    def moves(self, signal: Mapping[str, Any]) -> None:
        """A detector that informs fired on a stream."""
        move = (signal["model_version"], signal["stream"], signal["at"], signal["direction"])
        self.moved = [*self.moved, move][-MOVES_KEPT:]

    def traffic_moves(self, signal: Mapping[str, Any]) -> None:
        """The shares of values of a segment moved; those that moved most are kept."""
        for of in signal["values"][:SHARES_KEPT]:
            stream = f"segment:{signal['segment']}={of['value']}"
            direction = "rose" if of["share"] > of["share_before"] else "fell"
            self.moved = [*self.moved, (ANY_VERSION, stream, signal["since"], direction)][-MOVES_KEPT:]

    def firing(self, kind: AlertKind, model_version: str | None = None) -> list[Alert]:
        """Alerts of this kind (and version) that are not resolved."""
        return [
            alert
            for alert in self.alerts.values()
            if alert.status != "resolved"
            and alert.kind == kind
            and (model_version is None or alert.model_version == model_version)
        ]

    @property
    def lacks_truths(self) -> bool:
        """Whether truths are missing, or their times are not to be trusted."""
        return any(alert.evidence["missing"] != "predictions" for alert in self.firing("blind"))

    def begin_to_wait(self) -> None:
        """What had been calm or silent so far is seen anew once the truths are back."""
        self.calm_since, self.silent_since = {}, {}

    def concerns_anybody(self, alert_id: str | None) -> bool:
        """Whether what was done for this alert still matters: it is not over, or there was none."""
        alert = None if alert_id is None else self.alerts.get(alert_id)
        return alert_id is None or (alert is not None and alert.status != "resolved")

    def forget_ended(self) -> None:
        """Keep what is open, and of the rest the latest `KEPT`."""
        ended_alerts = [key for key, alert in self.alerts.items() if alert.status == "resolved"]
        for key in ended_alerts[:-KEPT]:
            del self.alerts[key]
        ended_triggers = [key for key, state in self.triggers.items() if not state.open]
        for key in ended_triggers[:-KEPT]:
            del self.triggers[key]

    def snapshot(self) -> dict[str, Any]:
        """Plain values, for `restore`."""
        return {
            "alerts": [alert.model_dump(mode="json") for alert in self.alerts.values()],
            "triggers": [state.snapshot() for state in self.triggers.values()],
            "calm_since": self.calm_since,
            "silent_since": self.silent_since,
            "wishes": {action: trigger.model_dump(mode="json") for action, trigger in self.wishes.items()},
            "faults": self.faults,
            "moved": self.moved,
        }

    @classmethod
    def restore(cls, model_id: str, data: Mapping[str, Any]) -> Model:
        """The same again."""
        alerts = [Alert.model_validate(values) for values in data["alerts"]]
        triggers = [TriggerState.restore(values) for values in data["triggers"]]
        return cls(
            model_id,
            alerts={alert.alert_id: alert for alert in alerts},
            triggers={state.trigger.trigger_id: state for state in triggers},
            calm_since=dict(data["calm_since"]),
            silent_since=dict(data["silent_since"]),
            wishes={action: Trigger.model_validate(values) for action, values in data["wishes"].items()},
            faults=dict(data["faults"]),
            moved=[(version, stream, at, direction) for version, stream, at, direction in data.get("moved", [])],
        )

    def view(self) -> dict[str, Any]:
        """What is shown of it."""
        shown = self.snapshot()
        return {"model_id": self.model_id, "alerts": shown["alerts"], "triggers": shown["triggers"]}
