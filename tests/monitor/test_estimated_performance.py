"""What is expected of a binary model before its labels come, and how wrong that was."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Any

import msgpack
import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, T0, Event, MonitorHarness, Take, feedback, prediction
from trueup.monitor.config import ModelConfig, MonitorConfig
from trueup.monitor.estimated_performance import KEEP_DAYS, NOT_OF_PREDICTED, EstimatedPerformance
from trueup.monitor.join import Answer
from trueup.monitor.outcome import RIGHT, WRONG, Outcome
from trueup.monitor.score_meaning import MORE_LABELS, NO_POSITIVE

CONFIG = MonitorConfig(defaults=ModelConfig(reference_labels=2_000, reference_days=0.5))


def serve(harness: MonitorHarness, n: int, *, day: int, told: float = 1.0, shift: float = 1.0, seed: int = 1) -> None:
    """`n` predictions over one day with a calibrated score; of this share the truth comes, the next day."""
    rng = random.Random(seed + day)
    made: list[Event] = []
    known: list[Event] = []
    for i in range(n):
        at, score = T0 + day * DAY + i * DAY / n, rng.random() ** shift
        made.append(prediction(f"d{day}-{i}", int(score >= 0.5), at=at, probability=score))
        if rng.random() < told:
            known.append(feedback(f"d{day}-{i}", int(rng.random() < score), at=at + DAY))
    harness.run(Take("predictions", tuple(made)), *([Take("feedback", tuple(known))] if known else []))


def estimated(harness: MonitorHarness) -> Any:
    return harness.version()["estimated_performance"]


def test_it_learns_first_and_then_expects_before_any_label_came() -> None:
    harness = MonitorHarness(CONFIG)
    serve(harness, 1_500, day=0)
    assert estimated(harness)["state"] == "learning"
    assert estimated(harness)["days"] == []

    serve(harness, 1_500, day=1)
    serve(harness, 2_000, day=2, told=0.0, shift=3.0)  # far more low scores, of which the model is surer
    view = estimated(harness)
    (day,) = view["days"]

    assert view["state"] == "expecting"
    assert view["reference"]["accuracy"] == pytest.approx(0.75, abs=0.03)
    assert (day["day"], day["n"], day["label_coverage"]) == ("2024-01-03", 2_000, 0.0)
    assert day["accuracy"] == pytest.approx(0.845, abs=0.02)
    assert day["low"] < day["accuracy"] < day["high"]
    assert day["actual"]["accuracy"] is None
    assert day["absolute_error"] is None
    assert view["mean_absolute_error"]["accuracy"] == {"mean": None, "days": 0}
    assert "change of concept" in view["cannot_see"]


def test_when_labels_came_its_own_error_is_known() -> None:
    harness = MonitorHarness(CONFIG)
    for day in range(5):
        serve(harness, 2_000, day=day, told=0.8)
    view = estimated(harness)
    day = view["days"][-1]

    assert len(view["days"]) == 3
    assert day["label_coverage"] == pytest.approx(0.8, abs=0.03)
    assert day["expected_of_labelled"]["n"] == day["actual"]["n"] < day["n"]
    expected, actual = day["expected_of_labelled"]["accuracy"], day["actual"]["accuracy"]
    assert day["absolute_error"]["accuracy"] == pytest.approx(abs(expected - actual))
    assert view["mean_absolute_error"]["accuracy"]["days"] == 3
    assert view["mean_absolute_error"]["accuracy"]["mean"] < 0.03


def test_a_few_labels_of_a_day_tell_no_error() -> None:
    harness = MonitorHarness(CONFIG)
    serve(harness, 4_000, day=0)
    serve(harness, 2_000, day=1, told=0.3)
    (day,) = estimated(harness)["days"]

    assert day["actual"]["n"] > 500
    assert day["absolute_error"] is None


def test_a_corrected_label_corrects_its_day() -> None:
    harness = MonitorHarness(CONFIG)
    serve(harness, 4_000, day=0)
    at = T0 + DAY
    harness.take("predictions", *[prediction(f"p{i}", 1, at=at, probability=0.9) for i in range(200)])
    harness.take("feedback", *[feedback(f"p{i}", 1, at=at) for i in range(200)])
    assert estimated(harness)["days"][-1]["actual"]["accuracy"] == 1.0

    harness.take("feedback", *[feedback(f"p{i}", 0, at=at + 1) for i in range(50)])

    actual = estimated(harness)["days"][-1]["actual"]
    assert (actual["n"], actual["accuracy"], actual["precision"]) == (200, 0.75, 0.75)


def test_a_day_that_is_no_longer_kept_leaves_its_error() -> None:
    harness = MonitorHarness(CONFIG)
    for day in range(4):
        serve(harness, 2_000, day=day)
    assert estimated(harness)["mean_absolute_error"]["accuracy"]["days"] == 3
    before = estimated(harness)["mean_absolute_error"]

    harness.take("predictions", prediction("later", 1, at=T0 + (KEEP_DAYS + 10) * DAY, probability=0.5))
    harness.restart()
    harness.take("predictions", prediction("last", 1, at=T0 + (KEEP_DAYS + 10) * DAY, probability=0.5))

    view = estimated(harness)
    assert [day["n"] for day in view["days"]] == [2]
    assert view["mean_absolute_error"]["accuracy"]["days"] == 3
    assert view["mean_absolute_error"]["accuracy"]["mean"] == pytest.approx(before["accuracy"]["mean"])
    assert len([name for name in harness.sections if name.startswith("estimated/")]) == 2


@pytest.mark.parametrize(
    "made",
    [
        pytest.param({"probability": None}, id="no probability"),
        pytest.param({"prediction": None, "probability": 0.5, "error": "timeout"}, id="a failed call"),
    ],
)
def test_what_has_no_score_is_passed_over(made: Event) -> None:
    harness = MonitorHarness(MonitorConfig(defaults=ModelConfig(task="binary")))
    harness.take("predictions", {**prediction("p1", 1, at=T0), **made})
    harness.take("feedback", feedback("p1", 1, at=T0))

    assert estimated(harness) is None


@pytest.mark.parametrize(
    ("model", "labels", "why"),
    [
        pytest.param({"task": "binary"}, ("spam", "ham"), NO_POSITIVE, id="which label is positive is not said"),
        pytest.param({"task": "binary"}, (1, 0, 2), MORE_LABELS, id="a third number"),
        pytest.param({"positive_label": "late"}, ("late", "early", "never"), MORE_LABELS, id="a third text"),
        pytest.param({}, (1, 0, 2), MORE_LABELS, id="labels that looked like truth values"),
        pytest.param({}, (2, 1, 0), None, id="labels that look like a class"),
    ],
)
def test_where_it_cannot_be_told_it_says_why(model: Event, labels: Sequence[Any], why: str | None) -> None:
    harness = MonitorHarness(MonitorConfig(defaults=ModelConfig(**model)))
    for i, label in enumerate(labels):
        harness.take("predictions", prediction(f"p{i}", label, at=T0, probability=0.75))
        harness.take("feedback", feedback(f"p{i}", label, at=T0))
        harness.restart()
    view = estimated(harness)

    assert (view["state"], view["why"]) == ("learning" if why is None else "cannot_tell", why)
    assert view["days"] == []


def serve_labels(harness: MonitorHarness, labels: Sequence[str], *, day: int, n: int = 3_000, of: str = "") -> None:
    """`n` answers of these labels, right as often as the model is sure; scores are of the label `of`, if given."""
    rng = random.Random(day)
    made, known = [], []
    for i in range(n):
        at, sure, label = T0 + day * DAY + i * DAY / n, 0.5 + rng.random() / 2, rng.choice(labels)
        others = [other for other in labels if other != label]
        score = 1.0 - sure if of and of != label else sure
        made.append(prediction(f"d{day}-{i}", label, at=at, probability=score))
        truth = label if rng.random() < sure else rng.choice(others)
        known.append(feedback(f"d{day}-{i}", truth, at=at))
    harness.run(Take("predictions", tuple(made)), Take("feedback", tuple(known)))


def test_of_two_texts_the_positive_one_is_enough() -> None:
    told = CONFIG.defaults.model_copy(update={"positive_label": "late"})
    harness = MonitorHarness(CONFIG.model_copy(update={"defaults": told}))
    for day in range(2):
        serve_labels(harness, ("on_time", "late"), day=day, of="late")
        harness.restart()
    view = estimated(harness)
    [day_shown] = view["days"]

    assert harness.view()["task"] == "binary"
    assert view["probability_of"] == "positive"
    assert day_shown["accuracy"] == pytest.approx(0.75, abs=0.02)
    assert max(day_shown["absolute_error"].values()) < 0.03
    assert set(day_shown["absolute_error"]) == {"accuracy", "precision", "auc"}


def test_of_many_labels_accuracy_is_expected_from_how_sure_the_model_is() -> None:
    harness = MonitorHarness(CONFIG)
    for day in range(2):
        serve_labels(harness, ("cat", "dog", "cow"), day=day)
    view = estimated(harness)
    [day_shown] = view["days"]

    assert harness.view()["task"] == "multiclass"
    assert view["probability_of"] == "predicted"
    assert day_shown["accuracy"] == pytest.approx(0.75, abs=0.02)
    assert day_shown["precision"] is day_shown["auc"] is None
    assert set(day_shown["absolute_error"]) == {"accuracy"}


def test_the_probability_of_one_of_two_labels_is_not_taken_for_that_of_the_predicted() -> None:
    harness = MonitorHarness(CONFIG)
    for day in range(2):
        serve_labels(harness, ("on_time", "late"), day=day, of="late")
    view = estimated(harness)

    assert (view["state"], view["why"], view["days"]) == ("cannot_tell", NOT_OF_PREDICTED, [])


def test_a_positive_label_of_zero_is_what_the_probability_is_of() -> None:
    config = ModelConfig(positive_label=0, reference_labels=200, reference_days=0.0)
    harness = MonitorHarness(MonitorConfig(defaults=config))
    for i in range(300):
        harness.take("predictions", prediction(f"p{i}", i % 2, at=T0, probability=0.2 if i % 2 else 0.8))
        harness.take("feedback", feedback(f"p{i}", i % 2 if i % 10 > 1 else 1 - i % 2, at=T0 + 1))
    harness.take("predictions", *[prediction(f"q{i}", 1, at=T0 + DAY, probability=0.2) for i in range(50)])
    [day] = estimated(harness)["days"]

    assert day["accuracy"] == pytest.approx(0.8)


def test_of_two_probabilities_that_of_the_positive_class_counts() -> None:
    harness = MonitorHarness(MonitorConfig(defaults=ModelConfig(reference_labels=200, reference_days=0.0)))
    for i in range(300):
        label, right = i % 2, i % 10 > 1  # right in 0.8 of both
        scores = {str(label): 0.8, str(1 - label): 0.2}
        harness.take("predictions", prediction(f"p{i}", label, at=T0, probability=scores))
        harness.take("feedback", feedback(f"p{i}", label if right else 1 - label, at=T0 + 1))
    harness.take("predictions", *[prediction(f"q{i}", 0, at=T0 + DAY, probability=0.2) for i in range(50)])
    (day,) = estimated(harness)["days"]

    assert day["accuracy"] == pytest.approx(0.8)


def test_the_more_bursty_the_errors_the_wider_the_range() -> None:
    estimate = EstimatedPerformance(ModelConfig.model_construct(reference_labels=2, reference_days=0.0))
    answer: Answer = ("v1", 1, 0.7, 0.0, None, None, None)
    estimate.settled(answer, RIGHT, 0.0)
    estimate.settled(answer, WRONG, 0.0)
    for _ in range(100):
        estimate.predicted((*answer[:3], DAY, *answer[4:]))
    widths = [day["high"] - day["low"] for view in (1.0, 4.0) for day in orjson.loads(shown(estimate, view))["days"]]

    assert widths == [pytest.approx(2 * 1.96 * 0.05), pytest.approx(4 * 1.96 * 0.05)]


steps = st.lists(
    st.tuples(
        st.sampled_from(("predicted", "settled", "corrected")),
        st.floats(0.0, 1.0),
        st.sampled_from((0, 1, True, False, "a", None)),
        st.integers(0, 3 * KEEP_DAYS),
        st.sampled_from((RIGHT, WRONG, Outcome(None, 0.5, 0.5))),
    ),
    max_size=150,
)


def fold(estimate: EstimatedPerformance, taken: Sequence[Any]) -> None:
    for what, score, label, day, outcome in taken:
        answer: Answer = ("v1", label, score, day * DAY, None, None, None)
        if what == "predicted":
            estimate.predicted(answer)
        elif what == "settled":
            estimate.settled(answer, outcome, day * DAY)
        else:
            estimate.corrected(answer, outcome, RIGHT)


@given(steps, st.integers(0, 150), st.integers(1, 40))
def test_a_restored_estimate_continues_identically(taken: list[Any], cut: int, labels: int) -> None:
    config = ModelConfig.model_construct(reference_labels=labels, reference_days=0.0)
    whole, before, after = (EstimatedPerformance(config) for _ in range(3))
    fold(whole, taken[:cut])
    fold(before, taken[:cut])
    for part, data in kept(before).items():
        after.restore(part, msgpack.unpackb(msgpack.packb(data), strict_map_key=False))
    assert before.changes() == after.changes() == {}
    for one in (whole, after):
        fold(one, taken[cut:])

    for one in (whole, after):
        one.touch()
    assert kept(whole) == kept(after)
    assert shown(whole) == shown(after)


def kept(estimate: EstimatedPerformance) -> dict[str, Any]:
    return {part: data for part, data in estimate.changes().items() if data is not None}


def shown(estimate: EstimatedPerformance, inflation: float = 1.0) -> bytes:
    return orjson.dumps(estimate.view(inflation, None))
