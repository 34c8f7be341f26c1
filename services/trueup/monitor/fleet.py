"""The models of a partition: which are in memory, which rest, and how one comes and goes.

    first event                nothing came for long, all said
──────────────────> awake ─────────────────────────────────────> resting ──> saved in one piece, out of memory
                      ^                                             │        in the save after that
                      └───── an event, or the horizon reaches ──────┘
                             the day of one of its ids
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from trueup.monitor import budget, saving, sections
from trueup.monitor.config import MonitorConfig
from trueup.monitor.hot_set import HotSet
from trueup.monitor.join import Waiting
from trueup.monitor.model import Model
from trueup.monitor.registry import Registry
from trueup.monitor.schedule import Schedule
from trueup.step import Kept

#: Models of which the horizon lets ids go, and models that are put to rest, in one tick: all at once would be one save
#: too large. The rest is for the next ticks.
MODELS_A_TICK = 500


class Fleet:
    """All models of a partition, their entries, and what of them is to be saved."""

    def __init__(self, config: MonitorConfig, partitions: int) -> None:
        self._config = config
        self._partitions = partitions
        self.registry = Registry(config.most_models_per_partition)
        self.schedule = Schedule()
        self.awake: dict[str, Model] = {}
        self.changes = saving.Changes()
        self.horizon_day = 0
        #: Ids kept, of all models.
        self.ids = 0
        self.most_ids = max(1, config.most_ids // partitions)
        self.most_ids_per_model = config.most_ids_per_model
        self._hot = HotSet(config.most_ids_in_memory // partitions)
        #: To be put to rest with the next save.
        self._to_rest: dict[str, Model] = {}
        #: Saved as resting by the last save, which may still be under way.
        self._leaving: dict[str, Model] = {}
        #: Saved as resting, and awake again.
        self._woken: set[str] = set()

    # -- models -----------------------------------------------------------------------------------------------------

    def new(self, model_id: str) -> Model:
        """A model that was not seen before."""
        model = self.awake[model_id] = self.made(model_id, self.registry.register(model_id))
        return model

    def made(self, model_id: str, ordinal: int) -> Model:
        """An empty model; its share of the budget goes by the order in which models appear."""
        share = budget.share(ordinal + 1, self._partitions) * self._config.false_pages_per_month
        return Model(model_id, ordinal, self._config, share)

    def get(self, model_id: str, asleep: Mapping[str, bytes]) -> Model:
        """The model under which this id is counted: awake, woken up, or new."""
        model = self.awake.get(model_id)
        if model is None:
            model_id = self.registry.counted_as(model_id)
            model = self.awake.get(model_id)
        if model is None:
            ordinal = self.registry.ordinals.get(model_id)
            model = self.new(model_id) if ordinal is None else self._wake(model_id, ordinal, asleep)
        if self._to_rest:
            self._to_rest.pop(model_id, None)
        return model

    def waiting_of(self, model_id: str) -> Waiting | None:
        """The entries of a model, as far as it is not new; of one at rest, none of them hot."""
        model = self.awake.get(model_id) or self._leaving.get(model_id)
        if model is not None:
            return model.waiting
        ordinal = self.registry.ordinals.get(model_id)
        if ordinal is None:
            return None
        waiting = self.made(model_id, ordinal).waiting
        waiting.complete = not self.registry.resting[ordinal]
        return waiting

    def needed(self, model_ids: Iterable[str]) -> list[str]:
        """The names of those of these models that have to be read to be woken up."""
        found = []
        for model_id in model_ids:
            name = self.registry.counted_as(model_id)
            if name not in self.awake and name in self.registry.ordinals and name not in self._leaving:
                found.append(sections.name(sections.MODEL, name))
        return list(dict.fromkeys(found))

    def _wake(self, model_id: str, ordinal: int, asleep: Mapping[str, bytes]) -> Model:
        model = self._leaving.pop(model_id, None)
        if model is None:
            name = sections.name(sections.MODEL, model_id)
            if name not in asleep:
                raise LookupError(f"model {model_id!r} rests, and what was saved of it ({name}) was not given")
            model = self.made(model_id, ordinal)
            saving.restore_whole(model, asleep[name])
        self.registry.wake(ordinal)
        self.awake[model_id] = model
        self._woken.add(model_id)
        saving.touch_all(model)
        self.changes.touch(model, model.versions, shown=False)
        self.look_again(model)
        return model

    def look_again(self, model: Model) -> None:
        """Something came: the time at which it is next to be looked at may be another."""
        config = self._config
        at = model.sight.next_look(config.blind_after_hours, config.rest_after_days)
        self.schedule.put(model.ordinal, None if at is None else min(at, model.labels.next_look))

    def refile(self, model: Model) -> None:
        """Its ids are of other days than before."""
        waiting = model.waiting
        waiting.days_changed = False
        self.registry.refile(model.ordinal, waiting.first_day, waiting.let_go_before, self.horizon_day)

    # -- the horizon ------------------------------------------------------------------------------------------------

    def passed(self, horizon_day: int) -> list[str]:
        """The models with ids from before this day, so many as one tick takes."""
        return [self.registry.names[ordinal] for ordinal in self.registry.due.before(horizon_day, most=MODELS_A_TICK)]

    def pass_horizon(self, horizon_day: int, asleep: Mapping[str, bytes]) -> None:
        """Let go of the ids that age from before this day."""
        if horizon_day > self.horizon_day:
            self.horizon_day = horizon_day
            self.registry.pass_horizon(horizon_day)
        for model_id in self.passed(self.horizon_day):
            rested = model_id not in self.awake or model_id in self._to_rest
            model = self.get(model_id, asleep)
            before = model.waiting.total
            versions = model.expire(self.horizon_day)
            self.ids += model.waiting.total - before
            self.refile(model)
            self.changes.touch(model, [version.model_version for version in versions], shown=bool(versions))
            if rested:
                self._to_rest[model_id] = model

    # -- rest -------------------------------------------------------------------------------------------------------

    def put_to_rest(self, models: Sequence[Model]) -> list[Model]:
        """Put the first of these to rest, as many as one tick takes; those that are left.

        One that waits for its turn may have been put to rest meanwhile, since the horizon woke it only to let ids go.
        """
        awake = [model for model in models if self.awake.get(model.model_id) is model]
        for model in awake[:MODELS_A_TICK]:
            self._to_rest[model.model_id] = model
        return awake[MODELS_A_TICK:]

    def _rest(self, model: Model, kept: dict[str, bytes | None], asleep: dict[str, bytes | None]) -> None:
        raw, names = saving.pack_whole(model)
        kept.update(dict.fromkeys(names))
        asleep[sections.name(sections.MODEL, model.model_id)] = raw
        self.registry.rest(model.ordinal, model.waiting.total)
        self.schedule.drop(model.ordinal)
        del self.awake[model.model_id]
        self._leaving[model.model_id] = model

    # -- saving -----------------------------------------------------------------------------------------------------

    @property
    def ids_in_memory(self) -> int:
        """How many ids were hot when entries were last asked for."""
        return len(self._hot)

    def entries(self) -> dict[bytes, Kept]:
        """The entries that changed. Those that were saved before this call, and the models, may leave memory."""
        for model in self._leaving.values():
            self._hot.drop(model.waiting)
        self._leaving = {}
        self._hot.let_go()
        kept: dict[bytes, Kept] = {}
        for model_id in self.changes.models:
            model = self.awake[model_id]
            if model.waiting.changed:
                kept.update(model.waiting.changes(model.ordinal))
                self._hot.saved(model.waiting)
                self._hot.count(model.waiting)
        return kept

    def sections(self) -> tuple[dict[str, bytes | None], dict[str, bytes | None]]:
        """What changed of models that are awake, and of those that rest."""
        kept: dict[str, bytes | None] = {}
        asleep: dict[str, bytes | None] = {
            sections.name(sections.MODEL, model_id): None for model_id in sorted(self._woken)
        }
        self._woken.clear()
        for model_id, model in self._to_rest.items():
            self._rest(model, kept, asleep)
            self.changes.models.pop(model_id, None)
        self._to_rest = {}
        for model_id in sorted(self.changes.models):
            kept.update(saving.changed_sections(self.awake[model_id], self.changes.versions.get(model_id, ())))
        for group, rows in self.registry.changes().items():
            kept[sections.name(sections.MODELS, str(group))] = saving.pack(rows)
        self.changes.models, self.changes.versions = {}, {}
        return kept, asleep

    # -- restoring --------------------------------------------------------------------------------------------------

    def restore(self, saved: Mapping[str, bytes], horizon_day: int) -> None:
        """Take back the sections of all models; those without any rest."""
        of: dict[str, dict[str, saving.Section]] = {}
        groups: dict[int, list[list[Any]]] = {}
        for name, raw in saved.items():
            kind, parts = sections.parse(name)
            if kind == sections.MODELS:
                groups[int(parts[0])] = saving.read(raw, name)
            elif parts:
                of.setdefault(parts[0], {})[name] = (kind, parts, raw)
        self.registry.restore([groups[group] for group in sorted(groups)])
        for ordinal, model_id in enumerate(self.registry.names):
            if ordinal not in self.registry.resting:
                model = self.awake[model_id] = self.made(model_id, ordinal)
                saving.restore_model(model, of.get(model_id, {}))
        self.settle(horizon_day)

    def touch_all(self) -> None:
        """All of it is to be saved."""
        self.registry.touch()
        for model in self.awake.values():
            saving.touch_all(model)
            self.changes.touch(model, model.versions)

    def settle(self, horizon_day: int) -> None:
        """Work out what follows from the models that were restored."""
        self.horizon_day = horizon_day
        self.registry.pass_horizon(horizon_day)
        self.ids = sum(self.registry.resting.values())
        for model in self.awake.values():
            self.ids += model.waiting.total
            self.refile(model)
            self.look_again(model)
