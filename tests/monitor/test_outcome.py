"""How a prediction and its truth are judged: by task, and at the edges of what numbers can be."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, T0, MonitorHarness, feedback, monitor_config, prediction
from trueup.monitor.config import ModelConfig, Task
from trueup.monitor.outcome import LARGEST_ERROR, Outcome, infer_task, judge

finite = st.floats(allow_nan=False, allow_infinity=False)
tolerances = st.one_of(st.none(), st.floats(0.001, 10.0))


@pytest.mark.parametrize(
    ("tolerance", "prediction_is", "actual", "expected"),
    [
        pytest.param(None, 12.0, 10.0, Outcome(None, 2.0, 2 / 22), id="without tolerance nothing is right or wrong"),
        pytest.param(None, 0.0, 0.0, Outcome(None, 0.0, 0.0), id="nought for nought is no error"),
        pytest.param(None, 5.0, 0.0, Outcome(None, 5.0, 1.0), id="anything for nought is the largest loss"),
        pytest.param(None, -3.0, 3.0, Outcome(None, 6.0, 1.0), id="the wrong sign is the largest loss"),
        pytest.param(None, -0.0, 0.0, Outcome(None, 0.0, 0.0), id="minus nought is nought"),
        pytest.param(None, True, 3, Outcome(None, 2.0, 0.5), id="true is the number one"),
        pytest.param(0.1, 110, 100, Outcome(True, 10.0, 0.0), id="at the edge of the tolerance it is right"),
        pytest.param(0.1, 111, 100, Outcome(False, 11.0, 1.0), id="beyond the tolerance it is wrong"),
        pytest.param(0.1, -95, -100, Outcome(True, 5.0, 0.0), id="the tolerance is a share of the size"),
        pytest.param(0.1, 0.001, 0, Outcome(False, 0.001, 1.0), id="of nought the tolerance is nought"),
        pytest.param(0.1, -0.0, 0, Outcome(True, 0.0, 0.0), id="minus nought is right for nought"),
        pytest.param(None, 1e308, -1e308, Outcome(None, LARGEST_ERROR, 1.0), id="a difference beyond a double"),
        pytest.param(None, 1e308, 1e308, Outcome(None, 0.0, 0.0), id="equal and huge"),
        pytest.param(None, 1.5e308, 0.5e308, Outcome(None, LARGEST_ERROR, 0.5), id="a sum beyond a double"),
        pytest.param(0.1, 1e308, 1e-308, Outcome(False, LARGEST_ERROR, 1.0), id="huge for tiny"),
        pytest.param(0.1, "7", 7, None, id="a text where a number is needed cannot be judged"),
        pytest.param(0.1, 7, "late", None, id="a truth in words cannot be judged"),
    ],
)
def test_a_regression_is_judged_by_its_distance(
    tolerance: float | None, prediction_is: Any, actual: Any, expected: Outcome | None
) -> None:
    assert judge("regression", ModelConfig(tolerance=tolerance), prediction_is, actual, None) == expected


@pytest.mark.parametrize(
    ("task", "prediction_is", "actual", "score", "expected"),
    [
        pytest.param("judged", "an essay", None, 0.75, Outcome(None, 0.25, 0.25), id="a score"),
        pytest.param("judged", "an essay", "fine", None, None, id="a label where a score is needed"),
        pytest.param("binary", 1, True, None, Outcome(True, 0.0, 0.0), id="right"),
        pytest.param("multiclass", "a", "b", None, Outcome(False, 1.0, 1.0), id="wrong"),
        pytest.param("multiclass", "a", None, 0.5, None, id="a score where a label is needed"),
        pytest.param("binary", None, 1, None, None, id="a failed call"),
    ],
)
def test_labels_and_scores_are_judged_by_their_task(
    task: Task, prediction_is: Any, actual: Any, score: float | None, expected: Outcome | None
) -> None:
    assert judge(task, ModelConfig(), prediction_is, actual, score) == expected


@given(finite, finite, tolerances)
def test_whatever_the_numbers_the_error_can_be_summed_and_the_loss_is_a_share(
    prediction_is: float, actual: float, tolerance: float | None
) -> None:
    outcome = judge("regression", ModelConfig(tolerance=tolerance), prediction_is, actual, None)

    assert outcome is not None
    assert 0.0 <= outcome.loss <= 1.0
    assert math.isfinite(outcome.error * outcome.error * 1e6)


@given(finite, finite)
def test_the_loss_of_a_regression_is_the_same_in_both_directions(one: float, other: float) -> None:
    first, second = (judge("regression", ModelConfig(), *pair, None) for pair in ((one, other), (other, one)))

    assert first == second


@pytest.mark.parametrize(
    ("prediction_is", "actual", "score", "has_probability", "task"),
    [
        pytest.param(1, 0, None, False, "binary", id="nought and one"),
        pytest.param(True, False, None, False, "binary", id="true and false"),
        pytest.param("a", "b", None, False, "multiclass", id="texts"),
        pytest.param(3, 7, None, True, "multiclass", id="numbers with a probability"),
        pytest.param(3.5, 7.25, None, False, "regression", id="numbers with a fraction"),
        pytest.param("an essay", None, 0.5, False, "judged", id="a score"),
    ],
)
def test_the_task_is_inferred_from_the_first_outcome(
    prediction_is: Any, actual: Any, score: float | None, has_probability: bool, task: Task
) -> None:
    assert infer_task(prediction_is, actual, score, has_probability) == task


def test_a_failed_call_says_nothing_about_the_task() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1", None, error="timeout"), prediction("p2", "a"))
    harness.take("feedback", feedback("p1", 0.5))
    assert harness.view()["task"] is None

    harness.take("feedback", feedback("p2", "a"))

    assert harness.view()["task"] == "multiclass"
    assert harness.version()["correct"] == 1


def test_a_failed_call_is_joined_but_is_neither_right_nor_wrong_nor_an_error() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1", None, error="timeout", latency_ms=30.0), prediction("p2", 1))
    harness.take("feedback", feedback("p1", 0), feedback("p2", 0))

    shown = harness.version()

    assert (shown["joined"], shown["correct"], shown["pending"]) == (2, 0, 0)
    assert shown["rolling_accuracy"]["n"] == 1
    assert shown["mean_error"] == 1.0
    assert shown["calls"] == {"n": 2, "error_rate": 0.5, "mean_latency_ms": 30.0}


def test_judged_answers_have_a_mean_score_and_no_accuracy() -> None:
    harness = MonitorHarness()
    harness.take("predictions", *[prediction(f"p{i}", "an essay") for i in range(4)])
    harness.take("feedback", *[feedback(f"p{i}", None, score=i / 4) for i in range(4)])

    shown = harness.version()

    assert harness.view()["task"] == "judged"
    assert shown["rolling_accuracy"]["accuracy"] is None
    assert shown["mean_error"] == pytest.approx(1 - (0 + 0.25 + 0.5 + 0.75) / 4)


def test_one_absurd_number_does_not_spoil_the_figures_after_its_correction() -> None:
    harness = MonitorHarness(monitor_config(model={"task": "regression"}))
    harness.take("predictions", *[prediction(f"p{i}", x) for i, x in enumerate((1e308, -1e308, 5.0))])
    harness.take("feedback", feedback("p0", -1e308), feedback("p1", 1e308))
    harness.take("feedback", feedback("p0", 1e308), feedback("p1", -1e308), feedback("p2", 4.0))

    shown = harness.version()

    assert (shown["mean_error"], shown["rmse"]) == (pytest.approx(1 / 3), pytest.approx((1 / 3) ** 0.5))


def test_absurd_scores_do_not_stop_the_watch_on_scores() -> None:
    harness = MonitorHarness(monitor_config(model={"task": "regression"}))
    absurd = [prediction(f"a{i}", (-1) ** i * 1.7e308, at=T0 + i) for i in range(400)]
    harness.take("predictions", *absurd)
    harness.restart()
    harness.take("predictions", *[prediction(f"b{i}", 1.0, at=T0 + DAY + i) for i in range(400)])

    assert harness.version()["predictions"] == 800


@pytest.mark.parametrize(
    ("answer", "probability", "watched"),
    [
        pytest.param(1, 0.75, 0.75, id="one probability"),
        pytest.param("a", {"a": 0.75, "b": 0.25}, 0.75, id="that of the predicted label"),
        pytest.param(True, {"true": 0.75, "false": 0.25}, 0.75, id="of a truth value as JSON writes it"),
        pytest.param(False, {"true": 0.75, "false": 0.25}, 0.75, id="of two truth values that of true"),
        pytest.param(0, {"0": 0.25, "1": 0.75}, 0.75, id="of 0 and 1 that of 1"),
        pytest.param(3, {"3": 0.75}, 0.75, id="of a whole number"),
        pytest.param("a", {"b": 0.25}, None, id="of a label without one there is none"),
    ],
)
def test_the_watched_probability_is_that_of_the_positive_label_or_the_predicted(
    answer: Any, probability: Any, watched: Any
) -> None:
    harness = MonitorHarness()
    event = prediction("p1", answer, probability=probability)
    harness.take("predictions", event)
    again = MonitorHarness()
    again.take("predictions", prediction("p1", answer, probability=watched) if watched else prediction("p1", answer))

    assert harness.sections["version/1:m/2:v1"] == again.sections["version/1:m/2:v1"]
    assert harness.entries == again.entries
