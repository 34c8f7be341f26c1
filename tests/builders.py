"""Plain functions that make events, and harnesses that fold them: what the tests of the pure steps arrange with.

A harness is a lane without an engine: it numbers records, applies what the step saved, and decodes what it sent.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from trueup.alerter import step as alerter
from trueup.alerter.config import AlerterConfig
from trueup.monitor import step as monitor
from trueup.monitor.config import ModelConfig, MonitorConfig
from trueup.notifier import step as notifier
from trueup.step import Arrival, Found, Kept, Needs, Output, Step
from trueup_schemas import topics
from trueup_schemas.alert import Alert
from trueup_schemas.audit import AuditEntry
from trueup_schemas.codec import Codec
from trueup_schemas.trigger import Trigger

Event = dict[str, Any]

HOUR = 3_600.0
DAY = 86_400.0
#: Monday, 1 January 2024, UTC: where the tests' time starts.
T0 = 19_723 * DAY

_SIGNALS = Codec(topics.SIGNALS)
#: The fields that say when an event was, by topic.
_TIMES = ("predicted_at", "observed_at", "deployed_at", "at", "updated_at", "issued_at")


# -- events of the stream ---------------------------------------------------------------------------------------------


def prediction(
    prediction_id: str = "p1", answer: Any = 1, *, model: str = "m", version: str = "v1", at: float = T0, **more: Any
) -> Event:
    """A prediction as the codec gives it; `answer` None leaves the field out (a failed call)."""
    event: Event = {"prediction_id": prediction_id, "model_id": model, "model_version": version, "predicted_at": at}
    return event | ({} if answer is None else {"prediction": answer}) | more


def feedback(prediction_id: str = "p1", actual: Any = 1, *, model: str = "m", at: float = T0, **more: Any) -> Event:
    """A feedback as the codec gives it; `actual` None leaves the field out (a judged answer has a `score`)."""
    event: Event = {"prediction_id": prediction_id, "model_id": model, "observed_at": at}
    return event | ({} if actual is None else {"actual": actual}) | more


def deployment(version: str, role: str = "champion", *, model: str = "m", at: float = T0, **more: Any) -> Event:
    """A deployment as the codec gives it."""
    return {"model_id": model, "model_version": version, "role": role, "deployed_at": at} | more


# -- signals ----------------------------------------------------------------------------------------------------------


def rate(mean: float, n: int = 1_000) -> Event:
    """A rate as signals carry it; the interval is only of the right form."""
    return {"mean": mean, "n": n, "low": max(0.0, mean - 0.01), "high": min(1.0, mean + 0.01)}


def change(number: int, *, at: float = T0, model: str = "m", version: str = "v1", **more: Any) -> Event:
    """A change that pages: the error rose from 10 % to 20 %, the bound was 12 %."""
    return {
        "type": "change_detected",
        "number": number,
        "at": at,
        "model_id": model,
        "model_version": version,
        "detector": "e_detector",
        "stream": "error",
        "pages": True,
        "direction": "rose",
        "recent": rate(0.2),
        "changed_at": at - HOUR,
        "reference": {
            "mean": 0.1,
            "n": 10_000,
            "bound": 0.12,
            "variance_inflation": 1.0,
            "from_time": at - 28 * DAY,
            "to_time": at - 14 * DAY,
        },
        "false_pages_per_month": 0.5,
        "training_data": {
            "topics": {"trueup.predictions": {"0": (3, 90)}, "trueup.feedback": {"0": (5, 70)}},
            "from_time": at - 28 * DAY,
            "to_time": at,
            "labelled": 60,
        },
    } | more


def window(
    number: int, mean: float, *, at: float, n: int = 1_000, model: str = "m", version: str = "v1", **more: Any
) -> Event:
    """An hour that closed at `at`; `mean` and `n` are those of the day that ends with it."""
    return {
        "type": "window_closed",
        "number": number,
        "at": at,
        "model_id": model,
        "model_version": version,
        "from_time": at - HOUR,
        "to_time": at,
        "hour": rate(mean, max(1, n // 24)),
        "day": rate(mean, n),
    } | more


def comparison(
    number: int, verdict: str = "worse", *, at: float = T0, model: str = "m", new: str = "v2", old: str = "v1"
) -> Event:
    """A verdict on a new version."""
    return {
        "type": "versions_compared",
        "number": number,
        "at": at,
        "model_id": model,
        "model_version": new,
        "previous_version": old,
        "verdict": verdict,
        "pairs": 500,
        "error": rate(0.3),
        "previous_error": rate(0.1),
        "alpha": 0.01,
    }


def deployed(
    number: int, version: str, role: str = "champion", *, at: float = T0, model: str = "m", **more: Any
) -> Event:
    """A deployment as the monitor passed it on."""
    signal: Event = {"type": "deployment_seen", "number": number, "at": at, "model_id": model}
    return signal | {"model_version": version, "role": role} | more


def fault(number: int, feature: str = "age", *, at: float = T0, model: str = "m", version: str = "v1") -> Event:
    """A feature that is broken."""
    signal: Event = {"type": "data_fault", "number": number, "at": at, "model_id": model, "model_version": version}
    return signal | {"feature": feature, "fault": "all null", "detail": "Every value of the last hour is null."}


def blind(number: int, missing: str = "feedback", *, ended: bool = False, at: float = T0, model: str = "m") -> Event:
    """The monitor lost, or found again, its sight."""
    signal: Event = {"type": "blind", "number": number, "at": at, "model_id": model}
    return signal | {"missing": missing, "since": at - 48 * HOUR, "ended": ended}


# -- what a person or a pipeline says ---------------------------------------------------------------------------------


def update(trigger_id: str, status: str, *, at: float = T0, model: str = "m", **more: Any) -> Event:
    """A pipeline's word on a trigger."""
    return {"trigger_id": trigger_id, "model_id": model, "status": status, "updated_at": at} | more


