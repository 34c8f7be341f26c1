"""The monitor's step: events of one partition in, signals out. Start reading here.

predictions ──> predicted ─┐                       ┌─> window closed
                           ├─> join ─> outcome ─> detectors ─> change detected
feedback ─────> told ──────┘                       └─> versions compared
deployments ──> who serves                   ticks ──> let go of the old, blindness, rest

A chunk is folded in model by model, each a run (`run`); what was noticed is told in the order of the events.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from math import inf
from typing import Any, Literal

import orjson

from trueup.monitor import predictions, saving, sections, signals, truths, upgrade
from trueup.monitor.blindness import CLOCK
from trueup.monitor.config import MonitorConfig
from trueup.monitor.fleet import Fleet
from trueup.monitor.join import prefix_of
from trueup.monitor.lone import FEW, Lone
from trueup.monitor.model import Model
from trueup.monitor.noticed import Changed, Compared, HourClosed, Noticed, OfFeatures, SegmentsMoved
from trueup.monitor.run import Run, Surroundings
from trueup.monitor.segments import OTHER
from trueup.monitor.view import model_view
from trueup.monitor.windows import DAY, HOUR
from trueup.step import NO_NEEDS, Arrival, Effects, Found, Needs, Output

_FOLDS: Mapping[str, Callable[[Run], float]] = {"predictions": predictions.fold, "feedback": truths.fold}


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
        self._fleet = Fleet(config, place.partitions)
        self._number = 0
        #: The time of the first record that this state began with, in milliseconds: what its numbers count from.
        self._series: int | None = None
        self._event_time: float | None = None
        #: The latest tick.
        self._now = 0.0
        self._urgent = False
        self._outputs: list[Output] = []
        #: Of which something came since the last tick, by the wall clock.
        self._fresh: dict[str, Model] = {}
        #: Nothing came of these for so long that they are to rest; by ordinal.
        self._silent: dict[int, Model] = {}
        #: Sections of an earlier form that are written in another way now.
        self._gone: list[str] = []

    # -- the port ---------------------------------------------------------------------------------------------------

    @property
    def event_time(self) -> float | None:
        return self._event_time

    @property
    def urgent(self) -> bool:
        return self._urgent

    @property
    def ids_in_memory(self) -> int:
        """How many prediction ids were hot when effects were last asked for."""
        return self._fleet.ids_in_memory

    @property
    def outdated(self) -> Mapping[int, int]:
        horizon_day = self._fleet.horizon_day
        moved = {shelf: day for shelf, day in self._fleet.registry.moved.items() if day > horizon_day}
        return {-1: horizon_day, **moved}

    def needs(self, topic: str, arrivals: Sequence[Arrival]) -> Needs:
        fleet = self._fleet
        model_ids = {arrival.event["model_id"] for arrival in arrivals}
        asleep = fleet.needed(sorted(model_ids)) if fleet.registry.resting else []
        entries: list[bytes] = []
        if topic != "deployments":
            entries = self._entries_needed(arrivals, model_ids)
        return Needs(entries, asleep) if entries or asleep else NO_NEEDS

    def needs_at(self, now: float) -> Needs:
        passed = self._fleet.passed(max(self._fleet.horizon_day, self._horizon_day(now)))
        return Needs((), self._fleet.needed(passed)) if passed else NO_NEEDS

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int], found: Found) -> None:
        if not arrivals:
            return
        if self._series is None:
            self._series = int(arrivals[0].timestamp * 1000)
        if topic == "deployments":
            for arrival in arrivals:
                self._deployment(arrival, found)
            return
        fold = _FOLDS[topic]
        around = Surroundings(self._place.clock == "wall", self._now, self._fleet.horizon_day, found.entries)
        lone = Lone(topic, arrivals, around, self._fleet, self._fresh)
        most_alone = 0 if self._silent else FEW
        for model, indexes in self._runs(arrivals, found):
            left = lone.fold(model, indexes) if len(indexes) <= most_alone else indexes
            if not left:
                continue
            run = Run(model, arrivals, left, around, self._room(model))
            self._move_on(fold(run))
            self._taken(run)
            lone.noticed += [(model, item) for item in run.noticed]
        if lone.latest > -inf:
            self._move_on(lone.latest)
        # Signals are made once the whole chunk is folded in: the offsets that an alarm names are then exact.
        for model, item in sorted(lone.noticed, key=lambda pair: (pair[1].arrival, pair[1].place)):
            self._signal_noticed(model, item.noticed, positions)

    def tick(self, now: float, found: Found) -> None:
        hour_began = now // HOUR > self._now // HOUR
        self._now = now
        fleet = self._fleet
        fleet.pass_horizon(self._horizon_day(now), found.asleep)
        fresh, self._fresh = self._fresh, {}
        for model in sorted(fresh.values(), key=_ordinal):
            if model.sight.date_fresh(now):
                fleet.look_again(model)
                fleet.changes.touch(model, shown=False)
            self._look_at_clock(model, now)
        for ordinal in fleet.schedule.due(now):
            self._look_at(fleet.awake[fleet.registry.names[ordinal]], now, hour_began=hour_began)
        if self._silent:
            silent = [self._silent[ordinal] for ordinal in sorted(self._silent)]
            self._silent = {model.ordinal: model for model in fleet.put_to_rest(silent)}

    def effects(self) -> Effects:
        fleet = self._fleet
        effects = Effects(outputs=self._outputs, urgent=self._urgent, entries=fleet.entries())
        for model_id in sorted(fleet.changes.views):
            view = orjson.dumps(model_view(fleet.awake[model_id]), option=orjson.OPT_NON_STR_KEYS)
            effects.views[sections.name(sections.MODEL, model_id)] = view
        fleet.changes.views = set()
        effects.sections.update(dict.fromkeys(self._gone))
        kept, effects.asleep = fleet.sections()
        effects.sections.update(kept)
        partition = {
            "number": self._number,
            "series": self._series,
            "event_time": self._event_time,
            "now": self._now,
            "horizon_day": fleet.horizon_day,
        }
        effects.sections[sections.PARTITION] = saving.pack(partition)
        self._outputs, self._urgent, self._gone = [], False, []
        return effects

    # -- runs -------------------------------------------------------------------------------------------------------

    def _runs(self, arrivals: Sequence[Arrival], found: Found) -> Iterator[tuple[Model, list[int]]]:
        """The arrivals by model, in the order in which the models first appear.

        Where all models together have no room left, only those that stand side by side are taken together, since the
        order among models decides who gets the room.
        """
        runs: list[tuple[Model, list[int]]] = []
        by_model: dict[str, list[int]] = {}
        scarce = self._fleet.ids + len(arrivals) > self._fleet.most_ids
        for index, arrival in enumerate(arrivals):
            model_id = arrival[3]["model_id"]
            indexes = by_model.get(model_id)
            if indexes is not None:
                indexes.append(index)
                continue
            if scarce:
                yield from runs
                runs, by_model = [], {}
            model = self._fleet.get(model_id, found.asleep)
            # Models beyond the cap are one run, in the name of the rest.
            indexes = by_model.get(model.model_id) if model.is_rest else None
            if indexes is None:
                indexes = by_model[model.model_id] = []
                runs.append((model, indexes))
            indexes.append(index)
            by_model[model_id] = indexes
        yield from runs

    def _room(self, model: Model) -> int:
        """How many ids there may be of this model while only it is taken."""
        most, fleet = self._config.most_ids_per_model, self._fleet
        return min(most, model.waiting.total + fleet.most_ids - fleet.ids)

    def _taken(self, run: Run) -> None:
        """Note what has to be saved and looked at after a run."""
        model, fleet, waiting = run.model, self._fleet, run.waiting
        fleet.changes.touch(model, run.touched)
        fleet.ids += waiting.total - run.ids_before
        if waiting.days_changed:
            fleet.refile(model)
        waiting.forget_keys()
        if model.sight.fresh:
            self._fresh[model.model_id] = model
        if run.look_again:
            fleet.look_again(model)
        if self._silent:
            self._silent.pop(model.ordinal, None)

    def _entries_needed(self, arrivals: Sequence[Arrival], model_ids: set[str]) -> list[bytes]:
        """The keys of ids that are not hot, of the models of which not all are."""
        fleet = self._fleet
        cold = {}
        for model_id in model_ids:
            name = fleet.registry.counted_as(model_id)
            waiting = fleet.waiting_of(name)
            if waiting is not None and not waiting.complete:
                cold[model_id] = (waiting, name == OTHER)
        if not cold:
            return []
        keys: dict[bytes, None] = {}
        for arrival in arrivals:
            event = arrival.event
            of = cold.get(event["model_id"])
            if of is not None:
                waiting, rest = of
                own = event["prediction_id"]
                prediction_id = prefix_of(event["model_id"]) + own if rest else own
                if prediction_id not in waiting.hot:
                    keys[waiting.missing(prediction_id)] = None
        return list(keys)

    def _deployment(self, arrival: Arrival, found: Found) -> None:
        event = arrival.event
        model = self._fleet.get(event["model_id"], found.asleep)
        run = Run(model, [arrival], [0], Surroundings(self._place.clock == "wall", self._now, 0), 0)
        (at,) = run.times("deployed_at")
        self._move_on(at)
        model.deployed(event["model_version"], event["role"], at, event.get("traffic"))
        model.sight.stirred(None if run.wall else at)
        run.look_again = True
        run.touched.update(model.versions)
        self._taken(run)
        self._signal(signals.deployment_seen(event, at))

    def _move_on(self, at: float) -> None:
        if self._event_time is None or at > self._event_time:
            self._event_time = at

    # -- time -------------------------------------------------------------------------------------------------------

    def _horizon_day(self, now: float) -> int:
        return max(0, int((now - self._config.label_horizon_days * DAY) // DAY))

    def _look_at_clock(self, model: Model, now: float) -> None:
        """Whether its event times stand still while records come."""
        found = model.sight.look_at_clock(now, self._config.blind_after_hours)
        if found is not None:
            since, ended = found
            self._fleet.changes.touch(model)
            self._signal(signals.blind(model.model_id, CLOCK, at=now, since=since, ended=ended))

    def _look_at_labels(self, model: Model, now: float, *, hour_began: bool) -> None:
        """Whether truths come as they use to."""
        labels, looked = model.labels, model.labels.looked
        told = labels.look(now, hour_began=hour_began, classes=model.task in ("binary", "multiclass"))
        if labels.looked != looked:
            self._fleet.changes.touch(model, shown=bool(told))
            self._look_at_traffic(model, now)
        for one in told:
            self._signal(signals.labels_missing(model.model_id, one, at=now))

    def _look_at_traffic(self, model: Model, now: float) -> None:
        """Whether it is made up as it was, once a day."""
        for one in model.traffic.look(int(now // DAY), model.labels.counts):
            self._signal(signals.traffic_moved(model.model_id, one, at=now))
        if model.traffic.shifts:
            self._fleet.changes.touch(model)

    def _look_at(self, model: Model, now: float, *, hour_began: bool) -> None:
        """Whether it is blind, or has been silent for so long that it may rest."""
        config, sight = self._config, model.sight
        for missing, since in sight.tick(now, config.blind_after_hours):
            self._fleet.changes.touch(model)
            self._signal(signals.blind(model.model_id, missing, at=now, since=since, ended=False))
        self._look_at_labels(model, now, hour_began=hour_began)
        if sight.may_rest(now, config.rest_after_days):
            self._silent[model.ordinal] = model
        else:
            self._fleet.look_again(model)

    # -- signals ----------------------------------------------------------------------------------------------------

    def _signal_noticed(self, model: Model, noticed: Noticed, positions: Mapping[str, int]) -> None:
        if isinstance(noticed, HourClosed):
            self._signal(signals.hour_closed(model, noticed))
        elif isinstance(noticed, Compared):
            self._signal(signals.compared(model, noticed), urgent=True)
        elif isinstance(noticed, OfFeatures):
            self._signal(signals.of_features(model, noticed))
        elif isinstance(noticed, Changed):
            self._signal_change(model, noticed, positions)
        elif isinstance(noticed, SegmentsMoved):
            pages = signals.segments_page(noticed)
            data = self._training_data(model, noticed.at, positions) if pages else None
            self._signal(signals.segments_moved(model, noticed, data), urgent=pages)
        else:
            at = noticed.at
            self._signal(signals.blind(model.model_id, noticed.what, at=at, since=at, ended=True))

    def _signal_change(self, model: Model, changed: Changed, positions: Mapping[str, int]) -> None:
        alarm = changed.change.alarm
        data = None if alarm is None else self._training_data(model, changed.at, positions)
        signal = signals.changed(model, changed, data)
        self._signal(signal, urgent=signal["pages"])

    def _training_data(self, model: Model, at: float, positions: Mapping[str, int]) -> dict[str, Any] | None:
        days, prefix = model.config.training_days, self._place.prefix
        return model.training.until(at, days, partition=self._partition, positions=positions, prefix=prefix)

    def _signal(self, signal: dict[str, Any], *, urgent: bool = False) -> None:
        self._number += 1
        signal["number"] = self._number
        signal["series"] = self._series or 0
        self._urgent = self._urgent or urgent
        key = signal["model_id"].encode()
        self._outputs.append(Output("signals", key, orjson.dumps(signal), partition=self._partition))

    # -- restoring --------------------------------------------------------------------------------------------------

    def restore(self, saved: Mapping[str, bytes]) -> None:
        """Take back the saved sections, of this form or the one before."""
        earlier = saving.form_of(saved[sections.PARTITION], sections.PARTITION) == upgrade.FORM
        data = upgrade.partition(saved) if earlier else saving.read(saved[sections.PARTITION], sections.PARTITION)
        self._number, self._event_time, self._now = data["number"], data["event_time"], data["now"]
        self._series = data["series"]
        if earlier:
            self._gone = upgrade.restore_fleet(self._fleet, saved, data["models"])
            self._fleet.settle(self._horizon_day(self._now))
            self._fleet.touch_all()
        else:
            self._fleet.restore(saved, data["horizon_day"])
        self._fresh = {model.model_id: model for model in self._fleet.awake.values() if model.sight.fresh}


def _ordinal(model: Model) -> int:
    return model.ordinal


def restore(saved: Mapping[str, bytes], *, place: Place, config: MonitorConfig) -> MonitorStep:
    """The step of one partition from its saved sections, or a new one from none.

    Raises:
        UnknownSnapshot: saved in a form that this code does not read.
    """
    step = MonitorStep(place, config)
    if saved:
        step.restore(saved)
    return step
