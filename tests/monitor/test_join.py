"""Predictions and truths meet in any order, and every count is that of a plain recount."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from itertools import pairwise, permutations
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, T0, Event, MonitorHarness, Take, feedback, fold, monitor_config, prediction

LABELS = ("a", "b")
CONFIG = monitor_config(model={"task": "multiclass"}, last_outcomes=10)

predictions = st.builds(
    lambda i, version, answer, day: prediction(i, answer, version=version, at=T0 + day * DAY, error="no"),
    st.sampled_from("wxyz"),
    st.sampled_from(("v1", "v2")),
    st.sampled_from((*LABELS, None)),
    st.integers(0, 3),
)
feedbacks = st.builds(
    lambda i, actual, day: feedback(i, actual, at=T0 + day * DAY),
    st.sampled_from("wxyz"),
    st.sampled_from(LABELS),
    st.integers(0, 5),
)


def _said(event: Event) -> tuple[Any, Any]:
    return event.get("actual"), event.get("score")


def recount(predictions: Sequence[Event], told: Sequence[Event]) -> Event:
    """What the view of one model of labels has to show once all of these came: the last feedback of an id is its truth.

    The order among predictions of one id and version, and among feedback of one id, is that of the sequences.
    """
    answers: dict[str, dict[str, Event]] = defaultdict(dict)
    repeats: dict[str, int] = defaultdict(int)
    for event in predictions:
        versions = answers[event["prediction_id"]]
        repeats[event["model_version"]] += event["model_version"] in versions
        versions.setdefault(event["model_version"], event)
    truths: dict[str, list[tuple[Any, Any]]] = defaultdict(list)
    for event in told:
        truths[event["prediction_id"]].append(_said(event))
    changes = {key: sum(a != b for a, b in pairwise(said)) for key, said in truths.items()}
    found = {event["model_version"] for event in predictions}
    shown = {version: _version(version, answers, truths, changes, repeats[version]) for version in found}
    summed = ("predictions", "joined", "pending", "correct")
    return {
        **{name: sum(version[name] for version in shown.values()) for name in summed},
        "feedback": len(told),
        "orphans": sum(1 for key in truths if not answers.get(key)),
        "corrections": sum(changes.values()),
        "duplicates": sum(repeats.values()) + sum(len(said) - 1 - changes[key] for key, said in truths.items()),
        "versions": shown,
    }


def _version(
    version: str,
    answers: dict[str, dict[str, Event]],
    truths: dict[str, list[tuple[Any, Any]]],
    changes: dict[str, int],
    repeats: int,
) -> dict[str, int]:
    mine = {key: versions[version] for key, versions in answers.items() if version in versions}
    joined = [key for key in mine if truths.get(key)]
    return {
        "predictions": len(mine),
        "feedback": sum(len(truths[key]) for key in joined),
        "joined": len(joined),
        "pending": len(mine) - len(joined),
        "correct": sum(_right(mine[key].get("prediction"), truths[key][-1][0]) for key in joined),
        "duplicates": repeats + sum(len(truths[key]) - 1 - changes[key] for key in joined),
        "corrections": sum(changes[key] for key in joined),
    }


def _right(prediction: Any, actual: Any) -> bool:
    return prediction is not None and actual is not None and prediction == actual


def shown_counts(view: Event, like: Event) -> Event:
    """Of a view, what a recount knows."""
    versions = {version["model_version"]: version for version in view["versions"]}
    return {
        **{name: view[name] for name in like if name != "versions"},
        "versions": {
            name: {count: versions[name][count] for count in counts} for name, counts in like["versions"].items()
        },
    }


@given(st.lists(predictions, max_size=12), st.lists(feedbacks, max_size=12), st.randoms(use_true_random=False))
def test_every_count_equals_a_plain_recount_whatever_the_order(made: list[Event], told: list[Event], rng: Any) -> None:
    # Any merge of the two: among predictions, and among feedback, the order decides what a repeat or the truth is.
    topics = ["predictions"] * len(made) + ["feedback"] * len(told)
    rng.shuffle(topics)
    rests = {"predictions": iter(made), "feedback": iter(told)}
    harness = MonitorHarness(CONFIG)
    harness.run(*[Take(topic, (next(rests[topic]),)) for topic in topics])
    if not topics:
        return

    expected = recount(made, told)
    view = harness.view()

    assert shown_counts(view, expected) == expected
    for version in view["versions"]:
        assert version["predictions"] == version["joined"] + version["pending"] + version["expired"]
        assert sum(day["predictions"] for day in version["days"]) == version["predictions"]
        assert sum(day["correct"] for day in version["days"]) == version["correct"]


@given(st.lists(feedbacks, min_size=1, max_size=6), st.integers(0, 6))
@settings(max_examples=50)
def test_where_a_prediction_falls_among_its_feedback_changes_no_count(told: list[Event], at: int) -> None:
    told = [{**event, "prediction_id": "p1"} for event in told]
    views = []
    for place in (0, min(at, len(told)), len(told)):
        harness = MonitorHarness(CONFIG)
        harness.run(
            Take("feedback", tuple(told[:place])),
            Take("predictions", (prediction("p1", "a"), prediction("p1", "a", version="shadow"))),
            Take("feedback", tuple(told[place:])),
        )
        view = harness.view()
        names = ("predictions", "feedback", "joined", "pending", "correct", "corrections", "duplicates", "orphans")
        views.append([[version[name] for name in names] for version in view["versions"]] + [[view[n] for n in names]])

    assert views[0] == views[1] == views[2]


def test_feedback_joins_the_prediction_of_every_version_of_that_id() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1", 1), prediction("p1", 0, version="shadow"))
    harness.take("feedback", feedback("p1", 1))

    champion, shadow = harness.view()["versions"]

    assert (champion["joined"], champion["correct"]) == (1, 1)
    assert (shadow["joined"], shadow["correct"]) == (1, 0)
    assert harness.view()["feedback"] == 1


def test_the_same_prediction_id_of_another_model_is_another_prediction() -> None:
    _, _, views = fold(
        [
            Take("predictions", (prediction("p1", 1, model="a"), prediction("p1", 1, model="b"))),
            Take("feedback", (feedback("p1", 1, model="a"),)),
        ]
    )

    assert views["a"]["joined"] == 1
    assert (views["b"]["joined"], views["b"]["pending"]) == (0, 1)


@pytest.mark.parametrize("order", list(permutations((0, 1, 2))), ids=str)
def test_an_orphan_is_one_only_as_long_as_no_version_predicted_it(order: tuple[int, ...]) -> None:
    takes = [
        Take("predictions", (prediction(version="v1"),)),
        Take("predictions", (prediction(version="v2"),)),
        Take("feedback", (feedback(),)),
    ]
    harness = MonitorHarness()
    harness.run(*[takes[i] for i in order])

    assert harness.view()["orphans"] == 0
    assert harness.view()["joined"] == 2


@pytest.mark.parametrize(
    ("prediction_is", "actual_is", "correct"),
    [
        pytest.param(True, 1, 1, id="true is one"),
        pytest.param(1, True, 1, id="one is true"),
        pytest.param(1, 1.0, 1, id="one is one point zero"),
        pytest.param(False, 0.0, 1, id="false is zero"),
        pytest.param(0, True, 0, id="zero is not true"),
        pytest.param("1", 1, 0, id="a text is no number"),
        pytest.param("", "", 1, id="an empty text is itself"),
        pytest.param(2**53 + 1, 2**53, 0, id="whole numbers beyond a double are told apart"),
    ],
)
def test_labels_are_the_same_by_value(prediction_is: Any, actual_is: Any, correct: int) -> None:
    harness = MonitorHarness(CONFIG)
    harness.take("predictions", prediction("p1", prediction_is))
    harness.take("feedback", feedback("p1", actual_is))

    assert harness.version()["correct"] == correct


def test_the_same_truth_in_another_type_is_a_repeat_and_no_correction() -> None:
    harness = MonitorHarness(CONFIG)
    harness.take("predictions", prediction("p1", 1))
    harness.take("feedback", feedback("p1", 1), feedback("p1", True), feedback("p1", 1.0))

    shown = harness.version()

    assert (shown["feedback"], shown["duplicates"], shown["corrections"]) == (3, 2, 0)


def test_a_correction_changes_totals_and_cohort_but_not_windows_nor_detectors() -> None:
    harness = MonitorHarness()
    harness.take("predictions", *[prediction(f"p{i}", 1, at=T0 + i % 2 * DAY) for i in range(40)])
    harness.take("feedback", *[feedback(f"p{i}", 1, at=T0 + 2 * DAY + i) for i in range(40)])
    before = harness.version()
    harness.take("feedback", feedback("p0", 0, at=T0 + 3 * DAY))
    after = harness.version()

    assert (before["correct"], after["correct"]) == (40, 39)
    assert [day["correct"] for day in after["days"]] == [19, 20]
    assert after["mean_error"] == pytest.approx(1 / 40)
    for name in ("rolling_accuracy", "accuracy_hour", "accuracy_day", "detector"):
        assert after[name] == before[name], name


def test_a_correction_taken_back_leaves_everything_as_it_was() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1", 1))
    harness.take("feedback", feedback("p1", 1))
    before = harness.version()
    harness.take("feedback", feedback("p1", 0), feedback("p1", 1))
    after = harness.version()

    assert after["corrections"] == 2
    assert {**after, "feedback": 1, "corrections": 0} == before


def test_a_repeated_prediction_counts_as_a_duplicate_and_its_first_answer_stands() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1", 1), prediction("p1", 0), prediction("p1", 1))
    harness.take("feedback", feedback("p1", 1))

    shown = harness.version()

    assert (shown["predictions"], shown["duplicates"], shown["correct"]) == (1, 2, 1)
