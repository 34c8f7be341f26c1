"""Metrics over merged scorecards equal what is worked out from the outcomes themselves, and what River counts."""

from __future__ import annotations

import random
from math import log, sqrt
from statistics import fmean, pvariance
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river import metrics

from trueup.monitor.metrics import METRICS
from trueup.monitor.scorecards.sample import Sample
from trueup.monitor.scorecards.scorecard import Evidence, Frame, Scorecard

#: River's metrics are not typed.
river: Any = metrics
probabilities = st.one_of(st.floats(0, 1), st.sampled_from((0.0, 0.1, 0.3, 0.5, 0.995, 1.0)))
binary = st.lists(st.tuples(st.booleans(), probabilities, st.booleans()), min_size=1, max_size=80)
labels = st.sampled_from(("a", "b", "c", 4))
several = st.lists(st.tuples(labels, probabilities, labels), min_size=1, max_size=80)
numbers = st.lists(st.tuples(st.floats(-1e6, 1e6), st.floats(-1e6, 1e6)), min_size=1, max_size=80)


def values(task: Any, outcomes: list[Any], cut: int) -> dict[str, Any]:
    """Every metric over two buckets, cut there and merged."""
    frame, card = Frame(1), Scorecard()
    evidence: list[Evidence] = [(task, *outcome) for outcome in outcomes]
    for part in (evidence[:cut], evidence[cut:]):
        if part:
            bucket = Scorecard()
            bucket.add_all(part, frame)
            card.merge(bucket)
    return {name: measure(Sample(card, frame, card)).value for name, measure in METRICS[task].items()}


@given(binary, st.integers(0, 80))
@settings(max_examples=150)
def test_binary_metrics_are_those_of_river_and_of_the_definitions(made: list[Any], cut: int) -> None:
    found = values("binary", [(*outcome, None) for outcome in made], cut)
    theirs = {
        "accuracy": river.Accuracy(),
        "precision": river.Precision(),
        "recall": river.Recall(),
        "f1": river.F1(),
    }
    for predicted, _, actual in made:
        for metric in theirs.values():
            metric.update(actual, predicted)

    for name, metric in theirs.items():
        # River has no word for a share of nothing.
        assert found[name] == pytest.approx(metric.get()) or (found[name] is None and metric.get() == 0.0)
    given_to_truth = [score if actual else 1.0 - score for _, score, actual in made]
    assert found["log_loss"] == pytest.approx(fmean([-log(max(1e-15, p)) for p in given_to_truth]), abs=1e-9)
    assert found["brier"] == pytest.approx(fmean([(1.0 - p) ** 2 for p in given_to_truth]), abs=1e-9)
    assert found["calibration_error"] == pytest.approx(calibration_error(made), abs=1e-9)


def calibration_error(made: list[Any]) -> float:
    gaps: list[float] = []
    for tenth in range(10):
        inside = [(p, y) for _, p, y in made if tenth / 10 <= p < (tenth + 1) / 10 or (tenth == 9 and p == 1.0)]
        gaps.append(abs(sum([p - y for p, y in inside])))
    return sum(gaps) / len(made)


@given(binary, st.integers(0, 80))
@settings(max_examples=150)
def test_auc_errs_by_at_most_half_of_the_ties_and_its_interval_holds_the_exact_one(made: list[Any], cut: int) -> None:
    frame, card = Frame(1), Scorecard()
    card.add_all([("binary", *outcome, None) for outcome in made[:cut] + made[cut:]], frame)
    found = METRICS["binary"]["roc_auc"](Sample(card, frame, card))
    positives, negatives = [[p for _, p, y in made if y is wanted] for wanted in (True, False)]
    if not positives or not negatives:
        assert found.value is None
        return

    exact = fmean([(p > q) + 0.5 * (p == q) for p in positives for q in negatives])
    assert found.value is not None
    assert found.low is not None
    assert found.high is not None
    assert found.more is not None
    assert abs(found.value - exact) <= found.more["ties"] / 2 + 1e-12
    assert found.low - 1e-12 <= exact <= found.high + 1e-12


