"""Caps: on ids, versions and models. What is let go is counted and shown, and every count still adds up."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, T0, Event, MonitorHarness, Take, deployment, feedback, monitor_config, prediction


def made(day: int, *ids: str, model: str = "m", **more: Any) -> Take:
    return Take("predictions", tuple(prediction(key, 1, model=model, at=T0 + day * DAY, **more) for key in ids))


def counts(shown: Event) -> list[int]:
    return [shown[name] for name in ("predictions", "joined", "pending", "expired", "let_go")]


# -- ids --------------------------------------------------------------------------------------------------------------


def test_beyond_its_cap_a_model_lets_its_oldest_day_go() -> None:
    harness = MonitorHarness(monitor_config(most_ids_per_model=4))
    harness.run(made(0, "a", "b", "c"), made(1, "d"), made(2, "e"))

    assert counts(harness.version()) == [5, 0, 2, 3, 3]
    assert harness.view()["let_go"] == 3
    assert harness.step.outdated == {-1: 0, 0: T0 // DAY + 1}

    harness.take("feedback", feedback("a"), feedback("d"), feedback("e"))
    assert (harness.version()["joined"], harness.view()["orphans"]) == (2, 1)


def test_where_there_is_but_one_day_the_newest_are_let_go_at_once() -> None:
    harness = MonitorHarness(monitor_config(most_ids_per_model=2))
    harness.run(made(0, "a", "b", "c", "d"))
    harness.take("feedback", feedback("a"), feedback("c"))

    assert counts(harness.version()) == [4, 1, 1, 2, 2]
    assert harness.view()["orphans"] == 1
    assert harness.view()["let_go"] == 3  # c, d, and the truth of c, which found no room either
    assert len(harness.entries) == 2


def test_what_comes_late_for_a_day_that_was_let_go_is_let_go_too() -> None:
    harness = MonitorHarness(monitor_config(most_ids_per_model=2))
    harness.run(made(0, "a", "b"), made(1, "c"), made(0, "late"))

    assert counts(harness.version()) == [4, 0, 1, 3, 3]


def test_the_cap_on_all_ids_is_shared_out_among_partitions_and_spares_other_models() -> None:
    harness = MonitorHarness(monitor_config(most_ids=4))
    harness.run(made(0, "a", "b", "c", model="large"), made(0, "a", model="small"))
    harness.run(made(1, "d", model="large"))

    assert counts(harness.version(model="large")) == [4, 0, 1, 3, 3]
    assert counts(harness.version(model="small")) == [1, 0, 1, 0, 0]


def test_a_cap_holds_through_restarts_and_the_horizon_frees_room() -> None:
    harness = MonitorHarness(monitor_config(most_ids_per_model=2, label_horizon_days=10.0))
    harness.run(made(0, "a", "b"))
    harness.restart()
    harness.run(made(0, "c"))
    assert counts(harness.version()) == [3, 0, 2, 1, 1]

    harness.tick(T0 + 11 * DAY)
    harness.run(made(11, "d", "e"))
    assert counts(harness.version()) == [5, 0, 2, 3, 1]
    assert harness.step.outdated == {-1: T0 // DAY + 1}


def test_the_day_before_which_ids_were_let_go_is_known_until_the_horizon_is_there() -> None:
    harness = MonitorHarness(monitor_config(most_ids_per_model=1, label_horizon_days=10.0))
    harness.run(made(0, "a"), made(3, "b"))
    harness.restart()
    day = int(T0 // DAY)
    assert harness.step.outdated == {-1: 0, 0: day + 1}

    harness.tick(T0 + 11 * DAY)

    assert harness.step.outdated == {-1: day + 1}


@given(
    st.lists(
        st.tuples(st.sampled_from("stuvwxyz"), st.sampled_from(("v1", "v2", "truth", "tick")), st.integers(0, 30)),
        max_size=40,
    ),
    st.integers(1, 5),
)
@settings(max_examples=60, deadline=None)
def test_predictions_are_joined_or_pending_or_expired_however_little_room_there_is(
    events: list[tuple[str, str, int]], room: int
) -> None:
    harness = MonitorHarness(
        monitor_config(
            label_horizon_days=10.0, most_ids_per_model=room, most_ids_in_memory=0, most_versions_per_model=1
        )
    )
    now = T0
    for key, what, day in events:
        at = T0 + day * DAY
        if what == "tick":
            now = max(now, at)
            harness.tick(now)
        elif what == "truth":
            harness.take("feedback", feedback(key, 1, at=at))
        else:
            harness.take("predictions", prediction(key, 1, version=what, at=at))
    for view in harness.views():
        for shown in view["versions"]:
            assert shown["predictions"] == shown["joined"] + shown["pending"] + shown["expired"]
            assert 0 <= shown["let_go"] <= shown["expired"]
        assert view["pending"] <= 2 * room


# -- versions and models ----------------------------------------------------------------------------------------------


def test_versions_beyond_the_cap_are_one_and_their_answers_are_told_apart() -> None:
    harness = MonitorHarness(monitor_config(most_versions_per_model=2))
    harness.run(*[made(0, "p", version=version) for version in ("v1", "v2", "v3", "v4", "v4")])
    harness.restart()
    harness.take("feedback", feedback("p", 1))

    shown = {version["model_version"]: version for version in harness.view()["versions"]}

    assert {name: (of["predictions"], of["joined"]) for name, of in shown.items()} == {
        "v1": (1, 1),
        "v2": (1, 1),
        "__other__": (2, 2),
    }
    assert shown["__other__"]["duplicates"] == 1


def test_an_answer_stays_counted_where_it_was_when_the_cap_is_raised() -> None:
    harness = MonitorHarness(monitor_config(most_versions_per_model=1))
    harness.run(made(0, "p", version="v1"), made(0, "q", version="v2"))
    harness.config = monitor_config(most_versions_per_model=10)
    harness.restart()
    harness.run(made(0, "r", version="v2"))
    harness.take("feedback", feedback("q", 1), feedback("r", 1))

    assert {v["model_version"]: (v["joined"], v["pending"]) for v in harness.view()["versions"]} == {
        "v1": (0, 1),
        "__other__": (1, 0),
        "v2": (1, 0),
    }


@pytest.mark.parametrize("role", ["champion", "shadow"])
def test_what_stands_for_many_versions_takes_no_role(role: str) -> None:
    harness = MonitorHarness(monitor_config(most_versions_per_model=1))
    harness.take("deployments", deployment("v1"), deployment("v2", role))

    roles = {version["model_version"]: version["role"] for version in harness.view()["versions"]}

    assert roles == {"v1": "retired" if role == "champion" else "champion", "__other__": None}


def test_models_beyond_the_cap_are_one_and_their_ids_are_told_apart() -> None:
    harness = MonitorHarness(monitor_config(most_models_per_partition=2, most_ids_in_memory=0))
    harness.run(*[made(0, "p", model=model) for model in ("a", "b", "c", "d", "__other__")])
    harness.restart()
    harness.run(made(0, "p", model="d"))
    harness.take("feedback", feedback("p", 1, model="c"), feedback("p", 1, model="a"))

    views = {view["model_id"]: view for view in harness.views()}

    assert {name: (view["predictions"], view["joined"]) for name, view in views.items()} == {
        "a": (1, 1),
        "b": (1, 0),
        "__other__": (3, 1),
    }
    assert views["__other__"]["duplicates"] == 1
