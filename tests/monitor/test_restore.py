"""A monitor that goes on from what it saved is the monitor that was never stopped, byte for byte."""

from __future__ import annotations

import random
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import (
    DAY,
    HOUR,
    T0,
    Input,
    MonitorHarness,
    Take,
    Tick,
    deployment,
    feedback,
    monitor_config,
    prediction,
)
from trueup.errors import UnknownSnapshot
from trueup.monitor.config import ModelConfig, MonitorConfig
from trueup.snapshots import pack

#: Small windows and horizons, an objective that is soon broken, one model that learns, one regression.
CONFIG = MonitorConfig(
    false_pages_per_month=100.0,
    last_outcomes=10,
    label_horizon_days=3.0,
    blind_after_hours=6.0,
    segment_values=2,
    comparison_alpha=0.2,
    defaults=ModelConfig(segments=("country",), objective=0.2, training_days=1.0),
    models={
        "learns": ModelConfig(task="binary", reference_labels=200, reference_days=0.0),
        "minutes": ModelConfig(task="regression", tolerance=0.1),
    },
)
MODELS = ("first", "minutes", "learns", "a/1:b")


def life(seed: int, n: int) -> list[Input]:
    """Some days of several models: split traffic, a shadow, a change in the middle, repeats, corrections, silences."""
    rng = random.Random(seed)
    inputs: list[Input] = []
    now = T0
    for i in range(n):
        now += rng.choice((30.0, 600.0, HOUR, 7 * HOUR if rng.random() < 0.1 else 60.0))
        wrong = 0.1 if i < n / 2 else 0.8
        made, told = [], []
        model = rng.choice(MODELS[: rng.randint(1, 4)])
        for k in range(rng.randint(1, 12)):
            key = f"p{i - rng.randint(0, 2)}-{k}"
            at = now - rng.choice((0.0, 0.0, 400.0, 30 * HOUR))
            version = rng.choice(("v1", "v1", "v2", "v3"))
            answer = 100.0 + rng.random() if model == "minutes" else 1
            more = {"probability": rng.random() ** (1 if i < n / 2 else 3), "segment": {"country": rng.choice("abcd")}}
            made.append(prediction(key, answer, model=model, version=version, at=at, latency_ms=5.5, **more))
            truth = rng.random() >= (0.9 if version == "v2" else wrong)
            actual = (100.0 if truth else 150.0) if model == "minutes" else int(truth)
            if rng.random() < 0.9:
                told.append(feedback(key, actual, model=model, at=at + rng.choice((0.0, 900.0, 2 * HOUR))))
        takes: list[Input] = [Take("predictions", tuple(made), now), Take("feedback", tuple(told), now)]
        rng.shuffle(takes)
        inputs += takes
        if rng.random() < 0.05:
            role = rng.choice(("champion", "challenger", "shadow", "retired"))
            inputs.append(Take("deployments", (deployment(rng.choice(("v1", "v2", "v3")), role, model=model, at=now),)))
        if rng.random() < 0.5:
            inputs.append(Tick(now))
    return inputs


def folded(inputs: list[Input], cuts: list[int], clock: Literal["wall", "stream"]) -> MonitorHarness:
    """Stopped and started again at each of these places."""
    harness = MonitorHarness(CONFIG, clock=clock)
    start = 0
    for cut in sorted(cuts):
        harness.run(*inputs[start:cut])
        harness.restart()
        start = cut
    harness.run(*inputs[start:])
    return harness


@given(
    st.integers(0, 10_000),
    st.integers(1, 60),
    st.lists(st.integers(0, 180), min_size=1, max_size=4),
    st.sampled_from(("wall", "stream")),
)
@example(seed=1, n=150, cuts=[20, 100, 230, 300], clock="stream")
@example(seed=2, n=150, cuts=[1, 2, 150, 299], clock="wall")
@settings(max_examples=25, deadline=None)
def test_a_restored_monitor_continues_identically(
    seed: int, n: int, cuts: list[int], clock: Literal["wall", "stream"]
) -> None:
    inputs = life(seed, n)
    whole, parts = folded(inputs, [], clock), folded(inputs, cuts, clock)

    assert [output.value for output in parts.outputs] == [output.value for output in whole.outputs]
    assert parts.outputs == whole.outputs
    assert parts.sections == whole.sections
    assert parts.raw_views == whole.raw_views
    assert parts.step.event_time == whole.step.event_time


def test_the_life_that_is_restored_has_everything_in_it() -> None:
    harness = folded(life(1, 150), [], "stream")
    signals = harness.signals()

    assert {signal["type"] for signal in signals} == {
        "window_closed",
        "change_detected",
        "versions_compared",
        "blind",
        "deployment_seen",
    }
    assert {signal["detector"] for signal in signals if signal["type"] == "change_detected"} >= {"e_detector", "adwin"}
    assert any(signal.get("pages") for signal in signals)
    assert any(view["expired"] for view in harness.views())
    assert any("__other__" in version["segments"]["country"] for version in harness.view("first")["versions"])


def test_a_save_in_which_nothing_happened_changes_nothing_that_is_kept() -> None:
    harness = folded(life(3, 20), [], "stream")
    before = dict(harness.sections)
    effects = harness.step.effects()

    assert {name: before[name] for name in effects.sections} == effects.sections
    assert effects.views == {}
    assert effects.outputs == []


@pytest.mark.parametrize("kind", ["partition", "models", "model", "version", "cohorts"])
def test_a_section_of_an_unknown_version_is_refused_in_a_sentence(kind: str) -> None:
    harness = MonitorHarness(monitor_config())
    harness.take("predictions", prediction("p1", at=T0 + DAY))
    name = next(name for name in harness.sections if name.partition("/")[0] == kind)
    harness.sections[name] = pack(99, {})

    with pytest.raises(UnknownSnapshot, match="99, this code reads"):
        harness.restored()