def test_the_interval_of_auc_is_delongs() -> None:
    rng = random.Random(5)
    made = [(True, rng.choice((0.11, 0.31, 0.51, 0.71)), rng.random() < 0.3) for _ in range(400)]
    frame, card = Frame(1), Scorecard()
    card.add_all([("binary", *outcome, None) for outcome in made], frame)
    positives, negatives = [[p for _, p, y in made if y is wanted] for wanted in (True, False)]
    below = [fmean([(p > q) + 0.5 * (p == q) for q in negatives]) for p in positives]
    above = [fmean([(p > q) + 0.5 * (p == q) for p in positives]) for q in negatives]
    variance = pvariance(below) / (len(below) - 1) + pvariance(above) / (len(above) - 1)

    found = METRICS["binary"]["roc_auc"](Sample(card, frame, card, 3.0))

    assert found.value == pytest.approx(fmean(below))
    assert found.high is not None
    assert found.more is not None
    half = 1.959964 * sqrt(3.0 * variance)
    assert found.high - fmean(below) == pytest.approx(half + found.more["ties"] / 2, abs=1e-6)


@given(several, st.integers(0, 80))
@settings(max_examples=100)
def test_multiclass_metrics_are_those_of_river(made: list[Any], cut: int) -> None:
    found = values("multiclass", [(*outcome, None) for outcome in made], cut)
    theirs = {"accuracy": river.Accuracy(), "macro_f1": river.MacroF1(), "micro_f1": river.MicroF1()}
    for predicted, _, actual in made:
        for metric in theirs.values():
            metric.update(str(actual), str(predicted))

    assert {name: found[name] for name in theirs} == pytest.approx({name: of.get() for name, of in theirs.items()})
    given_to_truth = [score if predicted == actual else 1.0 - score for predicted, score, actual in made]
    assert found["log_loss"] == pytest.approx(fmean([-log(max(1e-15, p)) for p in given_to_truth]), abs=1e-9)
    assert found["grown_confusion"] is None


@given(numbers, st.integers(0, 80))
@settings(max_examples=100)
def test_metrics_of_a_regression_are_those_of_river(made: list[Any], cut: int) -> None:
    found = values("regression", [(predicted, None, actual, None) for predicted, actual in made], cut)
    mae, rmse = river.MAE(), river.RMSE()
    for predicted, actual in made:
        mae.update(actual, predicted)
        rmse.update(actual, predicted)

    assert found["mae"] == pytest.approx(mae.get(), abs=1e-6)
    assert found["rmse"] == pytest.approx(rmse.get(), abs=1e-6)
    assert found["bias"] == pytest.approx(fmean([predicted - actual for predicted, actual in made]), abs=1e-6)
    spread = pvariance([actual for _, actual in made])
    if spread > 1.0:
        assert found["r2"] == pytest.approx(1.0 - fmean([(p - y) ** 2 for p, y in made]) / spread, rel=1e-5, abs=1e-5)


def test_r2_of_numbers_far_from_zero_does_not_drown_in_rounding() -> None:
    rng = random.Random(1)
    made = [(1.7e9 + y + rng.gauss(0, 1), None, 1.7e9 + y, None) for y in [rng.gauss(0, 2) for _ in range(5_000)]]

    assert values("regression", made, 100)["r2"] == pytest.approx(0.75, abs=0.02)


@pytest.mark.parametrize("huge", [1e308, -1e308, 1.7e308], ids=str)
def test_numbers_beyond_all_measure_raise_nothing(huge: float) -> None:
    frame, card = Frame(1), Scorecard()
    card.add_all([("regression", x, None, -x, None) for x in (huge, -huge, 1.0)], frame)

    for measure in METRICS["regression"].values():
        measure(Sample(card, frame, card)).shown()


