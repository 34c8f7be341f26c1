"""What pages, what only informs, and what an alarm says."""

from __future__ import annotations

import random

import pytest

from builders import DAY, T0, Event, MonitorHarness, Take, arrivals, deployment, feedback, monitor_config, prediction
from trueup.step import NOTHING_FOUND, Arrival

#: How bursty errors are is known after 200 of them.
PROMISED = monitor_config(model={"objective": 0.1, "task": "binary", "reference_labels": 200, "reference_days": 0.0})


def serve(harness: MonitorHarness, rate: float, n: int, *, at: float = T0, version: str = "v1", seed: int = 1) -> None:
    """`n` predictions a minute apart, wrong at this rate, each with its truth at once."""
    rng = random.Random(seed)
    names = [f"{version}-{at}-{i}" for i in range(n)]
    moments = [at + 60.0 * i for i in range(n)]
    made = [prediction(name, 1, version=version, at=moment) for name, moment in zip(names, moments, strict=True)]
    told = [feedback(name, int(rng.random() >= rate), at=t) for name, t in zip(names, moments, strict=True)]
    harness.run(Take("predictions", tuple(made)), Take("feedback", tuple(told)))


def pages(harness: MonitorHarness) -> list[Event]:
    return [signal for signal in harness.signals("change_detected") if signal["pages"]]


def test_a_lasting_rise_pages_and_says_since_when_and_against_what() -> None:
    harness = MonitorHarness(PROMISED)
    serve(harness, 0.08, 3_000)
    assert pages(harness) == []

    serve(harness, 0.4, 600, at=T0 + 4 * DAY)
    first = pages(harness)[0]

    assert first["detector"] == "e_detector"
    assert first["reference"]["bound"] == pytest.approx(0.11)
    assert first["recent"]["mean"] > 0.25
    assert first["recent"]["low"] < first["recent"]["mean"] < first["recent"]["high"]
    assert T0 + 2_900 * 60 < first["changed_at"] < T0 + 3_000 * 60  # the last labels before the change
    assert T0 + 4 * DAY < first["at"] < T0 + 4 * DAY + 200 * 60
    assert first["false_pages_per_month"] == 0.5
    assert first["training_data"]["labelled"] > 0


@pytest.mark.parametrize("objective", [0.01, 0.02, 0.05, 0.13, 0.3, 0.37, 0.5])
def test_a_model_that_is_always_wrong_pages_and_loses_no_event(objective: float) -> None:
    harness = MonitorHarness(monitor_config(model={"objective": objective, "task": "binary"}))
    serve(harness, 1.0, 300)

    assert pages(harness)
    assert pages(harness)[0]["recent"]["mean"] == pytest.approx(1.0)
    assert harness.version()["joined"] == 300


def test_a_page_must_go_out_at_once_and_what_informs_must_not() -> None:
    harness = MonitorHarness(PROMISED)
    harness.take("predictions", *[prediction(f"p{i}", 1) for i in range(300)])
    urgent = []
    for i in range(300):
        harness.step.take("feedback", [arrival(i)], {"feedback": i + 1}, NOTHING_FOUND)
        urgent.append(harness.step.urgent)
        harness.settle()
        assert not harness.step.urgent
    by_signal = [signal["pages"] for signal in harness.signals("change_detected")]

    assert urgent.count(True) == by_signal.count(True) >= 1
    assert by_signal.count(False) >= 1


def arrival(i: int) -> Arrival:
    return arrivals([feedback(f"p{i}", int(i < 150), at=T0 + 60.0 * i)], first_offset=i)[0]


@pytest.mark.parametrize(
    ("role", "page"),
    [
        pytest.param("champion", True, id="the champion"),
        pytest.param("challenger", True, id="a challenger, which serves"),
        pytest.param("shadow", False, id="a shadow"),
        pytest.param("retired", False, id="a retired version"),
    ],
)
def test_only_a_version_that_serves_pages(role: str, page: bool) -> None:
    harness = MonitorHarness(PROMISED)
    harness.take("deployments", deployment("v1", role))
    serve(harness, 0.9, 300)
    alarms = [signal for signal in harness.signals("change_detected") if signal["detector"] == "e_detector"]

    assert alarms
    assert bool(pages(harness)) == page


def test_detectors_of_river_inform_and_say_whether_it_rose_or_fell() -> None:
    harness = MonitorHarness(monitor_config(model={"task": "binary"}))
    serve(harness, 0.05, 2_000)
    serve(harness, 0.6, 1_000, at=T0 + 2 * DAY)
    serve(harness, 0.05, 2_000, at=T0 + 4 * DAY)
    found = harness.signals("change_detected")

    assert {signal["detector"] for signal in found} >= {"adwin", "page_hinkley", "ddm", "hddm_a"}
    assert {signal["direction"] for signal in found if signal["at"] < T0 + 4 * DAY} == {"rose"}
    assert {signal["direction"] for signal in found if signal["at"] >= T0 + 4 * DAY} == {"fell"}
    assert not any(signal["pages"] for signal in found)


def test_a_change_of_the_scores_informs_before_any_truth_is_known() -> None:
    harness = MonitorHarness()
    rng = random.Random(3)
    made = [prediction(f"p{i}", 1, probability=rng.random() * (0.3 if i < 1_500 else 1.0)) for i in range(3_000)]
    harness.take("predictions", *made)
    found = harness.signals("change_detected")

    assert found
    assert {(signal["detector"], signal["stream"], signal["direction"]) for signal in found} == {
        ("adwin", "score", "rose")
    }


def test_a_version_starts_from_what_the_others_learned_up_to_its_first_event() -> None:
    # The truths came first: v1 learns, and meets bursts, in the very chunk in which v2 appears.
    learns = {"task": "binary", "reference_labels": 200, "reference_days": 0.0, "objective": None}
    harness = MonitorHarness(monitor_config(model=learns))
    wrong = [i // 20 % 5 == 0 for i in range(400)]
    harness.take("feedback", *[feedback(f"p{i}", 0 if wrong[i] else 1, at=T0 + i) for i in range(400)])
    first = [prediction(f"p{i}", 1, at=T0 + i) for i in range(400)]
    harness.take("predictions", *first, prediction("q", 1, version="v2", at=T0 + 500))

    inflation = harness.version("v1")["detector"]["variance_inflation"]
    assert inflation > 1.5
    assert harness.version("v2")["detector"]["variance_inflation"] == inflation


def test_another_objective_holds_from_the_next_start_on() -> None:
    harness = MonitorHarness(PROMISED)
    serve(harness, 0.05, 200)
    harness.config = monitor_config(model={"objective": 0.3, "task": "binary"})
    harness.restart()
    serve(harness, 0.05, 1, at=T0 + DAY)

    assert harness.version()["detector"]["reference"]["mean"] == 0.3


def test_signals_are_numbered_without_a_gap_through_restarts() -> None:
    harness = MonitorHarness(PROMISED)
    for day in range(4):
        serve(harness, 0.5, 100, at=T0 + day * DAY)
        harness.restart()
    numbers = [signal["number"] for signal in harness.signals()]

    assert numbers == list(range(1, len(numbers) + 1))
    assert {output.partition for output in harness.outputs} == {0}
    assert {output.key for output in harness.outputs} == {b"m"}
