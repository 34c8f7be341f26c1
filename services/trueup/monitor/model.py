"""One model: its versions, and what an event means for them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from trueup.monitor import budget
from trueup.monitor.blindness import Sight
from trueup.monitor.config import MonitorConfig, Task
from trueup.monitor.error_watch import Change
from trueup.monitor.join import Answer, Entry, Truth
from trueup.monitor.outcome import LARGEST_ERROR, Outcome, infer_task, judge
from trueup.monitor.training_data import TrainingIndex
from trueup.monitor.version import NOT_SERVING, Version
from trueup.monitor.versions_compared import VersionsCompared
from trueup.monitor.windows import DAY, HOUR, Tally

#: A version that nobody deployed is held against the one before it from so many predictions on.
APPEARS_AFTER = 30
MODEL_COUNTS = ("predictions", "feedback", "joined", "orphans", "duplicates", "corrections", "expired", "clamped")


@dataclass(frozen=True, slots=True)
class Changed:
    """A detector fired on a version's stream, at this event time."""

    version: Version
    change: Change
    at: float


@dataclass(frozen=True, slots=True)
class HourClosed:
    """An hour of label time (hours since 1970) of a version is over; `day` are the 24 hours that end with it."""

    version: Version
    hour: int
    tally: Tally
    day: Tally


@dataclass(frozen=True, slots=True)
class Compared:
    """The test between two versions came to its verdict, at this event time."""

    compared: VersionsCompared
    at: float


Noticed = Changed | HourClosed | Compared