def test_the_mean_score_of_judged_answers() -> None:
    assert values("judged", [(None, None, None, score) for score in (0.25, 0.5, 1.0)], 1) == {
        "mean_score": pytest.approx(1.75 / 3)
    }


def test_the_confusion_that_grew_most_is_named_and_chance_is_not() -> None:
    rng = random.Random(2)

    def some(n: int, taken: float) -> list[Evidence]:
        actual = [rng.choice(("cat", "dog", "fox")) for _ in range(n)]
        return [
            ("multiclass", "cat" if label == "fox" and rng.random() < taken else label, 0.5, label, None)
            for label in actual
        ]

    frame, before, calm, now = Frame(1), Scorecard(), Scorecard(), Scorecard()
    for card, n, taken in ((before, 5_000, 0.05), (calm, 500, 0.05), (now, 500, 0.4)):
        card.add_all(some(n, taken), frame)
    for card in (calm, now):
        before.merge(card)
    measure = METRICS["multiclass"]["grown_confusion"]

    assert measure(Sample(calm, frame, before)).value is None
    grown = measure(Sample(now, frame, before)).shown()
    assert (grown["actual"], grown["predicted"]) == ("fox", "cat")
    assert grown["low"] < grown["value"] < grown["high"]
    assert grown["value"] == pytest.approx(grown["share"] - grown["reference_share"])
    assert measure(Sample(now, frame, before, 50.0)).value is None, "500 outcomes in bursts are worth ten"


def test_labels_beyond_the_cap_are_one_and_right_and_wrong_stay_exact() -> None:
    rng = random.Random(4)
    made = [(f"label {rng.randrange(60)}", None, f"label {rng.randrange(60)}", None) for _ in range(3_000)]
    right = sum([predicted == actual for predicted, _, actual, _ in made])
    frame, card = Frame(1), Scorecard()
    card.add_all([("multiclass", *outcome) for outcome in made], frame)

    assert METRICS["multiclass"]["accuracy"](Sample(card, frame, card)).value == right / 3_000
    assert len(frame.labels.known()) == 20
    assert len(card.pairs) <= 21 * 21 + 1


@pytest.mark.parametrize(
    ("positive", "actual", "counted"),
    [
        pytest.param(1, True, 1, id="1 is true"),
        pytest.param("spam", "spam", 1, id="a text that was configured"),
        pytest.param(1, "spam", 0, id="texts where none was"),
    ],
)
def test_scores_count_where_it_is_known_of_which_label_they_are(positive: Any, actual: Any, counted: int) -> None:
    frame, card = Frame(positive), Scorecard()
    card.add_all([("binary", actual, 0.9, actual, None)], frame)
    found = METRICS["binary"]["log_loss"](Sample(card, frame, card))

    assert found.n == counted
    assert found.value == (pytest.approx(-log(0.9)) if counted else None)


@pytest.mark.parametrize("name", ["accuracy", "precision", "recall", "f1", "log_loss", "brier", "roc_auc"])
def test_an_interval_holds_the_truth_about_as_often_as_it_says(name: str) -> None:
    """Scores are uniform and calibrated, so each metric's true value is known."""
    truth = {
        "accuracy": 0.75,
        "precision": 0.75,
        "recall": 0.75,
        "f1": 0.75,
        "log_loss": 0.5,
        "brier": 1 / 6,
        "roc_auc": 5 / 6,
    }[name]
    rng, held = random.Random(9), 0
    for _ in range(400):
        scores = [rng.random() for _ in range(300)]
        frame, card = Frame(1), Scorecard()
        card.add_all([("binary", int(p > 0.5), p, int(rng.random() < p), None) for p in scores], frame)
        found = METRICS["binary"][name](Sample(card, frame, card))
        assert found.low is not None
        assert found.high is not None
        held += found.low <= truth <= found.high

    # 95 % of 400 is 380, four standard deviations of it are 17; bins widen that of AUC.
    assert 363 <= held <= 397 + 3 * (name == "roc_auc")
