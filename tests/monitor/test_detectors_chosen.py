"""Which detectors run is the team's choice; where it says nothing, those that cost little and are mostly right."""

from __future__ import annotations

import random
from typing import Any, get_args

import pytest
from pydantic import ValidationError

from builders import T0, MonitorHarness, feedback, monitor_config, prediction
from trueup.monitor import config
from trueup.monitor.config import ModelConfig
from trueup.monitor.detectors import ON_FEATURES, ON_LOSSES, ON_MISTAKES, ON_SCORES

PROMISED = {"task": "binary", "objective": 0.2, "reference_labels": 200, "reference_days": 0.0}
CHANGE = [0.1] * 600 + [0.9] * 400


def fired(**model: Any) -> set[tuple[str, str, str]]:
    """What fires where errors, scores and the feature `a` rise."""
    rng = random.Random(1)
    harness = MonitorHarness(monitor_config(model={**PROMISED, **model}))
    made = [
        prediction(f"p{i}", 1, probability=x * rng.random(), features={"a": x + rng.random(), "b": "red"}, at=T0 + i)
        for i, x in enumerate(CHANGE)
    ]
    told = [feedback(f"p{i}", int(rng.random() >= x), at=T0 + i) for i, x in enumerate(CHANGE)]
    harness.take("predictions", *made)
    harness.restart()
    harness.take("feedback", *told)
    found = harness.signals("change_detected")
    return {(signal["stream"], signal["detector"], signal["direction"]) for signal in found}


PAGER = {("error", "e_detector", "rose")}
EVERY = {("error", name, "rose") for name in ("adwin", "page_hinkley", "ddm", "hddm_a", "e_detector")}


@pytest.mark.parametrize(
    ("model", "expected"),
    [
        pytest.param({}, EVERY | {("score", "adwin", "rose")}, id="those by default"),
        pytest.param(
            {"pages": False}, EVERY - {("error", "e_detector", "rose")} | {("score", "adwin", "rose")}, id="none pages"
        ),
        pytest.param(
            {
                "loss_detectors": ("adwin",),
                "mistake_detectors": (),
                "watch_features": ("a", "b", "missing"),
                "pages": False,
            },
            {("error", "adwin", "rose"), ("score", "adwin", "rose"), ("feature:a", "adwin", "rose")},
            id="three adwins",
        ),
        pytest.param(
            {"loss_detectors": (), "mistake_detectors": ("ddm",), "score_detectors": (), "pages": False},
            {("error", "ddm", "rose")},
            id="one",
        ),
    ],
)
def test_only_the_detectors_that_were_chosen_run(model: dict[str, Any], expected: set[tuple[str, str, str]]) -> None:
    assert fired(**model) == expected


def test_a_feature_is_watched_through_a_restart_and_forgotten_where_it_is_watched_no_more() -> None:
    harness = MonitorHarness(monitor_config(model={"watch_features": ("a",)}))
    harness.take("predictions", *[prediction(f"p{i}", 1, features={"a": 1}, at=T0 + i) for i in range(900)])
    harness.restart()
    harness.take("predictions", *[prediction(f"q{i}", 1, features={"a": 2.5}, at=T0 + i) for i in range(200)])
    assert {signal["stream"] for signal in harness.signals()} == {"feature:a"}

    harness.config = monitor_config()
    harness.restart()
    before = len(harness.signals())
    harness.take("predictions", *[prediction(f"r{i}", 1, features={"a": 1e9}, at=T0 + i) for i in range(200)])
    assert len(harness.signals()) == before


@pytest.mark.parametrize("value", [True, "7", None], ids=["a truth value", "a text", "null"])
def test_only_numbers_of_a_feature_are_watched(value: Any) -> None:
    harness = MonitorHarness(monitor_config(model={"watch_features": ("a",)}))
    harness.take("predictions", *[prediction(f"p{i}", 1, features={"a": 0.5}) for i in range(900)])
    harness.take("predictions", *[prediction(f"q{i}", 1, features={"a": value}) for i in range(900)])

    assert harness.signals() == []
    assert harness.view()["predictions"] == 1_800


def test_where_no_one_is_to_be_called_the_view_says_so() -> None:
    harness = MonitorHarness(monitor_config(model={"pages": False}))
    harness.take("predictions", prediction("p1"))

    assert harness.version()["detector"]["state"] == "off"


@pytest.mark.parametrize(
    ("setting", "table", "names", "by_default"),
    [
        pytest.param("loss_detectors", ON_LOSSES, config.LossDetector, ("adwin", "page_hinkley"), id="losses"),
        pytest.param("mistake_detectors", ON_MISTAKES, config.MistakeDetector, ("ddm", "hddm_a"), id="mistakes"),
        pytest.param("score_detectors", ON_SCORES, config.ScoreDetector, ("adwin",), id="scores"),
        pytest.param("feature_detectors", ON_FEATURES, config.FeatureDetector, ("adwin",), id="features"),
    ],
)
def test_the_names_that_may_be_chosen_are_those_of_the_table(
    setting: str, table: Any, names: Any, by_default: tuple[str, ...]
) -> None:
    assert get_args(names) == tuple(table)
    assert getattr(ModelConfig(), setting) == by_default
    assert getattr(ModelConfig.model_validate({setting: list(table)}), setting) == tuple(table)
    with pytest.raises(ValidationError, match=f"{setting}.0\\s+Input should be .*'adwin'|'ddm'"):
        ModelConfig.model_validate({setting: ["crystal_ball"]})
