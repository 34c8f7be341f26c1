"""The monitor's step: events of one partition in, signals out. Start reading here.

predictions ──> predicted ─┐                       ┌─> window closed
                           ├─> join ─> outcome ─> detectors ─> change detected
feedback ─────> told ──────┘                       └─> versions compared
deployments ──> who serves                   ticks ──> let go of the old, blindness
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

import orjson

from trueup import snapshots
from trueup.monitor import budget, sections, signals
from trueup.monitor.blindness import Missing
from trueup.monitor.config import MonitorConfig
from trueup.monitor.join import Answer, Entry, Truth, Waiting
from trueup.monitor.model import Changed, Compared, HourClosed, Model, Noticed
from trueup.monitor.version import Version
from trueup.monitor.view import model_view
from trueup.monitor.windows import DAY
from trueup.step import NO_NEEDS, Arrival, Effects, Found, Needs, Output

#: Version of the form in which state is saved.
FORM = 1
#: Event times later than the record itself by more than this are taken for the record's.
CLOCK_AHEAD_SECONDS = 300.0
#: Entries let go in one tick: a whole day of them would be one save too large for Redis.
LET_GO_AT_ONCE = 20_000


@dataclass(frozen=True, slots=True)
class Place:
    """Where a step stands: its partition of how many, the prefix of topic names, and what drives its ticks."""

    partition: int
    partitions: int
    prefix: str = "trueup."
    clock: Literal["wall", "stream"] = "wall"


class MonitorStep:
    """The fold of one partition. See `trueup.step.Step` for what it promises."""

    def __init__(self, place: Place, config: MonitorConfig) -> None:
        self._partition = place.partition
        self._place = place
        self._config = config
        self._models: dict[str, Model] = {}
        self._waiting = Waiting()
        self._number = 0
        #: The time of the first record that this state began with, in milliseconds: what its numbers count from.
        self._series: int | None = None
        self._event_time: float | None = None
        #: The latest tick.
        self._now = 0.0
        self._urgent = False
        self._outputs: list[Output] = []
        self._noticed: list[tuple[Model, Noticed]] = []
        self._changed_models: set[str] = set()
        self._changed_versions: set[tuple[str, str]] = set()
        self._handlers: Mapping[str, Callable[[Arrival], None]] = {
            "predictions": self._prediction,
            "feedback": self._feedback,
            "deployments": self._deployment,
        }

    # -- the port ---------------------------------------------------------------------------------------------------

    @property
    def event_time(self) -> float | None:
        return self._event_time

    @property
    def urgent(self) -> bool:
        return self._urgent

    def needs(self, topic: str, arrivals: Sequence[Arrival]) -> Needs:  # noqa: ARG002
        return NO_NEEDS

    def needs_at(self, now: float) -> Needs:  # noqa: ARG002
        return NO_NEEDS

    @property
    def outdated(self) -> Mapping[int, int]:
        return {}

    def take(
        self,
        topic: str,
        arrivals: Sequence[Arrival],
        positions: Mapping[str, int],
        found: Found,  # noqa: ARG002
    ) -> None:
        handle = self._handlers[topic]
        if self._series is None and arrivals:
            self._series = int(arrivals[0].timestamp * 1000)
        for arrival in arrivals:
            handle(arrival)
        # Signals are made once the whole chunk is folded in: the offsets that an alarm names are then exact.
        noticed, self._noticed = self._noticed, []
        for model, item in noticed:
            self._signal_noticed(model, item, positions)

    def tick(self, now: float, found: Found) -> None:  # noqa: ARG002
        self._now = now
        before_day = int((now - self._config.label_horizon_days * DAY) // DAY)
        for model_id, entry in self._waiting.let_go(before_day, most=LET_GO_AT_ONCE):
            model = self._models[model_id]
            self._touch(model, *model.let_go(entry))
        for model in self._models.values():
            if model.sight.date_fresh(now):
                self._touch(model)
            for missing, since in model.sight.tick(now, self._config.blind_after_hours):
                self._touch(model)
                self._signal(signals.blind(model.model_id, missing, at=now, since=since, ended=False))

    def effects(self) -> Effects:
        effects = Effects(outputs=self._outputs, urgent=self._urgent)
        effects.sections.update(self._waiting.changes())
        for model_id, model_version in sorted(self._changed_versions):
            version = self._models[model_id].versions[model_version]
            name = sections.name(sections.VERSION, model_id, model_version)
            effects.sections[name] = snapshots.pack(FORM, version.snapshot())
            for month, rows in version.cohorts.changes().items():
                name = sections.name(sections.COHORTS, model_id, model_version, month)
                effects.sections[name] = None if rows is None else snapshots.pack(FORM, rows)
        for model_id in sorted(self._changed_models):
            model = self._models[model_id]
            name = sections.name(sections.MODEL, model_id)
            effects.sections[name] = snapshots.pack(FORM, model.snapshot())
            effects.views[name] = orjson.dumps(model_view(model), option=orjson.OPT_NON_STR_KEYS)
        partition = {
            "number": self._number,
            "series": self._series,
            "event_time": self._event_time,
            "now": self._now,
            "models": list(self._models),
        }
        effects.sections[sections.PARTITION] = snapshots.pack(FORM, partition)
        self._outputs, self._urgent = [], False
        self._changed_models, self._changed_versions = set(), set()
        return effects

    # -- events -----------------------------------------------------------------------------------------------------

    def _prediction(self, arrival: Arrival) -> None:
        event = arrival.event
        model = self._model(event["model_id"])
        prediction_id = event["prediction_id"]
        entry = self._waiting.get(model.model_id, prediction_id) or Entry({}, None)
        if self._place.clock == "wall":
            entry.came_at = max(entry.came_at, int(arrival.timestamp))
        at = self._time(model, event.get("predicted_at"), arrival)
        answer = Answer(event.get("prediction"), _positive(event), at, self._segment(model, event))
        version, noticed = model.predicted(entry, event, answer, arrival.offset)
        self._waiting.put(model.model_id, prediction_id, entry)
        self._seen(model, "predictions", at, arrival)
        if entry.truth is not None:
            self._seen(model, "feedback", at, arrival)
        self._touch(model, version)
        if noticed:
            self._noticed += [(model, item) for item in noticed]

    def _feedback(self, arrival: Arrival) -> None:
        event = arrival.event
        model = self._model(event["model_id"])
        prediction_id = event["prediction_id"]
        entry = self._waiting.get(model.model_id, prediction_id) or Entry({}, None)
        if self._place.clock == "wall" and not entry.answers:
            entry.came_at = max(entry.came_at, int(arrival.timestamp))
        at = self._time(model, event.get("observed_at"), arrival)
        versions, noticed = model.told(entry, Truth(event.get("actual"), event.get("score"), at, arrival.offset))
        self._waiting.put(model.model_id, prediction_id, entry)
        if entry.answers:  # truths of nothing that was predicted here leave the monitor as blind as none
            self._seen(model, "feedback", at, arrival)
        self._touch(model, *versions)
        if noticed:
            self._noticed += [(model, item) for item in noticed]

    def _deployment(self, arrival: Arrival) -> None:
        event = arrival.event
        model = self._model(event["model_id"])
        at = self._time(model, event.get("deployed_at"), arrival)
        model.deployed(event["model_version"], event["role"], at, event.get("traffic"))
        self._touch(model, *model.versions.values())
        self._signal(signals.deployment_seen(event, at))

    def _model(self, model_id: str) -> Model:
        model = self._models.get(model_id)
        if model is None:
            part = budget.share(len(self._models) + 1, self._place.partitions)
            model = self._models[model_id] = Model(model_id, self._config, part * self._config.false_pages_per_month)
        return model

    def _time(self, model: Model, stated: float | None, arrival: Arrival) -> float:
        """The event's time: as stated, else the record's; but not from the future.

        What lies in the future, the record says, and by the wall clock the last tick too: the record's time is its
        producer's, whose clock may be as wrong as the app's.
        """
        latest = arrival.timestamp
        if self._place.clock == "wall" and self._now:
            latest = min(latest, self._now)
        at = arrival.timestamp if stated is None else stated
        if at > latest + CLOCK_AHEAD_SECONDS:
            model.counts["clamped"] += 1
            at = latest
        if self._event_time is None or at > self._event_time:
            self._event_time = at
        return at

    def _segment(self, model: Model, event: Mapping[str, Any]) -> dict[str, str] | None:
        """Of the event's segment, the names that are configured: the rest is not kept."""
        given = event.get("segment")
        if not given or not model.config.segments:
            return None
        return {name: given[name] for name in model.config.segments if name in given}

    def _seen(self, model: Model, what: Missing, at: float, arrival: Arrival) -> None:
        """One came. By the wall clock it came now, whatever its own time: old data read in is no blindness."""
        wall = self._place.clock == "wall"
        if model.sight.seen(what, None if wall else at):
            at = max(arrival.timestamp, self._now) if wall else at
            self._signal(signals.blind(model.model_id, what, at=at, since=at, ended=True))

    def _touch(self, model: Model, *versions: Version) -> None:
        self._changed_models.add(model.model_id)
        for version in versions:
            self._changed_versions.add((model.model_id, version.model_version))

    # -- signals ----------------------------------------------------------------------------------------------------

    def _signal_noticed(self, model: Model, item: Noticed, positions: Mapping[str, int]) -> None:
        if isinstance(item, HourClosed):
            self._signal(signals.hour_closed(model, item))
        elif isinstance(item, Compared):
            self._signal(signals.compared(model, item), urgent=True)
        else:
            self._signal_change(model, item, positions)

    def _signal_change(self, model: Model, item: Changed, positions: Mapping[str, int]) -> None:
        data = None
        if item.change.alarm is not None:
            days = model.config.training_days
            data = model.training.until(
                item.at, days, partition=self._partition, positions=positions, prefix=self._place.prefix
            )
        signal = signals.changed(model, item, data)
        self._signal(signal, urgent=signal["pages"])

    def _signal(self, signal: dict[str, Any], *, urgent: bool = False) -> None:
        self._number += 1
        signal["number"] = self._number
        signal["series"] = self._series or 0
        self._urgent = self._urgent or urgent
        key = signal["model_id"].encode()
        self._outputs.append(Output("signals", key, orjson.dumps(signal), partition=self._partition))


