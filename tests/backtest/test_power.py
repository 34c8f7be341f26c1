"""How long a fall takes to be found is what the detector itself would take."""

from __future__ import annotations

import random
from itertools import islice
from statistics import fmean, pvariance
from typing import Any

import pytest

from trueup.backtest import power as simulation
from trueup.backtest.power import Question, known_of, power
from trueup.errors import InvalidSettings
from trueup.monitor.config import ModelConfig

SMALL = ModelConfig(reference_labels=2_000, reference_days=2.0)


def question(**more: Any) -> Question:
    asked = {"labels_per_day": 1_000.0, "base_rate": 0.1, "fall": 0.15, "false_pages_per_month": 1.0, "model": SMALL}
    return Question(**{**asked, **more})


def test_a_larger_fall_is_found_earlier_and_the_same_question_has_one_answer() -> None:
    small, large = power(question(fall=0.1)), power(question(fall=0.3))
    assert small["found"] == large["found"] == 1.0
    assert large["median"]["labels"] < small["median"]["labels"] <= small["p90"]["labels"]
    assert power(question(fall=0.3)) == large


def test_hours_are_those_of_the_labels_and_of_the_delay() -> None:
    found = power(question(delay_hours=48.0))["median"]
    assert found["hours"] == pytest.approx(found["labels"] / 1_000 * 24 + 48, abs=0.1)
    assert found["days"] == pytest.approx(found["hours"] / 24, abs=0.01)


def test_bursts_take_longer() -> None:
    plain, bursts = power(question()), power(question(inflation=20.0))
    assert bursts["median"]["labels"] > 2 * plain["median"]["labels"]


def test_what_is_learned_for_longer_than_a_year_finds_nothing() -> None:
    found = power(question(labels_per_day=1.0))
    assert (found["found"], found["median"], found["p90"]) == (0.0, None, None)


def test_a_stated_objective_needs_no_learning() -> None:
    stated = ModelConfig(objective=0.1, reference_labels=10_000)
    assert power(question(labels_per_day=10.0, model=stated))["found"] == 1.0


@pytest.mark.parametrize("inflation", [1.0, 8.0])
def test_simulated_losses_are_as_bursty_as_was_asked(inflation: float) -> None:
    """The means of bursts of 100 vary by V times what independent losses would: here within a fifth."""
    asked = question(labels_per_day=100.0, inflation=inflation)
    losses = simulation._losses(asked, 0.2, random.Random(5))
    means = [fmean(islice(losses, 100)) for _ in range(2_000)]
    assert fmean(means) == pytest.approx(0.2, abs=0.01)
    assert pvariance(means) * 100 / (0.2 * 0.8) == pytest.approx(inflation, rel=0.2)


@pytest.mark.parametrize(
    ("more", "option"),
    [
        ({"labels_per_day": 0.0}, "--labels-per-day"),
        ({"base_rate": 1.0}, "--base-rate"),
        ({"fall": 0.0}, "--fall"),
        ({"fall": 0.95}, "--fall"),
        ({"false_pages_per_month": -1.0}, "--false-pages-per-month"),
        ({"delay_hours": float("nan")}, "--delay-hours"),
        ({"inflation": 0.5}, "--inflation"),
    ],
    ids=str,
)
def test_a_question_that_makes_no_sense_is_refused(more: dict[str, float], option: str) -> None:
    with pytest.raises(InvalidSettings, match=option):
        question(**more)


def day(number: int, joined: int, predictions: int = 100) -> dict[str, Any]:
    return {"day": f"2024-01-{number:02}", "predictions": predictions, "joined": joined}


def version(**more: Any) -> dict[str, Any]:
    return {
        "role": None,
        "joined": 1_000,
        "correct": 900,
        "detector": {"reference": None, "variance_inflation": 3.0},
        "days": [day(5, 0), day(4, 10), day(3, 90), day(2, 80), day(1, 95)],
    } | more


def test_an_installation_knows_traffic_delay_and_budget() -> None:
    model = {"model_id": "m", "false_pages_per_month": 0.25, "versions": [version()]}
    assert known_of(model) == {
        "false_pages_per_month": 0.25,
        "inflation": 3.0,
        "base_rate": pytest.approx(0.1),
        "labels_per_day": 85.0,
        "delay_hours": 48.0,
    }


def test_the_champion_is_asked_about_and_its_reference_counts() -> None:
    learned = {"reference": {"mean": 0.3}, "variance_inflation": 1.0}
    versions = [version(joined=5_000), version(role="champion", detector=learned)]
    assert known_of({"model_id": "m", "false_pages_per_month": 1.0, "versions": versions})["base_rate"] == 0.3


def test_a_model_without_any_truth_is_not_known() -> None:
    with pytest.raises(InvalidSettings, match="m knows no truth yet"):
        known_of({"model_id": "m", "false_pages_per_month": 1.0, "versions": [version(joined=0)]})
