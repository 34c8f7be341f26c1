"""How good a model is expected to be before labels come, day by day, and how wrong that turned out to be.

    learn: outcomes of the first days ──> the chance of the positive class by score
    then:  scores of a day's predictions ─────> expected accuracy, precision, AUC of all of them
           those of them whose truth has come ─> the same expected, beside the actual: its own error

Of more than two labels a score says how sure the model is of the one it predicted: the chance is that of being right,
and accuracy is all that can be expected.

An event costs a count or two, and nothing is computed before it is shown. Counts are whole numbers: the same in
whatever order events came.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import orjson

from trueup.monitor.cohorts import day_name
from trueup.monitor.config import ModelConfig, Task
from trueup.monitor.join import PREDICTED_AT, Answer
from trueup.monitor.outcome import Outcome
from trueup.monitor.score_meaning import ScoreMeaning
from trueup.monitor.score_reference import ScoreReference
from trueup.monitor.windows import DAY
from trueup.statistics.calibration import (
    LABELLED,
    POSITIVE,
    Calibration,
    Quality,
    actual_quality,
    in_a_row,
)

#: Days (on which the prediction was made) that are kept, back from the latest.
KEEP_DAYS = 35
#: From so many truths, and such a share of the day's predictions, the expected is held against the actual.
LEAST_LABELS, LABELS_CAME = 100, 0.5
METRICS = ("accuracy", "precision", "auc")
CANNOT_SEE = (
    "Expected from the scores alone. It does not see a change of concept: where the truth no longer follows the "
    "features as it did, equal scores still promise what they did in the reference."
)
NOT_OF_PREDICTED = (
    "Of answers with a probability below 0.5 the surer ones are more often wrong: it does not seem to be that of the "
    "predicted label. Where it is that of one of two labels, set positive_label."
)
#: The part of the state that is no day.
REFERENCE = "reference"


class _Shown(NamedTuple):
    """A day as it is shown at this variance inflation, and the errors of its expectations."""

    inflation: float
    data: bytes
    errors: dict[str, float]


class EstimatedPerformance:
    """The expectations of one version that classifies with probabilities; any other prediction is passed over."""

    __slots__ = ("_changed", "_config", "_days", "_errors", "_latest", "_meaning", "_shown", "reference")

    def __init__(self, config: ModelConfig) -> None:
        self._config = config
        self._meaning = ScoreMeaning(config)
        self.reference = ScoreReference(config)
        #: Day since 1970 -> its counts, as `statistics.calibration` reads them.
        self._days: dict[int, dict[int, int]] = {}
        self._latest = 0
        #: Metric -> how many days that are no longer kept had an error, and the sum of these errors.
        self._errors: dict[str, list[Any]] = {name: [0, 0.0] for name in METRICS}
        self._changed: set[int] = set()
        #: How days are shown, and their errors, until they change.
        self._shown: dict[int, _Shown] = {}

    # -- events -----------------------------------------------------------------------------------------------------

    def predicted(self, answer: Answer) -> None:
        """A prediction was made."""
        key = self._key(answer)
        if key is None:
            return
        day = int(answer[PREDICTED_AT] // DAY)
        counts = self._days.get(day)
        if counts is None and (counts := self._begin(day)) is None:
            return
        counts[key] = counts.get(key, 0) + 1
        self._changed.add(day)
        if day in self._shown:
            del self._shown[day]

    def settled(self, answer: Answer, outcome: Outcome, observed_at: float) -> None:
        """Its truth is known."""
        key = self._key(answer)
        if key is None or outcome[0] is None:
            return
        day = int(answer[PREDICTED_AT] // DAY)
        positive = self._meaning.came_true(answer, correct=outcome[0])
        if not self.reference.complete:
            self.reference.add(key, positive=positive, observed_at=observed_at, day=day)
        counts = self._days.get(day)
        if counts is not None:
            counts[key + LABELLED] = counts.get(key + LABELLED, 0) + 1
            if positive:
                counts[key + POSITIVE] = counts.get(key + POSITIVE, 0) + 1
            self._touch(day)

    def corrected(self, answer: Answer, before: Outcome | None, after: Outcome | None) -> None:
        """Its truth was corrected: its day changes, as far as it is kept; the reference keeps what it was told."""
        key, day = self._key(answer), int(answer[PREDICTED_AT] // DAY)
        counts = self._days.get(day)
        if key is None or counts is None:
            return
        for outcome, sign in ((before, -1), (after, 1)):
            if outcome is not None and outcome.correct is not None:
                # What was counted before there were estimates is not taken back.
                counts[key + LABELLED] = max(0, counts.get(key + LABELLED, 0) + sign)
                if self._meaning.came_true(answer, correct=outcome.correct):
                    counts[key + POSITIVE] = max(0, counts.get(key + POSITIVE, 0) + sign)
        self._touch(day)

    def _key(self, answer: Answer) -> int | None:
        """Under which it is counted; None where it cannot be read, or no estimates are wanted."""
        return self._meaning.key(answer) if self._config.estimates else None

    def _touch(self, day: int) -> None:
        self._changed.add(day)
        self._shown.pop(day, None)

    def _begin(self, day: int) -> dict[int, int] | None:
        """A day of which there is nothing yet; None where it is too old. A newer one takes the place of the oldest."""
        if day <= self._latest - KEEP_DAYS:
            return None
        if day > self._latest:
            self._latest = day
            for old in sorted(known for known in self._days if known <= day - KEEP_DAYS):
                for name, error in self._day(old).errors.items():
                    self._errors[name] = [self._errors[name][0] + 1, self._errors[name][1] + error]
                del self._days[old]
                self._shown.pop(old, None)
                self._changed.add(old)
                self.reference.changed = True
        counts = self._days[day] = {}
        return counts

    # -- what is shown ----------------------------------------------------------------------------------------------

    def view(self, inflation: float, task: Task | None) -> dict[str, Any] | None:
        """What is expected of each day since the reference, and how wrong it was; None without any score, or the wish.

        Args:
            inflation: n outcomes are worth n / this independent ones.
            task: what the model was found to do.
        """
        meaning, reference = self._meaning, self.reference
        if not self._config.estimates:
            return None
        if task not in (None, "binary", "multiclass") or not (self._days or reference.n or meaning.faults):
            return None
        doubt = meaning.doubt(task) or self._doubt()
        quality = self._known(reference.quality)._asdict() if reference.complete else {"n": reference.n}
        view: dict[str, Any] = {
            "cannot_see": CANNOT_SEE,
            "state": "cannot_tell" if doubt else "expecting" if reference.complete else "learning",
            "why": doubt,
            "probability_of": meaning.about,
            "passed_over": meaning.faults,
            "reference": {**quality, "from_time": reference.from_at, "to_time": reference.to_at},
        }
        is_told = reference.complete and not doubt
        days = [day for day in sorted(self._days) if is_told and day > reference.last_day]
        shown = [self._day(day, inflation) for day in days]
        view["days"] = [orjson.Fragment(day.data) for day in shown]
        view["mean_absolute_error"] = {
            name: _mean(self._errors[name], [day.errors[name] for day in shown if name in day.errors])
            for name in METRICS
        }
        return view

    def _doubt(self) -> str | None:
        """Why what was learned cannot be believed."""
        is_of_predicted = self._meaning.about == "predicted"
        return NOT_OF_PREDICTED if is_of_predicted and self.reference.surer_is_worse else None

    def _known(self, quality: Quality) -> Quality:
        """What of it means anything."""
        return quality if self._meaning.about == "positive" else quality._replace(precision=None, auc=None)

    def _day(self, day: int, inflation: float = 1.0) -> _Shown:
        """A day as it is shown, and the errors of its expectations as far as labels came."""
        calibration = self.reference.calibration
        if calibration is None or day <= self.reference.last_day:
            return _Shown(inflation, b"null", {})
        known = self._shown.get(day)
        if known is None or known.inflation != inflation:
            known = self._shown[day] = self._show(day, calibration, inflation)
        return known

    def _show(self, day: int, calibration: Calibration, inflation: float) -> _Shown:
        counts = in_a_row(self._days[day])
        expected, actual = self._known(calibration.expected(counts)), self._known(actual_quality(counts))
        deviation = (calibration.accuracy_deviation(counts) or 0.0) * inflation**0.5
        of_labelled = self._known(calibration.expected(counts, LABELLED))
        coverage = actual.n / expected.n if expected.n else None
        enough = coverage is not None and coverage >= LABELS_CAME and actual.n >= LEAST_LABELS
        errors = _errors(of_labelled, actual) if enough else {}
        view = {
            "day": day_name(day),
            **expected._asdict(),
            "low": None if expected.accuracy is None else max(0.0, expected.accuracy - 1.96 * deviation),
            "high": None if expected.accuracy is None else min(1.0, expected.accuracy + 1.96 * deviation),
            "label_coverage": coverage,
            "expected_of_labelled": of_labelled._asdict(),
            "actual": actual._asdict(),
            "absolute_error": errors or None,
        }
        return _Shown(inflation, orjson.dumps(view), errors)

    # -- saving -----------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """All of it is to be saved."""
        self._changed |= self._days.keys()
        self.reference.changed = bool(self._days or self.reference.n)
        self._meaning.touch(self._config)

    def changes(self) -> dict[str, Any]:
        """Part -> plain values (None: nothing left), for those changed since the last call: days, and the reference."""
        found: dict[str, Any] = {str(day): self._days.get(day) for day in sorted(self._changed)}
        self._changed = set()
        if self.reference.changed or self._meaning.changed:
            known = {"errors": self._errors, "meaning": self._meaning.snapshot()}
            found[REFERENCE] = {**self.reference.snapshot(), **known}
            self.reference.changed = self._meaning.changed = False
        return found

    def restore(self, part: str, data: Any) -> None:
        """Take back one part as `changes` gave it."""
        if part == REFERENCE:
            # Before there was a meaning, every model was taken for one of the labels 0 and 1.
            meaning = data.get("meaning", {"about": "positive", "negative": None, "faults": []})
            self._meaning.restore(meaning)
            if self._meaning.about != meaning["about"]:
                return
            self.reference.restore(data)
            self._errors = {name: list(data["errors"].get(name, (0, 0.0))) for name in METRICS}
            return
        day = int(part)
        self._days[day] = dict(data)
        self._latest = max(self._latest, day)


def _errors(expected: Quality, actual: Quality) -> dict[str, float]:
    pairs = {name: (getattr(expected, name), getattr(actual, name)) for name in METRICS}
    return {name: abs(hoped - was) for name, (hoped, was) in pairs.items() if hoped is not None and was is not None}


def _mean(before: list[Any], errors: list[float]) -> dict[str, Any]:
    """Over the days that are no longer kept and those that are."""
    days, total = before[0] + len(errors), before[1] + sum(errors)
    return {"mean": total / days if days else None, "days": days}
