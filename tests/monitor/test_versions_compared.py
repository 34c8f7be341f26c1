"""A new version against the one before it, in split traffic and in shadow."""

from __future__ import annotations

import random

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, T0, Event, MonitorHarness, Take, deployment, feedback, prediction
from trueup.monitor.config import ModelConfig, MonitorConfig
from trueup.monitor.outcome import RIGHT, WRONG, Outcome
from trueup.monitor.shadows import MOST_SHADOWS
from trueup.monitor.versions_compared import VersionsCompared

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


def test_a_version_that_is_retired_is_not_judged() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", "retired"))
    serve(harness, {"v1": 0.05, "v2": 0.6}, 2_000, shadow=True)

    assert verdicts(harness) == []
    assert harness.view()["comparisons"] == []


@pytest.mark.parametrize(
    ("new", "verdict"), [pytest.param(0.3, "worse", id="worse"), pytest.param(0.02, "better", id="better")]
)
def test_a_shadow_is_judged_by_the_requests_that_both_answered(new: float, verdict: str) -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", "shadow"))
    serve(harness, {"v1": 0.15}, 500)
    serve(harness, {"v1": 0.15, "v2": new}, 2_000, first=500, at=T0 + DAY, shadow=True)
    (signal,) = harness.signals("versions_compared")

    assert verdicts(harness) == [("v2", "v1", verdict)]
    assert (signal["pairing"], signal["role"]) == ("same_event", "shadow")
    assert signal["pairs"] == signal["error"]["n"] == signal["previous_error"]["n"] < 1_000


def test_a_shadow_does_not_stop_the_test_of_the_challenger() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", "challenger"), deployment("v3", "shadow"))
    serve(harness, {"v1": 0.05, "v2": 0.5, "v3": 0.9}, 1_500, shadow=True)

    assert sorted(verdicts(harness)) == [("v2", "v1", "worse"), ("v3", "v1", "worse")]


def test_a_shadow_that_comes_to_serve_is_judged_anew_from_then_on() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", "shadow"))
    serve(harness, {"v1": 0.5, "v2": 0.05}, 500, shadow=True)
    assert verdicts(harness) == [("v2", "v1", "better")]

    harness.take("deployments", deployment("v2", "challenger", at=T0 + DAY, traffic=0.5))
    serve(harness, {"v1": 0.05, "v2": 0.5}, 1_500, first=500, at=T0 + DAY)

    assert verdicts(harness)[1:] == [("v2", "v1", "worse")]
    assert harness.signals("versions_compared")[1]["role"] == "challenger"
    assert len(harness.view()["comparisons"]) == 1


def test_a_shadow_is_held_against_the_champion_of_its_time() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v3", "shadow"))
    serve(harness, {"v1": 0.3, "v3": 0.3}, 50, shadow=True)
    assert harness.view()["comparisons"][0]["previous_version"] == "v1"

    harness.take("deployments", deployment("v2", at=T0 + DAY))
    serve(harness, {"v1": 0.9, "v2": 0.05, "v3": 0.3}, 1_000, first=50, at=T0 + DAY, shadow=True)

    assert ("v3", "v2", "worse") in verdicts(harness)
    assert ("v3", "v1", "better") not in verdicts(harness)


def test_two_answers_to_one_request_are_held_against_each_other_whichever_came_last() -> None:
    """v1 and v2 are wrong on the same half: no difference, however their answers and the truths come; v3 is another."""
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", "shadow"), deployment("v3", "challenger"))
    rng = random.Random(3)
    for i in range(300):
        said = rng.randint(0, 1)
        steps = [
            Take("predictions", (prediction(f"p{i}", said, version="v1", at=T0 + i),)),
            Take("predictions", (prediction(f"p{i}", said, version="v2", at=T0 + i),)),
            Take("predictions", (prediction(f"p{i}", 1, version="v3", at=T0 + i),)),
            Take("feedback", (feedback(f"p{i}", 1, at=T0 + i),)),
        ]
        rng.shuffle(steps)
        harness.run(*steps)
    compared = next(test for test in harness.view()["comparisons"] if test["model_version"] == "v2")

    assert (compared["pairs"], compared["mean_difference"]) == (300, 0.0)
    assert compared["pairing"] == "same_event"
    assert compared["error"]["mean"] == compared["previous_error"]["mean"] == pytest.approx(0.5, abs=0.1)
    assert (compared["verdict"], compared["more_events_needed"]) == ("undecided", None)


