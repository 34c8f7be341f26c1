"""An event that comes alone: the plain case of a run, without one.

Where a chunk holds a few events of each of many models, what a run looks up once and collects costs several times what
is folded in. So here a plain event is folded in at once: a new prediction of a version that is known, or the
first truth of an id that one version answered. Whether an event is plain is told before it changed anything; the first
that is not is left to a run, with all after it. The result is the run's (`tests/monitor/test_chunks.py`).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from math import inf

from trueup.monitor.blindness import Missing
from trueup.monitor.fleet import Fleet
from trueup.monitor.join import (
    ACTUAL,
    COUNTED,
    ENTRY_ANSWERS,
    ENTRY_DAY,
    LAST_DAY,
    PREDICTED_AT,
    PREDICTION,
    PROBABILITY,
    SCORE,
    SEGMENT,
    UNDER,
    VERSION,
    Answer,
    Entry,
    Truth,
    Waiting,
    counted,
)
from trueup.monitor.model import APPEARS_AFTER, Model
from trueup.monitor.noticed import THEN_VERDICT, Compared, Item, answer_place
from trueup.monitor.predictions import segment_of
from trueup.monitor.run import CLOCK_AHEAD_SECONDS, Surroundings
from trueup.monitor.segments import names_in
from trueup.monitor.windows import DAY
from trueup.step import Arrival

#: So many events of a model in a chunk cost less one by one than as a run; it breaks even at about ten.
FEW = 8


class Lone:
    """Folds in the few events of a model, for all models of which a chunk holds few.

    Args:
        topic: of the chunk.
        fresh: where models are noted of which something came since the last tick.
    """

    def __init__(
        self, topic: str, arrivals: Sequence[Arrival], around: Surroundings, fleet: Fleet, fresh: dict[str, Model]
    ) -> None:
        self._arrivals = arrivals
        self._wall = around.wall
        self._found = around.found
        self._horizon_day = around.horizon_day
        self._fleet = fleet
        self._fresh = fresh
        self._most_ids = fleet.most_ids_per_model
        #: An event of a later time is from the future.
        self._too_late = around.now + CLOCK_AHEAD_SECONDS if around.wall and around.now else inf
        #: By the wall clock, none came later than this.
        self._latest_came = around.now or inf
        self._fold_one: Callable[[Model, int, Arrival], bool] = (
            self._prediction if topic == "predictions" else self._truth
        )
        #: The latest event time.
        self.latest = -inf
        self.noticed: list[tuple[Model, Item]] = []

    def fold(self, model: Model, indexes: Sequence[int]) -> Sequence[int]:
        """Fold in the events of a model, up to the first that is not plain; those that are left."""
        if model.is_rest or model.sight.blind:
            return indexes
        waiting, horizon_day = model.waiting, self._horizon_day
        if waiting.let_go_before < horizon_day:
            waiting.let_go_before = horizon_day
        for place, index in enumerate(indexes):
            if not self._fold_one(model, index, self._arrivals[index]):
                return indexes[place:]
        if not waiting.complete:
            waiting.forget_keys()
        return ()

    def _prediction(self, model: Model, index: int, arrival: Arrival) -> bool:
        """Fold in a new prediction of a known version; False where it is anything else."""
        offset, _, timestamp, event = arrival
        name, probability, fleet = event["model_version"], event.get("probability"), self._fleet
        version, at = model.versions.get(name), event.get("predicted_at")
        if at is None:
            at = timestamp
        if version is None or type(probability) is dict:
            return False
        if at > timestamp + CLOCK_AHEAD_SECONDS or at > self._too_late:
            return False
        waiting, prediction_id, wall = model.waiting, event["prediction_id"], self._wall
        came_at = int(timestamp) if wall else 0
        day = int(max(came_at, at) // DAY)
        if not self._has_room(waiting, day) or self._known(waiting, prediction_id) is not None:
            return False
        names = model.config.segments
        segment = segment_of(names_in(names), event) if names else None
        answer: Answer = (name, event.get("prediction"), probability, at, segment, None, None)
        counts = version.counts
        counts["predictions"] += 1
        if counts["predictions"] == APPEARS_AFTER:
            model.appeared(version)
        waiting.by_day[day] += 1
        waiting.total += 1
        fleet.ids += 1
        waiting.put(prediction_id, (day, came_at, offset, None, (answer,)))
        version.waits(day)
        model.labels.counts.made.append(answer)
        if probability is not None:
            version.estimated.predicted(answer)
        noticed = version.predicted((index, answer, event), min(timestamp, self._latest_came) if wall else at)
        if noticed:
            self.noticed += [(model, item) for item in noticed]
        fleet.changes.touch_version(model.model_id, name)
        if not (self._wall and "predictions" in model.sight.fresh):
            self._see(model, "predictions", at)
        if at > self.latest:
            self.latest = at
        return True

    def _truth(self, model: Model, index: int, arrival: Arrival) -> bool:
        """Fold in the first truth of an id that one version answered; False where it is anything else."""
        offset, _, timestamp, event = arrival
        at = event.get("observed_at")
        if at is None:
            at = timestamp
        if at > timestamp + CLOCK_AHEAD_SECONDS or at > self._too_late:
            return False
        prediction_id = event["prediction_id"]
        entry = self._known(model.waiting, prediction_id)
        if entry is None or len(entry[ENTRY_ANSWERS]) != 1:
            return False
        day, came_at, first_offset, known, (answer,) = entry
        truth: Truth = (event.get("actual"), event.get("score"), at, offset, 1, 0, 0)
        if known is not None or (outcome := model.judge(answer, truth)) is None:
            return False
        model.counts["feedback"] += 1
        model.training.labelled(at, first_offset, offset)
        name = answer[UNDER] or answer[VERSION]
        version = model.versions[name]
        version.met(truth, day)
        model.labels.counts.met.append(answer)
        if answer[PROBABILITY] is not None:
            version.estimated.settled(answer, outcome, at)
        budget = model.earn(at) if model.config.pages else 0.0
        evidence = (model.task, answer[PREDICTION], answer[PROBABILITY], truth[ACTUAL], truth[SCORE])
        noticed = version.turned_out((index, 0, at, answer[PREDICTED_AT], outcome, budget, answer[SEGMENT], evidence))
        if noticed:
            self.noticed += [(model, item) for item in noticed]
        if model.compared is not None and model.decides(version, outcome, answer[PREDICTED_AT]):
            version_role = model.versions[model.compared.new].role
            verdict = Compared(model.compared, at, model.inflation, version_role)
            self.noticed.append((model, Item(index, answer_place(0, THEN_VERDICT), verdict)))
        judged = (*answer[:COUNTED], counted(outcome), answer[UNDER])
        model.waiting.put(prediction_id, (day, came_at, first_offset, truth, (judged,)))
        self._fleet.changes.touch_version(model.model_id, name)
        if not (self._wall and "feedback" in model.sight.fresh):
            self._see(model, "feedback", at)
        if at > self.latest:
            self.latest = at
        return True

    def _has_room(self, waiting: Waiting, day: int) -> bool:
        """Whether one more id of this day can be kept, and nothing else changes by that."""
        fleet = self._fleet
        return (
            day in waiting.by_day
            and waiting.let_go_before <= day <= LAST_DAY
            and waiting.total < self._most_ids
            and fleet.ids < fleet.most_ids
        )

    def _known(self, waiting: Waiting, prediction_id: str) -> Entry | None:
        """The entry of this id, None where it was never seen or was let go."""
        entry = waiting.hot.get(prediction_id)
        if entry is None:
            return None if waiting.complete else waiting.recall(prediction_id, self._found)
        return None if entry[ENTRY_DAY] < waiting.let_go_before else entry

    def _see(self, model: Model, what: Missing, at: float) -> None:
        """Some came. By the wall clock they came now, which is noted once between two ticks."""
        sight, wall = model.sight, self._wall
        is_first = what not in sight.last
        if wall:
            sight.dated(what, at)
        sight.seen(what, None if wall else at)
        if wall:
            self._fresh[model.model_id] = model
        if is_first:
            self._fleet.look_again(model)
