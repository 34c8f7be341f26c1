"""Blindness: a state with a beginning and an end, told once each."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from builders import DAY, HOUR, T0, Event, MonitorHarness, feedback, prediction

NOW = T0 + 3_653 * DAY


def told(harness: MonitorHarness) -> list[tuple[str, bool, float]]:
    return [(signal["missing"], signal["ended"], signal["since"]) for signal in harness.signals("blind")]


def both(i: int, at: float) -> tuple[Event, Event]:
    return prediction(f"p{i}", 1, at=at), feedback(f"p{i}", 1, at=at)


def test_blindness_begins_once_after_the_silence_and_ends_once() -> None:
    #  truth  x                        x
    #  ticks   . . . . 48 h . . . . . . .
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1", at=T0))
    harness.take("feedback", feedback("p1", at=T0))
    harness.tick(T0 + 48 * HOUR)
    assert told(harness) == []

    harness.take("predictions", prediction("p2", at=T0 + 48 * HOUR))
    for hour in (49, 50, 60):
        harness.tick(T0 + hour * HOUR)
        harness.restart()
    assert told(harness) == [("feedback", False, T0)]
    assert harness.view()["blind"] == {"feedback": T0}

    harness.take("feedback", feedback("p2", at=T0 + 61 * HOUR), feedback("p1", at=T0 + 62 * HOUR))
    harness.tick(T0 + 62 * HOUR)

    assert told(harness) == [("feedback", False, T0), ("feedback", True, T0 + 61 * HOUR)]
    assert harness.view()["blind"] == {}


def test_without_predictions_and_truths_both_are_missed() -> None:
    harness = MonitorHarness()
    made, truth = both(1, T0)
    harness.take("predictions", made)
    harness.take("feedback", truth)
    harness.tick(T0 + 3 * DAY)

    assert told(harness) == [("predictions", False, T0), ("feedback", False, T0)]


def test_a_model_that_never_gets_any_truth_is_blind_from_its_first_prediction_on() -> None:
    harness = MonitorHarness()
    for hour in range(0, 60, 10):
        harness.take("predictions", prediction(f"p{hour}", at=T0 + hour * HOUR))
        harness.tick(T0 + hour * HOUR)
        harness.restart()

    assert told(harness) == [("feedback", False, T0)]


def test_old_data_that_is_read_in_by_the_wall_clock_is_no_blindness() -> None:
    harness = MonitorHarness(clock="wall")
    for minute in range(5):
        made, truth = both(minute, T0 + minute * 7 * DAY)
        harness.take("predictions", made, timestamp=NOW + 60 * minute)
        harness.take("feedback", truth, timestamp=NOW + 60 * minute)
        harness.tick(NOW + 60 * minute + 1)

    assert told(harness) == []


def test_catching_up_on_a_backlog_of_days_is_no_blindness() -> None:
    # The worker was away for five days: records of then come now, one after the other.
    harness = MonitorHarness(clock="wall")
    for minute in range(20):
        made, truth = both(minute, NOW - 5 * DAY + minute * 3 * HOUR)
        harness.take("predictions", made)
        harness.take("feedback", truth)
        harness.tick(NOW + minute)
        harness.restart()
    assert told(harness) == []

    harness.tick(NOW + 3 * DAY)
    assert told(harness) == [("predictions", False, NOW + 19), ("feedback", False, NOW + 19)]


def test_by_the_wall_clock_blindness_ends_when_something_comes() -> None:
    harness = MonitorHarness(clock="wall")
    made, truth = both(1, T0)
    harness.take("predictions", made, timestamp=NOW)
    harness.take("feedback", truth, timestamp=NOW)
    harness.tick(NOW + 1)
    harness.tick(NOW + 1 + 49 * HOUR)
    harness.restart()
    harness.take("predictions", prediction("p2", at=T0), timestamp=NOW)
    harness.tick(NOW + 2 + 49 * HOUR)

    assert told(harness)[2:] == [("predictions", True, NOW + 1 + 49 * HOUR)]
    assert harness.view()["blind"] == {"feedback": NOW + 1}


def test_by_the_clock_of_the_stream_it_is_the_event_time_that_counts() -> None:
    harness = MonitorHarness(clock="stream")
    made, truth = both(1, T0)
    harness.take("predictions", made, timestamp=NOW)
    harness.take("feedback", truth, timestamp=NOW)
    harness.take("predictions", prediction("p2", at=T0 + 3 * DAY), timestamp=NOW)
    assert harness.step.event_time is not None
    harness.tick(harness.step.event_time)

    assert told(harness) == [("feedback", False, T0)]


def test_the_silence_of_one_model_is_not_that_of_another() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1", model="quiet", at=T0), prediction("p1", model="busy", at=T0 + 3 * DAY))
    harness.tick(T0 + 3 * DAY)

    silent = [(signal["model_id"], signal["missing"]) for signal in harness.signals()]
    assert silent == [("quiet", "predictions"), ("quiet", "feedback")]


def stream_of(harness: MonitorHarness, hours: range, event_time: Callable[[int], float]) -> None:
    """By the wall clock: a prediction and its truth every hour, of these event times."""
    for hour in hours:
        made, truth = both(hour, event_time(hour))
        harness.take("predictions", made, timestamp=NOW + hour * HOUR)
        harness.take("feedback", truth, timestamp=NOW + hour * HOUR)
        harness.tick(NOW + hour * HOUR + 60)
        harness.restart()


@pytest.mark.parametrize("stands_at", [NOW, NOW + 8 * HOUR + 60])
def test_event_times_that_stand_still_while_records_come_are_told_until_they_move(stands_at: float) -> None:
    #  records      x x x x x x x x x x x x x x x x x x
    #  event time   moves|  stands still for 60 h    | moves
    harness = MonitorHarness(clock="wall")
    stream_of(harness, range(10), lambda hour: NOW + hour * HOUR)
    stream_of(harness, range(10, 58), lambda _: stands_at)
    assert told(harness) == []

    stream_of(harness, range(58, 70), lambda _: stands_at)
    since = NOW + 10 * HOUR + 60
    assert told(harness) == [("clock", False, since)]
    assert harness.view()["blind"] == {"clock": since}

    stream_of(harness, range(70, 72), lambda hour: NOW + hour * HOUR)
    assert told(harness) == [("clock", False, since), ("clock", True, since)]
    assert harness.view()["blind"] == {}


def test_old_event_times_that_move_are_no_clock_that_stands_still() -> None:
    harness = MonitorHarness(clock="wall")
    stream_of(harness, range(120), lambda hour: T0 + hour)

    assert told(harness) == []


def test_a_few_late_records_over_days_are_no_clock_that_stands_still() -> None:
    harness = MonitorHarness(clock="wall")
    for hour in range(0, 200, 40):
        stream_of(harness, range(hour, hour + 1), lambda hour: NOW - hour / 40 * HOUR)

    assert told(harness) == []


def test_late_records_at_once_and_one_days_later_are_no_clock_that_stands_still() -> None:
    harness = MonitorHarness(clock="wall")
    stream_of(harness, range(20), lambda hour: NOW - hour)
    stream_of(harness, range(60, 61), lambda hour: NOW + hour * HOUR)
    stream_of(harness, range(61, 62), lambda _: NOW)

    assert told(harness) == []


def test_late_truths_after_which_none_come_are_no_clock_that_stands_still() -> None:
    harness = MonitorHarness(clock="wall")
    stream_of(harness, range(20), lambda hour: NOW - hour)
    for hour in range(20, 90):
        harness.take("predictions", prediction(f"q{hour}", 1, at=NOW + hour * HOUR))
        harness.tick(NOW + hour * HOUR + 60)

    assert [what for what, *_ in told(harness)] == ["feedback"]
