"""A prediction with its truth, judged."""

from __future__ import annotations

from math import inf
from typing import NamedTuple

from trueup.monitor.config import ModelConfig, Task

Label = bool | int | float | str
#: Larger errors are taken for this one: beyond it, sums of squares would be infinite, and stay so.
LARGEST_ERROR = 1e150


class Outcome(NamedTuple):
    """How one prediction turned out.

    `correct` is None where right and wrong mean nothing (a regression without tolerance, a judged answer).
    `error` is in the model's own unit: |prediction - actual|, 1 - score, or 0 and 1 for labels.
    `loss` is the same within [0, 1], which is what the detectors watch.
    """

    correct: bool | None
    error: float
    loss: float


#: The outcomes of a label. Nearly all there are, so no new ones are made.
RIGHT, WRONG = Outcome(True, 0.0, 0.0), Outcome(False, 1.0, 1.0)


def infer_task(prediction: Label | None, actual: Label | None, score: float | None, has_probability: bool) -> Task:
    """What kind of model answers and is corrected like this; configuration overrides it.

    Texts, truth values and whole numbers are labels; a number with a fraction point is a regression's, unless a
    probability came with it. A regression that predicts whole numbers has to be configured.
    """
    if score is not None and actual is None:
        return "judged"
    values = (prediction, actual)
    if any(isinstance(value, bool) for value in values) or all(value in (0, 1) for value in values):
        return "binary"
    if has_probability or not any(isinstance(value, float) for value in values):
        return "multiclass"
    return "regression"


def judge(
    task: Task, config: ModelConfig, prediction: Label | None, actual: Label | None, score: float | None
) -> Outcome | None:
    """The outcome, or None where it cannot be judged (a label where the task needs a number, a failed call)."""
    if task == "judged":
        return None if score is None else Outcome(None, 1.0 - score, 1.0 - score)
    if prediction is None or actual is None:
        return None
    if task == "regression":
        if isinstance(prediction, str) or isinstance(actual, str):
            return None
        return _judge_number(config.tolerance, float(prediction), float(actual))
    return RIGHT if prediction == actual else WRONG


def _judge_number(tolerance: float | None, prediction: float, actual: float) -> Outcome:
    difference = abs(prediction - actual)
    error = min(difference, LARGEST_ERROR)
    if tolerance is not None:
        correct = difference <= tolerance * abs(actual)
        return Outcome(correct, error, 0.0 if correct else 1.0)
    # Without a tolerance the detectors watch the symmetric relative error, which needs no scale and stays in [0, 1].
    size = abs(prediction) + abs(actual)
    if size == inf:
        difference, size = abs(prediction / 2 - actual / 2), abs(prediction / 2) + abs(actual / 2)
    return Outcome(None, error, min(1.0, difference / size) if size > 0 else 0.0)
