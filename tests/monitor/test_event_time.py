"""Event time: as stated, unless it is from the future as the record saw it."""

from __future__ import annotations

import pytest

from builders import DAY, T0, MonitorHarness, feedback, prediction

NOW = T0 + 10 * DAY


@pytest.mark.parametrize(
    ("stated", "day", "clamped"),
    [
        pytest.param(NOW - 9 * DAY, "2024-01-02", 0, id="the past is as stated"),
        pytest.param(0.0, "1970-01-01", 0, id="the distant past too"),
        pytest.param(NOW + 300, "2024-01-11", 0, id="a clock that is five minutes ahead"),
        pytest.param(NOW + 301, "2024-01-11", 1, id="a clock that is further ahead"),
        pytest.param(NOW + 40_000 * DAY, "2024-01-11", 1, id="the next century"),
        pytest.param(253_402_300_799.0, "2024-01-11", 1, id="the last second there is"),
        pytest.param(None, "2024-01-11", 0, id="not stated: the record's"),
    ],
)
def test_a_time_from_the_future_is_taken_for_the_records_and_counted(
    stated: float | None, day: str, clamped: int
) -> None:
    harness = MonitorHarness()
    event = {**prediction("p1"), "predicted_at": stated}
    harness.take("predictions", event, timestamp=NOW)

    assert [row["day"] for row in harness.version()["days"]] == [day]
    assert harness.view()["clamped"] == clamped


def test_a_truth_from_the_future_moves_no_window_beyond_the_record() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1", 1), prediction("p2", 1), timestamp=NOW)
    harness.take("feedback", feedback("p1", 1, at=NOW + 365 * DAY), timestamp=NOW)
    harness.take("feedback", feedback("p2", 1, at=NOW), timestamp=NOW)

    assert harness.version()["accuracy_hour"]["n"] == 2
    assert harness.view()["clamped"] == 1
    assert harness.step.event_time == NOW


def test_the_latest_event_time_is_never_moved_back() -> None:
    harness = MonitorHarness()
    assert harness.step.event_time is None

    harness.take("predictions", prediction("p1", at=T0 + 5), prediction("p2", at=T0))
    harness.restart()

    assert harness.step.event_time == T0 + 5
