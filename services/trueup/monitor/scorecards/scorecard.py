"""One bucket of outcomes: how often which label was answered for which, what scores and numbers were worth."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from trueup.monitor.config import Task
from trueup.monitor.outcome import Label
from trueup.monitor.scorecards.exact import ONE, pack_sum, read_sum
from trueup.monitor.scorecards.labels import Labels
from trueup.monitor.scorecards.number_sums import NumberSums
from trueup.monitor.scorecards.score_bins import ScoreBins

#: (task, prediction, probability, actual, score): what an outcome was judged by, and as what. `probability` is that of
#: the positive label (binary) or of the predicted one (multiclass). A plain tuple: there is one for every outcome.
Evidence = tuple[Task | None, Label | None, float | None, Label | None, float | None]


def predicted_label(evidence: Evidence) -> Label | None:
    """The label that was predicted; None where the model does not classify."""
    task, prediction, *_ = evidence
    return prediction if task == "binary" or task == "multiclass" else None


@dataclass(slots=True)
class Frame:
    """What all scorecards of a version have in common, so that they merge."""

    #: The label whose probability is given (binary).
    positive: Label
    labels: Labels = field(default_factory=Labels)
    #: The first actual number.
    origin: float | None = None


class Scorecard:
    """Counts and sums of some outcomes; two of one frame merge by adding. What a task does not have stays None."""

    __slots__ = ("judged", "judged_squared", "n_judged", "numbers", "pairs", "scores")

    def __init__(self) -> None:
        #: A pair of labels (see `labels`) -> how many.
        self.pairs: dict[int, int] = {}
        self.scores: ScoreBins | None = None
        self.numbers: NumberSums | None = None
        #: Judged answers: how many, and the sums of score and of its square.
        self.n_judged = 0
        self.judged = 0
        self.judged_squared = 0

    def add_all(self, given: Sequence[Evidence], frame: Frame, sign: int = 1) -> None:
        """Count outcomes of one task in, at least one; or out again (`sign` -1)."""
        task = given[0][0]
        if task == "judged":
            self._add_judged(given, sign)
        elif task == "regression":
            self._add_numbers(given, frame, sign)
        else:
            self._add_labels(given, frame, sign)
            self._add_scores(_of_positive(given, frame.positive) if task == "binary" else _of_predicted(given), sign)

    def _add_labels(self, given: Sequence[Evidence], frame: Frame, sign: int) -> None:
        pairs = self.pairs
        for (predicted, actual), n in Counter([(one[1], one[3]) for one in given]).items():
            assert predicted is not None
            assert actual is not None
            pair = frame.labels.pair(predicted, actual)
            pairs[pair] = pairs.get(pair, 0) + sign * n

    def _add_scores(self, scored: Sequence[tuple[float, bool]], sign: int) -> None:
        if scored:
            if self.scores is None:
                self.scores = ScoreBins()
            self.scores.add_all(scored, sign)

    def _add_numbers(self, given: Sequence[Evidence], frame: Frame, sign: int) -> None:
        if self.numbers is None:
            self.numbers = NumberSums()
        for _, predicted, _, actual, _ in given:
            assert predicted is not None
            assert actual is not None
            if frame.origin is None:
                frame.origin = float(actual)
            self.numbers.add(float(predicted), float(actual), frame.origin, sign)

    def _add_judged(self, given: Sequence[Evidence], sign: int) -> None:
        for *_, score in given:
            assert score is not None
            self.n_judged += sign
            self.judged += sign * int(score * ONE)
            self.judged_squared += sign * int(score * score * ONE)

    def merge(self, other: Scorecard, sign: int = 1) -> None:
        """Add all that `other` counted, or take it back."""
        pairs = self.pairs
        for pair, n in other.pairs.items():
            pairs[pair] = pairs.get(pair, 0) + sign * n
        if other.scores is not None:
            if self.scores is None:
                self.scores = ScoreBins()
            self.scores.merge(other.scores, sign)
        if other.numbers is not None:
            if self.numbers is None:
                self.numbers = NumberSums()
            self.numbers.merge(other.numbers, sign)
        self.n_judged += sign * other.n_judged
        self.judged += sign * other.judged
        self.judged_squared += sign * other.judged_squared

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        judged = [self.n_judged, pack_sum(self.judged), pack_sum(self.judged_squared)] if self.n_judged else None
        return [
            dict(sorted(self.pairs.items())),
            None if self.scores is None else self.scores.snapshot(),
            None if self.numbers is None else self.numbers.snapshot(),
            judged,
        ]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> Scorecard:
        """The same again."""
        pairs, scores, numbers, judged = data
        card = cls()
        card.pairs = dict(pairs)
        card.scores = None if scores is None else ScoreBins.restore(scores)
        card.numbers = None if numbers is None else NumberSums(*numbers)
        if judged is not None:
            card.n_judged, card.judged, card.judged_squared = judged[0], read_sum(judged[1]), read_sum(judged[2])
        return card


def _of_positive(given: Sequence[Evidence], positive: Label) -> list[tuple[float, bool]]:
    """The scores of the positive label, and whether it came true.

    Of labels that are texts, where the positive one is none, that is not known: none of those are counted.
    """
    is_text = isinstance(positive, str)
    return [
        (probability, actual == positive)
        for _, _, probability, actual, _ in given
        if probability is not None and isinstance(actual, str) is is_text
    ]


def _of_predicted(given: Sequence[Evidence]) -> list[tuple[float, bool]]:
    """The scores of the predicted labels, and whether they came true."""
    return [
        (probability, predicted == actual) for _, predicted, probability, actual, _ in given if probability is not None
    ]
