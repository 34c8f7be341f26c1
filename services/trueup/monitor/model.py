"""One model: its versions, and what an event means for them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.monitor import budget
from trueup.monitor.blindness import Sight
from trueup.monitor.config import MonitorConfig, Task
from trueup.monitor.join import (
    ACTUAL,
    PREDICTED_AT,
    PREDICTION,
    PROBABILITY,
    SCORE,
    UNDER,
    VERSION,
    Answer,
    Truth,
    Waiting,
    outcome_of,
    prefix_of,
)
from trueup.monitor.label_coverage import LabelCoverage
from trueup.monitor.outcome import RIGHT, WRONG, Outcome, infer_task, judge
from trueup.monitor.segments import OTHER
from trueup.monitor.shadows import Shadows
from trueup.monitor.traffic import TrafficWatch
from trueup.monitor.training_data import TrainingIndex
from trueup.monitor.version import NOT_SERVING, Version
from trueup.monitor.versions_compared import VersionsCompared

#: A version that nobody deployed is held against the one before it from so many predictions on.
APPEARS_AFTER = 30
#: Of the model as a whole. `let_go` are ids that were let go before the horizon, since there were too many.
MODEL_COUNTS = ("feedback", "orphans", "duplicates", "corrections", "clamped", "let_go")


class Model:
    """State of one model. Its events are folded in by `predictions` and `truths`, a run at a time."""

    def __init__(self, model_id: str, ordinal: int, fleet: MonitorConfig, pages_per_month: float) -> None:
        self.model_id = model_id
        #: The how many-eth of its partition it is, from 0.
        self.ordinal = ordinal
        #: Where it stands for all models beyond the cap, ids are told apart by the model they came with.
        self.is_rest = model_id == OTHER
        self.fleet = fleet
        self.config = fleet.of(model_id)
        #: Its share of the fleet's budget of false pages.
        self.pages_per_month = pages_per_month
        self.task: Task | None = self.config.stated_task
        self.versions: dict[str, Version] = {}
        self.counts: dict[str, int] = dict.fromkeys(MODEL_COUNTS, 0)
        self.training = TrainingIndex(self.config.training_days)
        self.sight = Sight()
        self.labels = LabelCoverage(self.config.segments)
        self.traffic = TrafficWatch(self.labels.counts.names)
        self.compared: VersionsCompared | None = None
        self.shadows = Shadows(fleet.comparison_alpha, self.config.comparison_margin)
        #: Label time up to which the budget was earned; None before the first truth.
        self.earned_until: float | None = None
        self.waiting = Waiting("" if self.is_rest else prefix_of(model_id))

    @property
    def inflation(self) -> float:
        """The variance inflation of its errors, as far as any version has met it: n labels are worth n / this."""
        return max((version.inflation for version in self.versions.values()), default=1.0)

    # -- versions ---------------------------------------------------------------------------------------------------

    def version(self, model_version: str, at: float) -> Version:
        """The version, new where it was not seen before; beyond the cap, the one that stands for the rest."""
        version = self.versions.get(model_version)
        if version is None:
            if model_version != OTHER and len(self.versions) >= self.fleet.most_versions_per_model:
                return self.version(OTHER, at)
            version = Version(model_version, self.config, self.fleet, inflation=self.inflation)
            version.first_seen = at
            self.versions[model_version] = version
        return version

    def answered_by(self, answer: Answer) -> Version:
        """The version under which an answer is counted."""
        return self.versions[answer[UNDER] or answer[VERSION]]

    def _hold_against_serving(self, model_version: str, at: float) -> None:
        """Test it against the version that serves besides, unless it is in the running test already."""
        if self.compared is not None and model_version in (self.compared.new, self.compared.old):
            return
        before = self._serving(besides=model_version)
        if before is not None:
            alpha, margin = self.fleet.comparison_alpha, self.config.comparison_margin
            self.compared = VersionsCompared(model_version, before, alpha, since=at, margin=margin)

    def appeared(self, version: Version) -> None:
        """A version that nobody deployed has served a while: hold it against the one before it.

        A stray answer of a version that is not in service, or a new one while a deployed one is on trial, ends no test.
        """
        running = self.compared
        on_trial = running is not None and running.undecided and self.versions[running.new].role is not None
        if version.role is None and not on_trial and version.model_version != OTHER:
            self._hold_against_serving(version.model_version, version.first_seen)

    def _serving(self, *, besides: str) -> str | None:
        known = [(name, version.role) for name, version in self.versions.items() if name != besides]
        champions = [name for name, role in known if role == "champion"]
        others = [name for name, role in known if role in (None, "challenger")]
        serving = champions or others
        return serving[-1] if serving else None

    def deployed(self, model_version: str, role: str, at: float, traffic: float | None) -> None:
        """A version took a role; a champion with all the traffic retires the one before it.

        The one that stands for the rest takes no role: it is many.
        """
        version = self.version(model_version, at)
        is_one = version.model_version != OTHER
        if is_one and role not in NOT_SERVING and version.role in (None, "shadow"):
            self._hold_against_serving(model_version, at)
        if role == "champion" and traffic in (None, 1, 1.0):
            for other in self.versions.values():
                if other.role in (None, "champion") and other.model_version != OTHER:
                    other.role = "retired"
        if is_one:
            if version.role != role:
                self.shadows.role_changed(model_version)
            version.role = role

    # -- ids --------------------------------------------------------------------------------------------------------

    def expire(self, before_day: int) -> list[Version]:
        """The horizon passed for ids that age from before this day; the versions of which some were still pending.

        An answer without truth is expired; an orphan stays counted as one.
        """
        self.waiting.let_go(before_day)
        return [version for version in self.versions.values() if version.let_go(before_day, early=False)]

    def make_room(self, day: int, most: int) -> bool:
        """Let the oldest days go until there is room for an id that ages from this one; False where it is the oldest.

        Then it is this id that cannot be kept.
        """
        waiting = self.waiting
        while waiting.total >= most:
            oldest = waiting.first_day
            if oldest is None or oldest >= day:
                self.counts["let_go"] += 1
                return False
            self.counts["let_go"] += waiting.let_go(oldest + 1)
            for version in self.versions.values():
                version.let_go(oldest + 1, early=True)
        return True

    # -- outcomes ---------------------------------------------------------------------------------------------------

    def decides(self, version: Version, outcome: Outcome, predicted_at: float) -> bool:
        """Whether this outcome brings the verdict on the new version; on one that does not serve there is none.

        While truths are missing, those that come may not be like those that do not: they say nothing here.
        """
        compared = self.compared
        if compared is None or self.labels.blind or not self.versions[compared.new].serves:
            return False
        return compared.add(version.model_version, outcome, predicted_at)

    def decided_by(self, answers: Sequence[Answer]) -> list[VersionsCompared]:
        """Take what the answers of several versions to one request turned out; the tests that it brings a verdict."""
        decided = self.shadows.take(answers, self.versions)
        compared = self.compared
        if compared is not None and self._decides_together(compared, answers):
            decided.append(compared)
        return decided

    def _decides_together(self, compared: VersionsCompared, answers: Sequence[Answer]) -> bool:
        """`decides` of several answers: those of the two versions on trial make a pair where both could be judged."""
        judged = [
            (self.answered_by(answer), outcome, answer[PREDICTED_AT])
            for answer in answers
            if (outcome := outcome_of(answer)) is not None
        ]
        by_name = {version.model_version: outcome for version, outcome, at in judged if at >= compared.since}
        new, old = by_name.get(compared.new), by_name.get(compared.old)
        if new is not None and old is not None and self.versions[compared.new].serves:
            return compared.add_pair(new, old)
        return any(self.decides(*one) for one in judged)  # after the verdict none counts

    @property
    def comparisons(self) -> list[VersionsCompared]:
        """The tests there are: of the version that came last to serve, and of those in shadow."""
        return [*([] if self.compared is None else [self.compared]), *self.shadows.tests.values()]

    def earn(self, at: float) -> float:
        """The budget for the label time since the model's previous outcome, of whichever version.

        So the versions of a model share one budget, and their number does not matter.
        """
        before = at if self.earned_until is None else self.earned_until
        self.earned_until = max(before, at)
        return budget.earned(self.pages_per_month, at - before)

    def judge(self, answer: Answer, truth: Truth) -> Outcome | None:
        """How the answer turned out; None where that cannot be judged."""
        prediction, actual, task = answer[PREDICTION], truth[ACTUAL], self.task
        if prediction is None and actual is not None:
            return None  # a failed call: neither right nor wrong, and no sign of the task
        if (task == "binary" or task == "multiclass") and actual is not None:
            return RIGHT if prediction == actual else WRONG
        if task is None:
            task = self.task = infer_task(prediction, actual, truth[SCORE], answer[PROBABILITY] is not None)
        return judge(task, self.config, prediction, actual, truth[SCORE])

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Plain values, without versions and closed hours, which have sections of their own."""
        return {
            "task": self.task,
            "counts": self.counts,
            "training": self.training.snapshot(),
            "sight": self.sight.snapshot(),
            "compared": None if self.compared is None else self.compared.snapshot(),
            "shadows": self.shadows.snapshot(),
            "earned_until": self.earned_until,
            "versions": list(self.versions),
            "ids_by_day": self.waiting.by_day,
            "let_go_before": self.waiting.let_go_before,
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back what `snapshot` gave; versions come empty, in their order, to be restored next."""
        self.task = self.config.stated_task or data["task"]
        self.counts = {name: data["counts"].get(name, 0) for name in MODEL_COUNTS}
        self.training.restore(data["training"])
        self.sight = Sight.restore(data["sight"])
        self.compared = None if data["compared"] is None else VersionsCompared.restore(data["compared"])
        self.shadows.restore(data.get("shadows", ()))
        self.earned_until = data["earned_until"]
        for name in data["versions"]:
            self.versions[name] = Version(name, self.config, self.fleet)
        waiting = self.waiting
        waiting.by_day = dict(data["ids_by_day"])
        waiting.total = sum(waiting.by_day.values())
        waiting.complete = not waiting.total
        waiting.let_go_before = data["let_go_before"]
