"""What waits for its truth is let go after the label horizon, and stays counted."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, T0, MonitorHarness, Take, Tick, feedback, monitor_config, prediction

TEN_DAYS = monitor_config(label_horizon_days=10.0)


def waiting(harness: MonitorHarness) -> list[bytes]:
    """The keys of what is saved and was not let go."""
    horizon_day = harness.step.outdated[-1]
    return sorted(key for key, kept in harness.entries.items() if kept.day >= horizon_day)


def test_a_prediction_without_truth_expires_after_the_horizon_and_not_before() -> None:
    harness = MonitorHarness(TEN_DAYS)
    harness.take("predictions", prediction("p1", at=T0 + 100))
    harness.tick(T0 + 11 * DAY - 1)
    assert (harness.version()["pending"], harness.version()["expired"]) == (1, 0)

    harness.tick(T0 + 11 * DAY)

    shown = harness.version()
    assert (shown["predictions"], shown["pending"], shown["expired"], shown["joined"]) == (1, 0, 1, 0)
    assert harness.view()["expired"] == 1
    assert waiting(harness) == []


def test_feedback_after_the_horizon_is_an_orphan() -> None:
    harness = MonitorHarness(TEN_DAYS)
    harness.take("predictions", prediction("p1"))
    harness.tick(T0 + 11 * DAY)
    harness.take("feedback", feedback("p1", at=T0 + 12 * DAY))

    view = harness.view()

    assert (view["orphans"], view["expired"], view["joined"], view["feedback"]) == (1, 1, 0, 1)
    assert harness.version()["feedback"] == 0


def test_an_orphan_that_was_let_go_stays_counted() -> None:
    harness = MonitorHarness(TEN_DAYS)
    harness.take("feedback", feedback("p1"))
    harness.tick(T0 + 11 * DAY)
    assert waiting(harness) == []

    harness.take("predictions", prediction("p1", at=T0 + 11 * DAY))

    assert (harness.view()["orphans"], harness.view()["pending"]) == (1, 1)


def test_what_has_met_its_truth_is_let_go_without_any_count_changing() -> None:
    harness = MonitorHarness(TEN_DAYS)
    harness.take("predictions", prediction("p1", 1))
    harness.take("feedback", feedback("p1", 1))
    before = harness.view()
    harness.tick(T0 + 11 * DAY)

    assert waiting(harness) == []
    assert harness.view() == {**before, "blind": harness.view()["blind"]}


def test_every_version_that_answered_expires() -> None:
    harness = MonitorHarness(TEN_DAYS)
    harness.take("predictions", prediction("p1"), prediction("p1", version="shadow", at=T0 + DAY))
    harness.tick(T0 + 11 * DAY)
    assert harness.view()["expired"] == 0  # the later answer keeps the id

    harness.restart()
    harness.tick(T0 + 12 * DAY)

    assert [version["expired"] for version in harness.view()["versions"]] == [1, 1]
    assert harness.view()["pending"] == 0


def test_old_data_that_is_read_in_by_the_wall_clock_waits_as_long_as_new() -> None:
    # The predictions are of 2024, and come in 2034; their truths follow a minute later.
    now = T0 + 3_653 * DAY
    harness = MonitorHarness(TEN_DAYS, clock="wall")
    harness.take("predictions", prediction("p1", 1), prediction("p2", 1), timestamp=now)
    harness.tick(now + 1)
    harness.restart()
    harness.tick(now + 2)
    harness.take("feedback", feedback("p1", 1), feedback("p0", 1), timestamp=now + 60)
    harness.tick(now + 61)
    harness.take("predictions", prediction("p0", 1), timestamp=now + 62)
    assert (harness.version()["joined"], harness.version()["expired"]) == (2, 0)

    harness.tick(now + 11 * DAY)

    assert (harness.version()["joined"], harness.version()["expired"], harness.version()["pending"]) == (2, 1, 0)


@given(
    st.lists(
        st.tuples(st.sampled_from("wxyz"), st.sampled_from(("v1", "v2", "truth", "tick")), st.integers(0, 30)),
        max_size=30,
    )
)
@settings(max_examples=60)
def test_predictions_are_joined_or_pending_or_expired_whatever_happens(events: list[tuple[str, str, int]]) -> None:
    harness = MonitorHarness(TEN_DAYS)
    now = T0
    for key, what, day in events:
        at = T0 + day * DAY
        if what == "tick":
            now = max(now, at)
            harness.run(Tick(now))
        elif what == "truth":
            harness.run(Take("feedback", (feedback(key, 1, at=at),)))
        else:
            harness.run(Take("predictions", (prediction(key, 1, version=what, at=at),)))

    pending = 0
    for view in harness.views():
        for shown in view["versions"]:
            assert shown["predictions"] == shown["joined"] + shown["pending"] + shown["expired"]
            pending += shown["pending"]
    assert pending <= 2 * len(waiting(harness))
