"""Models at rest: out of memory, and back when anything is heard of them, as if they had never been away."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import (
    DAY,
    HOUR,
    T0,
    MonitorHarness,
    Take,
    arrivals,
    deployment,
    feedback,
    monitor_config,
    prediction,
)
from monitor.lives import CONFIG, life
from trueup.monitor import fleet
from trueup.monitor.step import MonitorStep
from trueup.step import NO_NEEDS, NOTHING_FOUND, Needs

WEEK = monitor_config(rest_after_days=7.0, label_horizon_days=30.0)


def resting(harness: MonitorHarness) -> MonitorHarness:
    """A model that had one id joined and one pending, and rests since a week later."""
    harness.take("predictions", prediction("p1", 1), prediction("p2", 1))
    harness.take("feedback", feedback("p1", 1))
    harness.tick(T0 + 3 * DAY)
    harness.tick(T0 + 7 * DAY + HOUR)
    harness.settle()
    return harness


def of_models(harness: MonitorHarness) -> list[str]:
    """The sections of models that are awake."""
    return [name for name in harness.sections if name.partition("/")[0] not in ("partition", "models")]


def test_a_silent_model_leaves_memory_after_its_blindness_was_told() -> None:
    harness = MonitorHarness(WEEK)
    harness.take("predictions", prediction("p1", 1))
    harness.tick(T0 + 3 * DAY)
    harness.tick(T0 + 7 * DAY)
    assert of_models(harness)

    harness.tick(T0 + 7 * DAY + 1)

    assert of_models(harness) == []
    assert list(harness.asleep) == ["model/1:m"]
    assert [signal["missing"] for signal in harness.signals("blind")] == ["predictions", "feedback"]


def test_it_does_not_rest_before_its_blindness_could_be_told() -> None:
    harness = MonitorHarness(monitor_config(rest_after_days=1.0, blind_after_hours=48.0))
    harness.take("predictions", prediction("p1", 1))
    harness.tick(T0 + 1.5 * DAY)
    assert of_models(harness)

    harness.tick(T0 + 2 * DAY + 1)
    assert of_models(harness) == []


def test_what_is_shown_of_it_stays() -> None:
    harness = MonitorHarness(WEEK)
    harness.take("predictions", prediction("p1", 1))
    harness.take("feedback", feedback("p1", 1))
    harness.tick(T0 + 3 * DAY)
    before = harness.view()
    harness.tick(T0 + 8 * DAY)

    assert of_models(harness) == []
    assert harness.view() == before


@pytest.mark.parametrize("topic", ["predictions", "feedback", "deployments"])
def test_any_event_wakes_it(topic: str) -> None:
    harness = resting(MonitorHarness(WEEK))
    event = {
        "predictions": prediction("p3", 1, at=T0 + 9 * DAY),
        "feedback": feedback("p2", 1, at=T0 + 9 * DAY),
        "deployments": deployment("v1", at=T0 + 9 * DAY),
    }[topic]
    needs = harness.step.needs(topic, arrivals([event]))
    assert list(needs.asleep) == ["model/1:m"]
    assert len(needs.entries) == (topic != "deployments")

    harness.take(topic, event)

    assert harness.asleep == {}
    assert "model/1:m" in harness.sections
    assert harness.view()["predictions"] == 2 + (topic == "predictions")
    assert harness.view()["joined"] == 1 + (topic == "feedback")


def test_it_is_still_there_while_the_save_that_puts_it_to_rest_is_under_way() -> None:
    harness = MonitorHarness(WEEK)
    harness.take("predictions", prediction("p1", 1))
    harness.tick(T0 + 3 * DAY)
    harness.tick(T0 + 8 * DAY)
    assert list(harness.asleep) == ["model/1:m"]
    event = arrivals([feedback("p1", 1, at=T0 + 8 * DAY)])
    assert harness.step.needs("feedback", event) == NO_NEEDS

    harness.step.take("feedback", event, {"feedback": 1}, NOTHING_FOUND)
    harness.settle()

    assert harness.asleep == {}
    assert harness.version()["joined"] == 1


def test_its_ids_leave_memory_with_it() -> None:
    harness = resting(MonitorHarness(WEEK))
    assert isinstance(harness.step, MonitorStep)

    assert harness.step.ids_in_memory == 0


def test_the_horizon_wakes_it_for_its_pending_ids_and_it_rests_again() -> None:
    harness = resting(MonitorHarness(WEEK))
    assert harness.step.needs_at(T0 + 30 * DAY) == NO_NEEDS
    assert harness.step.needs_at(T0 + 31 * DAY) == Needs((), ["model/1:m"])

    harness.tick(T0 + 31 * DAY)

    assert (harness.version()["pending"], harness.version()["expired"]) == (0, 1)
    assert of_models(harness) == []
    harness.restart()
    assert harness.step.needs_at(T0 + 500 * DAY) == NO_NEEDS


def test_its_share_of_the_budget_is_the_one_it_had() -> None:
    harness = MonitorHarness(WEEK)
    harness.take("predictions", prediction("p", model="a"), prediction("p", model="b"))
    harness.tick(T0 + 3 * DAY)
    harness.tick(T0 + 8 * DAY)
    harness.restart()
    later = T0 + 8 * DAY
    harness.take("predictions", prediction("q", model="c", at=later), prediction("q", model="b", at=later))

    shares = {view["model_id"]: view["false_pages_per_month"] for view in harness.views()}
    assert shares == pytest.approx({"a": 1 / 2, "b": 1 / 6, "c": 1 / 12})


def test_a_model_that_rests_and_is_not_given_is_no_new_model() -> None:
    harness = resting(MonitorHarness(WEEK))

    with pytest.raises(LookupError, match="'m' rests, and what was saved of it"):
        harness.step.take("feedback", arrivals([feedback("p1")]), {"feedback": 1}, NOTHING_FOUND)


@given(st.integers(0, 10_000), st.integers(5, 60), st.integers(0, 5), st.sampled_from(("wall", "stream")))
@example(seed=1, n=150, every=3, clock="stream")
@example(seed=2, n=150, every=4, clock="wall")
@settings(max_examples=20, deadline=None)
def test_one_that_rested_goes_on_as_one_that_never_did(
    seed: int, n: int, every: int, clock: Literal["wall", "stream"]
) -> None:
    inputs = life(seed, n)
    rested = CONFIG.model_copy(update={"rest_after_days": 0.26, "most_ids_in_memory": 0})
    never = CONFIG.model_copy(update={"rest_after_days": 1e6})
    ones = MonitorHarness(rested, clock=clock), MonitorHarness(never, clock=clock)
    for at, given_ in enumerate(inputs):
        for harness in ones:
            harness.run(given_)
        if every and at % every == 0:
            ones[0].restart()

    assert ones[0].outputs == ones[1].outputs
    assert ones[0].raw_views == ones[1].raw_views


def test_the_lives_of_the_law_have_rests_in_them() -> None:
    harness = MonitorHarness(CONFIG.model_copy(update={"rest_after_days": 0.26}), clock="stream")
    woken = 0
    for given_ in life(1, 150):
        before = set(harness.asleep)
        harness.run(given_)
        woken += len(before - set(harness.asleep))

    assert woken > 5


def test_many_models_rest_a_few_at_a_time_and_a_save_writes_only_their_groups() -> None:
    harness = MonitorHarness(WEEK)
    models = 4 * fleet.MODELS_A_TICK
    names = [f"model-{i}" for i in range(models)]
    harness.run(*[Take("predictions", (prediction("p", model=name),)) for name in names])
    harness.tick(T0 + 3 * DAY)
    for tick in range(4):
        assert len(harness.asleep) == tick * fleet.MODELS_A_TICK
        harness.tick(T0 + 8 * DAY + tick)
    assert len(harness.asleep) == models
    assert of_models(harness) == []

    harness.restart()
    harness.step.take(
        "predictions",
        arrivals([prediction("q", model="model-7", at=T0 + 8 * DAY)]),
        {"predictions": models + 1},
        harness._found(harness.step.needs("predictions", arrivals([prediction("q", model="model-7")]))),
    )
    effects = harness.step.effects()

    assert {name for name in effects.sections if name.startswith("models/")} == {"models/1:0"}
    assert effects.asleep == {"model/7:model-7": None}


def test_a_model_that_waits_to_be_put_to_rest_and_rests_already_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    #  tick at day 33: the horizon wakes `a`, which rests again with the save; besides, `z` and `y` have been silent for
    #  a week and have their turn before it, so that `a` is still on the list in the tick after.
    monkeypatch.setattr(fleet, "MODELS_A_TICK", 2)
    harness = MonitorHarness(WEEK)
    harness.take("deployments", deployment("v1", model="z"), deployment("v1", model="y"))
    harness.take("predictions", prediction("p", 1, model="a"))
    harness.tick(T0 + DAY)
    harness.take("predictions", *[prediction("p", 1, model=name, at=T0 + 20 * DAY) for name in "zy"])
    harness.tick(T0 + 20 * DAY + 1)
    assert list(harness.asleep) == ["model/1:a"]
    harness.tick(T0 + 33 * DAY)

    harness.tick(T0 + 33 * DAY + HOUR)

    assert sorted(harness.asleep) == ["model/1:a", "model/1:y", "model/1:z"]
    assert {view["model_id"]: (view["pending"], view["expired"]) for view in harness.views()} == {
        "a": (0, 1),
        "y": (1, 0),
        "z": (1, 0),
    }
