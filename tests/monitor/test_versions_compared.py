"""A new version against the one before it in split traffic."""

from __future__ import annotations

import random

import pytest

from builders import DAY, T0, Event, MonitorHarness, Take, deployment, feedback, prediction

Rates = dict[str, float]


def serve(
    harness: MonitorHarness,
    rates: Rates,
    n: int,
    *,
    seed: int = 0,
    at: float = T0,
    first: int = 0,
    shadow: bool = False,
) -> None:
    """`n` requests a minute apart, split among the versions (or answered by all: shadow), each with its truth."""
    rng = random.Random(seed)
    made: list[Event] = []
    told: list[Event] = []
    for i in range(first, first + n):
        moment = at + 60.0 * (i - first)
        for version in rates if shadow else [rng.choice(list(rates))]:
            wrong = rng.random() < rates[version]
            made.append(prediction(f"p{i}", 0 if wrong else 1, version=version, at=moment))
        told.append(feedback(f"p{i}", 1, at=moment + 1))
    harness.run(Take("predictions", tuple(made)), Take("feedback", tuple(told)))


def verdicts(harness: MonitorHarness) -> list[tuple[str, str, str]]:
    return [
        (signal["model_version"], signal["previous_version"], signal["verdict"])
        for signal in harness.signals("versions_compared")
    ]


@pytest.mark.parametrize(
    ("new", "verdict"), [pytest.param(0.3, "worse", id="worse"), pytest.param(0.02, "better", id="better")]
)
def test_a_new_version_in_split_traffic_is_told_from_the_one_before_it(new: float, verdict: str) -> None:
    harness = MonitorHarness()
    serve(harness, {"v1": 0.15}, 200)
    serve(harness, {"v1": 0.15, "v2": new}, 3_000, first=200, at=T0 + DAY)
    (signal,) = harness.signals("versions_compared")

    assert verdicts(harness) == [("v2", "v1", verdict)]
    assert signal["pairs"] < 1_500
    assert signal["error"]["mean"] == pytest.approx(new, abs=0.1)
    assert signal["previous_error"]["mean"] == pytest.approx(0.15, abs=0.1)


def test_an_equal_version_is_called_neither_in_twenty_thousand_outcomes() -> None:
    harness = MonitorHarness()
    serve(harness, {"v1": 0.15}, 10)
    serve(harness, {"v1": 0.15, "v2": 0.15}, 20_000, first=10, at=T0 + DAY, seed=7)

    assert verdicts(harness) == []


@pytest.mark.parametrize(
    ("predicted_at", "expected"),
    [
        pytest.param(T0, [], id="before the new one came"),
        pytest.param(T0 + DAY, [("v2", "v1", "better")], id="while both serve"),
    ],
)
def test_only_what_the_old_version_did_since_the_new_one_came_counts(
    predicted_at: float, expected: list[tuple[str, str, str]]
) -> None:
    # v1 was always wrong; its truths come late, in turn with those of v2, which is always right.
    harness = MonitorHarness()
    harness.take("predictions", *[prediction(f"p{i}", 0, version="v1", at=predicted_at + i) for i in range(500)])
    harness.take("predictions", *[prediction(f"q{i}", 1, version="v2", at=T0 + DAY) for i in range(500)])
    harness.take("feedback", *[feedback(f"{key}{i}", 1, at=T0 + 2 * DAY) for i in range(500) for key in "pq"])

    assert verdicts(harness) == expected


def test_a_challenger_that_retires_is_judged_no_further() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", "challenger"))
    serve(harness, {"v1": 0.05, "v2": 0.5}, 20)
    harness.take("deployments", deployment("v2", "retired", at=T0 + DAY))
    serve(harness, {"v1": 0.05, "v2": 0.5}, 1_500, first=20, at=T0 + DAY)

    assert verdicts(harness) == []


@pytest.mark.parametrize("role", ["shadow", "retired"])
def test_a_version_whose_answers_reach_nobody_is_not_judged(role: str) -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", role))
    serve(harness, {"v1": 0.05, "v2": 0.6}, 2_000, shadow=True)

    assert verdicts(harness) == []


def test_a_shadow_does_not_stop_the_test_of_the_challenger() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", "challenger"), deployment("v3", "shadow"))
    serve(harness, {"v1": 0.05, "v2": 0.5, "v3": 0.9}, 1_500, shadow=True)

    assert verdicts(harness) == [("v2", "v1", "worse")]


def test_a_shadow_that_comes_to_serve_is_judged_from_then_on() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", "shadow"))
    serve(harness, {"v1": 0.5, "v2": 0.05}, 500, shadow=True)
    harness.take("deployments", deployment("v2", "challenger", at=T0 + DAY, traffic=0.5))
    serve(harness, {"v1": 0.05, "v2": 0.5}, 1_500, first=500, at=T0 + DAY)

    assert verdicts(harness) == [("v2", "v1", "worse")]


def test_a_champion_with_all_the_traffic_retires_the_one_before_it_and_one_with_a_part_does_not() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", traffic=0.2), deployment("v3", "challenger"))
    roles = {version["model_version"]: version["role"] for version in harness.view()["versions"]}
    assert roles == {"v1": "champion", "v2": "champion", "v3": "challenger"}

    harness.take("deployments", deployment("v2", traffic=1.0))

    roles = {version["model_version"]: version["role"] for version in harness.view()["versions"]}
    assert roles == {"v1": "retired", "v2": "champion", "v3": "challenger"}


def test_a_deployment_is_passed_on_in_its_order() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1", at=T0 + 5, trigger_id="t1"))

    assert harness.signals() == [
        {
            "type": "deployment_seen",
            "number": 1,
            "series": 1_704_067_205_000,
            "at": T0 + 5,
            "model_id": "m",
            "model_version": "v1",
            "role": "champion",
            "trigger_id": "t1",
        }
    ]