def test_a_challenger_that_answers_the_same_requests_is_told_by_far_fewer() -> None:
    """Both are wrong on the hard third of the requests, the new one on three in a hundred of the others too."""
    needed = {}
    for together in (True, False):
        harness = MonitorHarness()
        harness.take("deployments", deployment("v1"), deployment("v2", "challenger"))
        rng = random.Random(5)
        made, told = [], []
        for i in range(6_000):
            hard, slip = rng.random() < 0.33, rng.random() < 0.03
            for version in ("v1", "v2") if together else (rng.choice(("v1", "v2")),):
                wrong = hard or (slip and version == "v2")
                made.append(prediction(f"p{i}", 0 if wrong else 1, version=version, at=T0 + i))
            told.append(feedback(f"p{i}", 1, at=T0 + i))
        harness.run(Take("predictions", tuple(made)), Take("feedback", tuple(told)))
        (compared,) = harness.view()["comparisons"]
        needed[compared["pairing"]] = (compared["verdict"], compared["pairs"])

    assert needed["same_event"][0] == "worse"
    assert needed["same_event"][1] < 1_000
    assert needed["split"][0] == "undecided"
    assert needed["split"][1] > 1_900


def test_where_only_some_requests_were_answered_by_both_no_outcome_counts_twice() -> None:
    harness = MonitorHarness()
    harness.take("deployments", deployment("v1"), deployment("v2", "challenger"))
    serve(harness, {"v1": 0.2, "v2": 0.2}, 40, shadow=True)
    serve(harness, {"v1": 0.2, "v2": 0.2}, 60, first=40, at=T0 + DAY)
    (compared,) = harness.view()["comparisons"]

    assert compared["pairing"] == "mixed"
    assert 40 < compared["pairs"] <= 70
    assert compared["error"]["n"] + compared["previous_error"]["n"] == 140


@pytest.mark.parametrize(
    ("margin", "verdict"),
    [pytest.param(0.0, "undecided", id="which is better"), pytest.param(0.1, "not_worse", id="ten points accepted")],
)
def test_with_a_margin_an_equal_version_is_found_not_worse(margin: float, verdict: str) -> None:
    harness = MonitorHarness(MonitorConfig(defaults=ModelConfig(comparison_margin=margin)))
    harness.take("deployments", deployment("v1"), deployment("v2", "challenger"))
    serve(harness, {"v1": 0.15, "v2": 0.15}, 2_000, shadow=True)
    (compared,) = harness.view()["comparisons"]

    assert (compared["verdict"], compared["margin"]) == (verdict, margin)
    assert [signal["verdict"] for signal in harness.signals("versions_compared")] == [verdict] * (margin > 0)
    assert (compared["more_events_needed"] == 0) == (margin > 0)


def test_an_undecided_test_says_about_how_many_events_more_it_needs() -> None:
    """A tenth of the traffic goes to the new version: a pair takes ten events."""
    rng = random.Random(2)
    compared = VersionsCompared("v2", "v1", 0.01, since=0.0)
    taken, said = 0, []
    while compared.undecided:
        new = rng.random() < 0.1
        outcome = WRONG if rng.random() < (0.25 if new else 0.15) else RIGHT
        compared.add("v2" if new else "v1", outcome, 1.0)
        taken += 1
        said.append(compared.more_events_needed)
    assert said[:200] == [None] * 200

    at = taken // 2
    half_way = said[at] or 0
    assert 0.4 * (taken - at) < half_way < 2.5 * (taken - at)


def test_of_many_shadows_only_some_are_judged() -> None:
    harness = MonitorHarness()
    names = [f"s{i}" for i in range(MOST_SHADOWS + 2)]
    harness.take("deployments", deployment("v1"), *[deployment(name, "shadow") for name in names])
    serve(harness, dict.fromkeys(("v1", *names), 0.2), 20, shadow=True)
    assert [test["model_version"] for test in harness.view()["comparisons"]] == names[:MOST_SHADOWS]

    harness.take("deployments", deployment("s0", "retired"))
    serve(harness, dict.fromkeys(("v1", *names), 0.2), 20, first=20, shadow=True)

    assert [test["model_version"] for test in harness.view()["comparisons"]] == names[1 : MOST_SHADOWS + 1]


steps = st.lists(
    st.tuples(st.sampled_from(("old", "new", "both")), st.floats(0.0, 1.0), st.floats(0.0, 1.0)), max_size=60
)


@given(steps, st.integers(0, 60), st.floats(0.0, 0.2))
def test_a_restored_test_continues_identically(taken: list[tuple[str, float, float]], cut: int, margin: float) -> None:
    whole, parts = (VersionsCompared("new", "old", 0.3, since=0.0, margin=margin) for _ in range(2))
    for i, (which, first, second) in enumerate(taken):
        if i == cut:
            parts = VersionsCompared.restore(msgpack.unpackb(msgpack.packb(parts.snapshot())))
        for compared in (whole, parts):
            if which == "both":
                compared.add_pair(Outcome(None, first, first), Outcome(None, second, second))
            else:
                compared.add(which, Outcome(None, first, first), 1.0)

    assert parts.snapshot() == whole.snapshot()
    assert (parts.verdict, parts.pairing) == (whole.verdict, whole.pairing)


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
