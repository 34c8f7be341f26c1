"""What the probability that comes with an answer is about, and under which key a calibration counts it.

    labels                                      the probability is of
    two of them, the positive one known         the positive label, whichever was predicted
    any other                                   the label that was predicted: how sure the model is of its answer

The positive label is known where the two are 0 and 1 (or truth values), and where `positive_label` names a text. What
the settings leave open, the first answer tells; a third label tells that it was wrong to take them for two.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from trueup.monitor.config import ModelConfig, Task
from trueup.monitor.join import PREDICTION, PROBABILITY, Answer
from trueup.monitor.outcome import Label
from trueup.statistics.calibration import key_of

About = Literal["positive", "predicted"]
MORE_LABELS = "Answers of a third label came: this is no binary model. Set its task to multiclass."
NO_POSITIVE = "Which of its two labels the probabilities are of is not known: set positive_label."
NO_PROBABILITY = "Some probabilities are below 0 or above 1."
OTHER_TASK = "The first labels looked like those of another task than the first answers: set the model's task."


class ScoreMeaning:
    """Reads the answers of one version."""

    __slots__ = ("_negative", "_positive", "about", "changed", "faults")

    def __init__(self, config: ModelConfig) -> None:
        self._positive: Label = config.positive_label
        #: The other label of two; None until it was seen.
        self._negative: Label | None = _other_truth_value(config.positive_label)
        #: None: not known yet.
        self.about: About | None = None
        if config.stated_task is not None:
            self.about = "positive" if config.stated_task == "binary" else "predicted"
        #: What could not be read, why, in the order in which it was met first.
        self.faults: list[str] = []
        #: Whether it is to be saved.
        self.changed = False

    def key(self, answer: Answer) -> int | None:
        """Under which it is counted; None where it has no probability, or one that cannot be read (see `faults`)."""
        score, prediction = answer[PROBABILITY], answer[PREDICTION]
        if score is None or prediction is None:
            return None
        if not 0.0 <= score <= 1.0:
            self._cannot(NO_PROBABILITY)
            return None
        if self.about == "predicted":
            return key_of(score, predicted=True)
        if self.about is None:
            self.changed = True
            self.about = "positive" if prediction in (self._positive, self._negative) else "predicted"
            return self.key(answer)
        if prediction == self._positive:
            return key_of(score, predicted=True)
        if self._negative is None and isinstance(prediction, type(self._positive)):
            self._negative, self.changed = prediction, True
        if prediction == self._negative:
            return key_of(score, predicted=False)
        is_text = isinstance(prediction, str)
        self._cannot(NO_POSITIVE if is_text and not isinstance(self._positive, str) else MORE_LABELS)
        return None

    def came_true(self, answer: Answer, *, correct: bool) -> bool:
        """Whether what the probability is of turned out to be true, of an answer that has a key."""
        return correct if self.about == "predicted" else (answer[PREDICTION] == self._positive) == correct

    def doubt(self, task: Task | None) -> str | None:
        """Why nothing can be expected of these probabilities, in a sentence; None: nothing speaks against it."""
        for why in (NO_POSITIVE, MORE_LABELS):
            if why in self.faults:
                return why
        if task is not None and self.about is not None and (task == "binary") != (self.about == "positive"):
            return OTHER_TASK
        return None

    def _cannot(self, why: str) -> None:
        if why not in self.faults:
            self.faults.append(why)
            self.changed = True

    def touch(self, config: ModelConfig) -> None:
        """It is to be saved, where answers told it anything that the settings do not."""
        self.changed = self.snapshot() != ScoreMeaning(config).snapshot()

    def snapshot(self) -> dict[str, Any]:
        """Plain values, for `restore`."""
        return {"about": self.about, "negative": self._negative, "faults": self.faults}

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back what `snapshot` gave; what is configured now holds, for what comes from now on."""
        if self.about is None:
            self.about = data["about"]
        if self._negative is None:
            self._negative = data["negative"]
        self.faults = list(data["faults"])


def _other_truth_value(positive: Label) -> Label | None:
    if isinstance(positive, str):
        return None
    return 0 if positive == 1 else 1 if positive == 0 else None
