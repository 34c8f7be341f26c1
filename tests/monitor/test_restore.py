"""A monitor that goes on from what it saved is the monitor that was never stopped, byte for byte."""

from __future__ import annotations

from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import DAY, T0, Input, MonitorHarness, monitor_config, prediction
from monitor.lives import CONFIG, life
from trueup.errors import UnknownSnapshot
from trueup.snapshots import pack


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