def restore(saved: Mapping[str, bytes], *, place: Place, config: MonitorConfig) -> MonitorStep:
    """The step of one partition from its saved sections, or a new one from none.

    Raises:
        UnknownSnapshot: saved in a form that this code does not read.
    """
    step = MonitorStep(place, config)
    parsed = {name: sections.parse(name) for name in saved}
    by_kind: dict[str, list[str]] = {}
    for name, (kind, _) in parsed.items():
        by_kind.setdefault(kind, []).append(name)
    for name in by_kind.get(sections.PARTITION, []):
        data = _read(saved, name)
        step._number, step._event_time, step._now = data["number"], data["event_time"], data["now"]
        step._series = data["series"]
        for model_id in data["models"]:
            step._model(model_id)
    for name in by_kind.get(sections.MODEL, []):
        step._models[parsed[name][1][0]].restore(_read(saved, name))
    for name in by_kind.get(sections.VERSION, []):
        model_id, model_version = parsed[name][1]
        step._models[model_id].versions[model_version].restore(_read(saved, name))
    for name in by_kind.get(sections.COHORTS, []):
        model_id, model_version, _ = parsed[name][1]
        step._models[model_id].versions[model_version].cohorts.restore(_read(saved, name))
    for name in by_kind.get(sections.WAITING, []):
        step._waiting.restore(name, saved[name])
    return step


def _read(saved: Mapping[str, bytes], name: str) -> Any:
    return snapshots.unpack(saved[name], known=[FORM], what=name)[1]


def _positive(event: Mapping[str, Any]) -> float | None:
    """The probability to watch: the one given, or of several that of the predicted label."""
    probability = event.get("probability")
    if isinstance(probability, dict):
        label = event.get("prediction")
        probability = probability.get(str(label).lower() if isinstance(label, bool) else str(label))
    return probability