def command(name: str, subject: str | None, *, at: float = T0, model: str | None = "m", author: str = "ada") -> Event:
    """What a person asks for."""
    event: Event = {"command_id": f"{name}-{subject}", "command": name, "author": author, "issued_at": at}
    return event | ({} if subject is None else {"subject": subject}) | ({} if model is None else {"model_id": model})


# -- inputs and harnesses ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Take:
    """A chunk: each event in a record of its own. `timestamp` None: each record's is its event's own time."""

    topic: str
    events: tuple[Event, ...]
    timestamp: float | None = None


@dataclass(frozen=True)
class Tick:
    """The time is told."""

    now: float


Input = Take | Tick


def arrivals(events: Sequence[Event], *, first_offset: int = 0, timestamp: float | None = None) -> list[Arrival]:
    """Events as the engine hands them over, each in a record of its own."""
    return [
        Arrival(first_offset + i, 0, _own_time(event) if timestamp is None else timestamp, event)
        for i, event in enumerate(events)
    ]


def _own_time(event: Event) -> float:
    times = [event[name] for name in _TIMES if event.get(name) is not None]
    return float(times[0]) if times else T0


class Harness:
    """Drives one step as a lane does, and keeps what it saved, showed and sent. `settle` is a save."""

    def __init__(self) -> None:
        self.offsets: dict[str, int] = {}
        self.sections: dict[str, bytes] = {}
        self.asleep: dict[str, bytes] = {}
        self.entries: dict[bytes, Kept] = {}
        self.raw_views: dict[str, bytes] = {}
        self.outputs: list[Output] = []
        self.step: Step = self._restore({})

    def _restore(self, saved: Mapping[str, bytes]) -> Step:
        raise NotImplementedError

    def run(self, *inputs: Input) -> None:
        """Take the inputs in order, and settle."""
        for given in inputs:
            if isinstance(given, Tick):
                self.step.tick(given.now, self._found(self.step.needs_at(given.now)))
                continue
            first = self.offsets.get(given.topic, 0)
            self.offsets[given.topic] = first + len(given.events)
            made = arrivals(given.events, first_offset=first, timestamp=given.timestamp)
            found = self._found(self.step.needs(given.topic, made))
            self.step.take(given.topic, made, dict(self.offsets), found)
        self.settle()

    def _found(self, needs: Needs) -> Found:
        return Found(
            {key: self.entries[key].value for key in needs.entries if key in self.entries},
            {name: self.asleep[name] for name in needs.asleep if name in self.asleep},
        )

    def take(self, topic: str, *events: Event, timestamp: float | None = None) -> None:
        """Take the events as one chunk, and settle."""
        self.run(Take(topic, events, timestamp))

    def tick(self, now: float) -> None:
        """Tell the time, and settle."""
        self.run(Tick(now))

    def settle(self) -> None:
        """Save: apply the changed sections and views, keep the outputs."""
        effects = self.step.effects()
        self.entries.update(effects.entries)
        for kept, changed in (
            (self.sections, effects.sections),
            (self.asleep, effects.asleep),
            (self.raw_views, effects.views),
        ):
            for name, value in changed.items():
                if value is None:
                    kept.pop(name, None)
                else:
                    kept[name] = value
        self.outputs += effects.outputs

    def restart(self) -> None:
        """Go on from what was saved, which a store gives back in an order of its own."""
        self.settle()
        self.step = self.restored()

    def restored(self) -> Step:
        """A step from what was saved so far; the one that runs is left as it is."""
        return self._restore(dict(sorted(self.sections.items(), reverse=True)))

    def views(self) -> list[Any]:
        """What is shown, decoded."""
        return [orjson.loads(view) for view in self.raw_views.values()]