class Model:
    """State of one model. Its methods fold in one event and give what was noticed."""

    def __init__(self, model_id: str, fleet: MonitorConfig, pages_per_month: float) -> None:
        self.model_id = model_id
        self.fleet = fleet
        self.config = fleet.of(model_id)
        #: Its share of the fleet's budget of false pages.
        self.pages_per_month = pages_per_month
        self.task: Task | None = self.config.task
        self.versions: dict[str, Version] = {}
        self.counts: dict[str, int] = dict.fromkeys(MODEL_COUNTS, 0)
        self.training = TrainingIndex(self.config.training_days)
        self.sight = Sight()
        self.compared: VersionsCompared | None = None
        #: Label time up to which the budget was earned; None before the first truth.
        self.earned_until: float | None = None

    @property
    def inflation(self) -> float:
        """The variance inflation of its errors, as far as any version has met it: n labels are worth n / this."""
        return max((version.watch.pager.inflation for version in self.versions.values()), default=1.0)

    # -- events -----------------------------------------------------------------------------------------------------

    def version(self, model_version: str, at: float) -> Version:
        """The version, new where it was not seen before."""
        version = self.versions.get(model_version)
        if version is None:
            version = Version(model_version, self.config, self.fleet, inflation=self.inflation)
            version.first_seen = at
            self.versions[model_version] = version
        return version

    def _hold_against_serving(self, model_version: str, at: float) -> None:
        """Test it against the version that serves besides, unless it is in the running test already."""
        if self.compared is not None and model_version in (self.compared.new, self.compared.old):
            return
        before = self._serving(besides=model_version)
        if before is not None:
            self.compared = VersionsCompared(model_version, before, self.fleet.comparison_alpha, since=at)

    def _appeared(self, version: Version) -> None:
        """A version that nobody deployed has served a while: hold it against the one before it.

        A stray answer of a version that is not in service, or a new one while a deployed one is on trial, ends no test.
        """
        running = self.compared
        on_trial = running is not None and running.undecided and self.versions[running.new].role is not None
        if version.role is None and not on_trial:
            self._hold_against_serving(version.model_version, version.first_seen)

    def _serving(self, *, besides: str) -> str | None:
        known = [(name, version.role) for name, version in self.versions.items() if name != besides]
        champions = [name for name, role in known if role == "champion"]
        others = [name for name, role in known if role in (None, "challenger")]
        serving = champions or others
        return serving[-1] if serving else None

    def deployed(self, model_version: str, role: str, at: float, traffic: float | None) -> None:
        """A version took a role; a champion with all the traffic retires the one before it."""
        version = self.version(model_version, at)
        if role not in NOT_SERVING and version.role in (None, "shadow"):
            self._hold_against_serving(model_version, at)
        if role == "champion" and traffic in (None, 1, 1.0):
            for other in self.versions.values():
                if other.role in (None, "champion"):
                    other.role = "retired"
        version.role = role

    def predicted(
        self, entry: Entry, event: Mapping[str, Any], answer: Answer, offset: int
    ) -> tuple[Version, list[Noticed]]:
        """A prediction came, whose `entry` (maybe with its truth) is known or new."""
        version = self.version(event["model_version"], answer.predicted_at)
        if version.model_version in entry.answers:
            version.counts["duplicates"] += 1
            self.counts["duplicates"] += 1
            return version, []
        first = not entry.answers
        entry.answers[version.model_version] = answer
        if first:
            entry.first_offset = offset
            self.counts["predictions"] += 1
            self.counts["orphans"] -= entry.truth is not None
        version.predicted(answer, failed=bool(event.get("error")), latency_ms=event.get("latency_ms"))
        if version.counts["predictions"] == APPEARS_AFTER:
            self._appeared(version)
        noticed: list[Noticed] = []
        score = _score_of(answer)
        if score is not None:
            noticed += [Changed(version, change, answer.predicted_at) for change in version.watch.on_score(score)]
        if entry.truth is not None:
            if first:
                self._labelled(entry, entry.truth)
            noticed += self._join(version, entry, entry.truth)
        return version, noticed

    def told(self, entry: Entry, truth: Truth) -> tuple[list[Version], list[Noticed]]:
        """Feedback came, whose `entry` (maybe with predictions) is known or new."""
        self.counts["feedback"] += 1
        if entry.truth is not None:
            return self._told_again(entry, entry.truth, truth), []
        entry.truth = truth
        if not entry.answers:
            self.counts["orphans"] += 1
            return [], []
        self._labelled(entry, truth)
        noticed: list[Noticed] = []
        versions = []
        for model_version in entry.answers:
            version = self.versions[model_version]
            versions.append(version)
            noticed += self._join(version, entry, truth)
        return versions, noticed

    def _told_again(self, entry: Entry, before: Truth, now: Truth) -> list[Version]:
        correction = not before.same_as(now)
        self.counts["corrections" if correction else "duplicates"] += 1
        entry.truth = before._replace(
            actual=now.actual,
            score=now.score,
            events=before.events + 1,
            corrections=before.corrections + correction,
            repeats=before.repeats + (not correction),
        )
        versions = [self.versions[name] for name in entry.answers]
        for version in versions:
            version.told_again(correction=correction)
            if correction:
                self._correct(version, entry, entry.truth)
        return versions

    def _correct(self, version: Version, entry: Entry, truth: Truth) -> None:
        """Take back what was counted, by whatever settings it was judged then, and count the new truth."""
        answer = entry.answers[version.model_version]
        before = None if answer.counted is None else Outcome(*answer.counted)
        after = self._judge(answer, truth)
        version.corrected(answer, before, after)
        entry.answers[version.model_version] = answer._replace(counted=_counted(after))

    def let_go(self, entry: Entry) -> list[Version]:
        """The horizon passed: an answer without truth is expired; an orphan stays counted as one."""
        if entry.truth is not None:
            return []
        versions = [self.versions[name] for name in entry.answers]
        self.counts["expired"] += bool(versions)
        for version in versions:
            version.counts["pending"] -= 1
            version.counts["expired"] += 1
        return versions

    # -- outcomes ---------------------------------------------------------------------------------------------------

    def _labelled(self, entry: Entry, truth: Truth) -> None:
        self.counts["joined"] += 1
        self.training.labelled(truth.observed_at, entry.first_offset, truth.offset)

    def _join(self, version: Version, entry: Entry, truth: Truth) -> Iterator[Noticed]:
        answer = entry.answers[version.model_version]
        outcome = self._judge(answer, truth)
        entry.answers[version.model_version] = answer._replace(counted=_counted(outcome))
        hour = int(truth.observed_at // HOUR)
        if version.open_hour is None:
            version.open_hour = hour
        elif hour > version.open_hour:
            yield _close(version, version.open_hour)
            version.open_hour = hour
        version.joined(answer, truth, outcome)
        if outcome is None:
            return
        for change in version.watch.on_loss(outcome.loss, at=truth.observed_at, budget=self._earn(truth.observed_at)):
            yield Changed(version, change, truth.observed_at)
        if self._decides(version, outcome, answer.predicted_at):
            assert self.compared is not None
            yield Compared(self.compared, truth.observed_at)

    def _decides(self, version: Version, outcome: Outcome, predicted_at: float) -> bool:
        """Whether this outcome brings the verdict on the new version; on one that does not serve there is none."""
        compared = self.compared
        if compared is None or not self.versions[compared.new].serves:
            return False
        return compared.add(version.model_version, outcome, predicted_at)

    def _earn(self, at: float) -> float:
        """The budget for the label time since the model's previous outcome, of whichever version.

        So the versions of a model share one budget, and their number does not matter.
        """
        before = at if self.earned_until is None else self.earned_until
        self.earned_until = max(before, at)
        return budget.earned(self.pages_per_month, at - before)

    def _judge(self, answer: Answer, truth: Truth) -> Outcome | None:
        if answer.prediction is None and truth.actual is not None:
            return None  # a failed call: neither right nor wrong, and no sign of the task
        if self.task is None:
            self.task = infer_task(answer.prediction, truth.actual, truth.score, answer.probability is not None)
        return judge(self.task, self.config, answer.prediction, truth.actual, truth.score)

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Plain values, without the versions, which have sections of their own."""
        return {
            "task": self.task,
            "counts": self.counts,
            "training": self.training.snapshot(),
            "sight": self.sight.snapshot(),
            "compared": None if self.compared is None else self.compared.snapshot(),
            "earned_until": self.earned_until,
            "versions": list(self.versions),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back what `snapshot` gave; versions come empty, in their order, to be restored next."""
        self.task = self.config.task or data["task"]
        self.counts = {**dict.fromkeys(MODEL_COUNTS, 0), **data["counts"]}
        self.training.restore(data["training"])
        self.sight = Sight(*data["sight"])
        self.compared = None if data["compared"] is None else VersionsCompared.restore(data["compared"])
        self.earned_until = data["earned_until"]
        for name in data["versions"]:
            self.versions[name] = Version(name, self.config, self.fleet)


def _counted(outcome: Outcome | None) -> tuple[bool | None, float, float] | None:
    return None if outcome is None else (outcome.correct, outcome.error, outcome.loss)


def _close(version: Version, hour: int) -> HourClosed:
    window, end = version.windows.label_time, (hour + 1) * HOUR
    return HourClosed(version, hour, window.between(end - HOUR, end), window.between(end - DAY, end))


def _score_of(answer: Answer) -> float | None:
    """The number on which drift of the predictions is watched: the probability, else a predicted number."""
    if answer.probability is not None:
        return answer.probability
    prediction = answer.prediction
    if isinstance(prediction, bool) or not isinstance(prediction, int | float):
        return None
    return min(max(float(prediction), -LARGEST_ERROR), LARGEST_ERROR)
