"""What of the join is in memory changes nothing but what has to be asked for."""

from __future__ import annotations

from typing import Literal

import msgpack
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from builders import DAY, T0, MonitorHarness, arrivals, feedback, monitor_config, prediction
from monitor.lives import CONFIG, life
from trueup.errors import UnknownSnapshot
from trueup.step import NO_NEEDS, Found, Kept

NONE_HOT = monitor_config(most_ids_in_memory=0)


@given(
    st.integers(0, 10_000),
    st.integers(1, 60),
    st.integers(0, 30),
    st.lists(st.tuples(st.integers(0, 180), st.booleans()), max_size=12),
    st.sampled_from(("wall", "stream")),
)
@example(seed=1, n=120, most=0, cuts=[(i, i % 30 == 0) for i in range(0, 260, 3)], clock="stream")
@example(seed=2, n=120, most=9, cuts=[(i, i % 30 == 0) for i in range(0, 260, 3)], clock="wall")
@settings(max_examples=20, deadline=None)
def test_a_cold_monitor_goes_on_as_a_warm_one(
    seed: int, n: int, most: int, cuts: list[tuple[int, bool]], clock: Literal["wall", "stream"]
) -> None:
    inputs = life(seed, n)
    warm = MonitorHarness(CONFIG, clock=clock)
    cold = MonitorHarness(CONFIG.model_copy(update={"most_ids_in_memory": most}), clock=clock)
    start = 0
    for cut, restart in sorted(cuts):
        for harness in (warm, cold):
            harness.run(*inputs[start:cut])
        if restart:
            cold.restart()
        start = max(start, cut)
    for harness in (warm, cold):
        harness.run(*inputs[start:])

    assert cold.outputs == warm.outputs
    assert cold.raw_views == warm.raw_views
    assert cold.sections == warm.sections
    assert cold.entries == warm.entries


def keys_needed(harness: MonitorHarness, *ids: str) -> int:
    needs = harness.step.needs("feedback", arrivals([feedback(key) for key in ids]))
    return len(needs.entries)


def test_nothing_is_asked_for_as_long_as_everything_is_hot() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1"))

    assert harness.step.needs("feedback", arrivals([feedback("p1"), feedback("new")])) is NO_NEEDS


def test_an_id_is_asked_for_once_and_only_where_it_is_not_hot() -> None:
    harness = MonitorHarness(NONE_HOT)
    harness.take("predictions", prediction("p1"), prediction("p2"))
    harness.restart()
    harness.take("predictions", prediction("p2"))  # a repeat changes nothing, and makes it hot

    assert keys_needed(harness, "p1", "p1", "p2", "p3") == 2


def test_an_entry_leaves_in_the_save_after_the_one_that_wrote_its_last_change() -> None:
    #  save 1: p1      save 2: p1 changed      save 3
    #  hot     ────────────────────────────────┘
    harness = MonitorHarness(NONE_HOT)
    harness.take("predictions", prediction("p1"))
    assert keys_needed(harness, "p1") == 0

    harness.take("feedback", feedback("p1"))
    assert keys_needed(harness, "p1") == 0

    harness.settle()
    assert keys_needed(harness, "p1") == 1


def test_the_hot_set_keeps_to_its_bound_and_the_latest_stay() -> None:
    harness = MonitorHarness(monitor_config(most_ids_in_memory=10))
    for i in range(0, 100, 5):
        harness.take("predictions", *[prediction(f"p{k}") for k in range(i, i + 5)])
    harness.settle()

    assert keys_needed(harness, *[f"p{k}" for k in range(100)]) == 90
    assert keys_needed(harness, *[f"p{k}" for k in range(90, 100)]) == 0


def test_after_a_restart_a_model_that_never_kept_anything_is_asked_for_nothing() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1"))
    harness.restart()

    assert keys_needed(harness, "p1") == 1
    assert harness.step.needs("feedback", arrivals([feedback("p1", model="another")])) is NO_NEEDS


def test_what_is_held_is_newer_than_what_was_found() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1", 1))
    stale = {key: kept.value for key, kept in harness.entries.items()}
    harness.take("feedback", feedback("p1", 1))
    again = arrivals([feedback("p1", 1)], first_offset=1)
    harness.step.take("feedback", again, {"predictions": 1, "feedback": 2}, Found(entries=stale))
    harness.settle()

    assert (harness.version()["joined"], harness.version()["duplicates"]) == (1, 1)


def test_an_entry_that_was_let_go_and_not_deleted_yet_was_never_seen() -> None:
    harness = MonitorHarness(monitor_config(label_horizon_days=10.0, most_ids_in_memory=0, rest_after_days=99.0))
    harness.take("predictions", prediction("p1"))
    harness.tick(T0 + 12 * DAY)
    harness.settle()
    assert keys_needed(harness, "p1") == len(harness.entries) == 1

    harness.take("feedback", feedback("p1", at=T0 + 12 * DAY))

    assert (harness.view()["orphans"], harness.version()["joined"]) == (1, 0)


def test_ids_that_read_alike_when_joined_have_keys_of_their_own() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("bc", model="a"), prediction("c", model="ab"), prediction("1:c", model="a"))

    assert len(harness.entries) == 3
    assert {len(key) for key in harness.entries} == {16}


def test_an_entry_of_an_unknown_form_is_refused_in_a_sentence() -> None:
    harness = MonitorHarness(NONE_HOT)
    harness.take("predictions", prediction("p1"))
    ((key, kept),) = harness.entries.items()
    harness.entries[key] = Kept(kept.shelf, kept.day, msgpack.packb([9, []]))
    harness.restart()
    harness.entries[key] = Kept(kept.shelf, kept.day, msgpack.packb([9, [0, 0, 0, None, []]]))

    with pytest.raises(UnknownSnapshot, match="form 9, this code reads"):
        harness.take("feedback", feedback("p1"))
