"""Where a chunk is cut changes no count, view or signal, but for the data to train on, which lies up to its end."""

from __future__ import annotations

import random
from collections.abc import Sequence
from typing import Literal

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import Event, Input, MonitorHarness, Take, Tick
from monitor.lives import CONFIG, life
from trueup.monitor import step
from trueup.monitor.config import MonitorConfig


def crowded(seed: int, n: int) -> list[Input]:
    """The life of several models with one timestamp for some rounds, so that their events share chunks."""
    rounds = life(seed, n)
    found: list[Input] = []
    for at in range(0, len(rounds), 12):
        part = rounds[at : at + 12]
        takes = [given_ for given_ in part if isinstance(given_, Take)]
        if not takes:
            continue
        now = takes[-1].timestamp
        for topic in ("predictions", "feedback", "deployments"):
            events = [event for take in takes if take.topic == topic for event in take.events]
            random.Random(seed + at).shuffle(events)
            if events:
                found.append(Take(topic, tuple(events), now))
        found += [given_ for given_ in part[-1:] if isinstance(given_, Tick)]
    return found


def cut(inputs: Sequence[Input], rng: random.Random, most: int) -> list[Input]:
    """The same with chunks cut anywhere."""
    found: list[Input] = []
    for given_ in inputs:
        if isinstance(given_, Tick):
            found.append(given_)
            continue
        events = given_.events
        while events:
            size = rng.randint(1, most)
            found.append(Take(given_.topic, events[:size], given_.timestamp))
            events = events[size:]
    return found


def told(harness: MonitorHarness) -> list[Event]:
    """What was signalled, without the data of an alarm: that is everything known when its chunk was folded in."""
    return [{**signal, "training_data": None} for signal in harness.signals()]


@given(
    st.integers(0, 10_000),
    st.integers(1, 80),
    st.integers(1, 7),
    st.sampled_from(("wall", "stream")),
    st.sampled_from((None, 5, 30)),
)
@example(seed=1, n=150, most=1, clock="stream", room=None)
@example(seed=2, n=150, most=3, clock="wall", room=12)
@settings(max_examples=25, deadline=None)
def test_where_chunks_are_cut_changes_nothing(
    seed: int, n: int, most: int, clock: Literal["wall", "stream"], room: int | None
) -> None:
    config = CONFIG if room is None else _small(room)
    inputs = crowded(seed, n)
    whole, parts = MonitorHarness(config, clock=clock), MonitorHarness(config, clock=clock)
    whole.run(*inputs)
    parts.run(*cut(inputs, random.Random(seed), most))

    assert told(parts) == told(whole)
    assert parts.raw_views == whole.raw_views
    assert parts.sections == whole.sections
    assert parts.step.outdated == whole.step.outdated


def _small(room: int) -> MonitorConfig:
    return CONFIG.model_copy(
        update={
            "most_ids": 2 * room,
            "most_ids_per_model": room,
            "most_models_per_partition": 3,
            "most_versions_per_model": 2,
        }
    )


def test_the_crowd_has_alarms_and_chunks_of_several_models_in_it() -> None:
    inputs = crowded(1, 150)
    harness = MonitorHarness(CONFIG, clock="stream")
    harness.run(*inputs)

    assert any(signal.get("pages") for signal in harness.signals("change_detected"))
    assert any(isinstance(take, Take) and len({event["model_id"] for event in take.events}) > 2 for take in inputs)


@given(st.integers(0, 10_000), st.integers(1, 80), st.sampled_from(("wall", "stream")), st.sampled_from((None, 5, 30)))
@example(seed=1, n=150, clock="stream", room=None)
@example(seed=2, n=150, clock="wall", room=12)
@settings(max_examples=25, deadline=None)
def test_events_one_by_one_and_as_runs_give_the_same(
    seed: int, n: int, clock: Literal["wall", "stream"], room: int | None
) -> None:
    config = CONFIG if room is None else _small(room)
    watched = config.defaults.model_copy(update={"watch_features": ("amount",)})
    config = config.model_copy(update={"defaults": watched, "most_ids_in_memory": 20})
    inputs = crowded(seed, n)
    runs, lone = (_with_few(few, inputs, config, clock) for few in (0, 1_000_000))

    assert lone.signals() == runs.signals()
    assert lone.raw_views == runs.raw_views
    assert lone.sections == runs.sections
    assert lone.entries == runs.entries


def _with_few(
    few: int, inputs: Sequence[Input], config: MonitorConfig, clock: Literal["wall", "stream"]
) -> MonitorHarness:
    """What becomes of these where runs of up to `few` events are folded in one by one; saved after each input."""
    harness = MonitorHarness(config, clock=clock)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "FEW", few)
        for one in inputs:
            harness.run(one)
    return harness