class MonitorHarness(Harness):
    """A monitor of one partition."""

    def __init__(
        self,
        config: MonitorConfig | None = None,
        *,
        clock: Literal["wall", "stream"] = "stream",
        place: monitor.Place | None = None,
    ) -> None:
        self.config = config or MonitorConfig()
        self.place = place or monitor.Place(0, 1, clock=clock)
        super().__init__()

    def _restore(self, saved: Mapping[str, bytes]) -> Step:
        return monitor.restore(saved, place=self.place, config=self.config)

    def signals(self, kind: str | None = None) -> list[Event]:
        """What was signalled so far (of this kind), decoded by the contract; a signal that breaks it fails the test."""
        found: list[Event] = []
        for output in self.outputs:
            decoded = _SIGNALS.decode(output.value)
            assert not decoded.faults, decoded.faults
            found += [event for _, event in decoded.events]
        return [signal for signal in found if kind in (None, signal["type"])]

    def view(self, model: str = "m") -> Event:
        """What is shown of one model."""
        return next(view for view in self.views() if view["model_id"] == model)

    def version(self, version: str = "v1", model: str = "m") -> Event:
        """What is shown of one version."""
        return next(shown for shown in self.view(model)["versions"] if shown["model_version"] == version)


class AlerterHarness(Harness):
    """An alerter of one partition."""

    def __init__(self, config: AlerterConfig | None = None, *, partition: int = 0) -> None:
        self.config = config or AlerterConfig()
        self.partition = partition
        super().__init__()

    def _restore(self, saved: Mapping[str, bytes]) -> Step:
        return alerter.restore(self.partition, saved, config=self.config)

    def signal(self, *signals: Event) -> None:
        """Take signals, as one chunk."""
        self.take("signals", *signals)

    def alerts(self) -> list[Alert]:
        """Every revision that went out."""
        return [Alert.model_validate_json(output.value) for output in self.outputs if output.topic == "alerts"]

    def triggers(self) -> list[Trigger]:
        """Every trigger that went out."""
        return [Trigger.model_validate_json(output.value) for output in self.outputs if output.topic == "triggers"]

    def audit(self) -> list[AuditEntry]:
        """Every entry of the audit."""
        return [AuditEntry.model_validate_json(output.value) for output in self.outputs if output.topic == "audit"]

    def decisions(self) -> list[tuple[str, str]]:
        """What was decided and why, in order."""
        return [(entry.what, str(entry.reason)) for entry in self.audit()]

    def alert(self, kind: str) -> Alert:
        """The latest state of the only alert of this kind."""
        found = {alert.alert_id: alert for alert in self.alerts() if alert.kind == kind}
        assert len(found) == 1, f"{len(found)} alerts of kind {kind}"
        return next(iter(found.values()))


class NotifierHarness(Harness):
    """A notifier of one partition."""

    def __init__(self, *channels: str) -> None:
        self.channels = channels
        super().__init__()

    def _restore(self, saved: Mapping[str, bytes]) -> Step:
        return notifier.restore(saved, channels=self.channels)


def fold(
    inputs: Sequence[Input], config: MonitorConfig | None = None
) -> tuple[MonitorHarness, list[Event], dict[str, Event]]:
    """A monitor that took these inputs, its signals, and what it shows by model."""
    harness = MonitorHarness(config)
    harness.run(*inputs)
    return harness, harness.signals(), {view["model_id"]: view for view in harness.views()}


def monitor_config(*, model: Mapping[str, Any] | None = None, **fleet: Any) -> MonitorConfig:
    """A fleet's configuration; `model` are the settings of every model in it."""
    return MonitorConfig(defaults=ModelConfig(**(model or {})), **fleet)
