"""A window equals its naive recomputation, whatever the order of label times."""

from __future__ import annotations

from functools import reduce

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, HOUR, T0, MonitorHarness, feedback, monitor_config, prediction
from trueup.monitor.outcome import Outcome
from trueup.monitor.windows import BUCKET_SECONDS, LabelTime, LastOutcomes, Tally

RIGHT, WRONG = Outcome(True, 0.0, 0.0), Outcome(False, 1.0, 1.0)
THREE_OFF, FOUR_OFF = Outcome(None, 3.0, 0.5), Outcome(None, 4.0, 0.5)
#: Numbers that floats add exactly, so that the order of adding cannot matter.
outcomes = st.one_of(
    st.sampled_from((RIGHT, WRONG)),
    st.builds(lambda error: Outcome(None, error / 8, error / 64), st.integers(0, 64)),
)
#: Within the day, at its very ends, and beyond it, in any order.
offsets = st.one_of(st.integers(0, 3 * 86_400), st.sampled_from((0, 299, 300, 3_600, 86_399, 86_400, 86_700)))
streams = st.lists(st.tuples(outcomes, offsets), max_size=60)


def tally(of: list[Outcome]) -> Tally:
    total = Tally()
    for outcome in of:
        total.add(outcome)
    return total


@given(st.lists(st.booleans(), max_size=50), st.integers(1, 12), st.integers(0, 50))
def test_the_last_n_are_exactly_the_last_n_also_when_restored_midway(marks: list[bool], size: int, cut: int) -> None:
    window = LastOutcomes(size)
    for i, mark in enumerate(marks):
        if i == cut:
            window = LastOutcomes.restore(window.snapshot(), size)
        window.add(mark)

        last = marks[: i + 1][-size:]
        assert (window.correct, window.n) == (sum(last), len(last))


@given(st.lists(st.booleans(), max_size=30), st.integers(1, 12), st.integers(1, 12), st.lists(st.booleans()))
def test_a_window_restored_in_another_size_holds_the_latest_that_fit(
    before: list[bool], size: int, other: int, after: list[bool]
) -> None:
    window = LastOutcomes(size)
    for mark in before:
        window.add(mark)
    window = LastOutcomes.restore(window.snapshot(), other)
    for mark in after:
        window.add(mark)

    last = (before[-size:][-other:] + after)[-other:]
    assert (window.correct, window.n) == (sum(last), len(last))


def restored(window: LabelTime) -> LabelTime:
    again = LabelTime()
    again.restore(window.snapshot())
    again.restore_closed(window.closed_snapshot())
    return again


@given(streams, st.sampled_from((int(HOUR), int(DAY), BUCKET_SECONDS, 2 * BUCKET_SECONDS)), st.integers(0, 60))
def test_a_stretch_of_label_time_equals_its_naive_recomputation(
    stream: list[tuple[Outcome, int]], seconds: int, cut: int
) -> None:
    window = LabelTime()
    for i, (outcome, offset) in enumerate(stream):
        if i == cut:
            window = restored(window)
        window.add(outcome, T0 + offset + 0.5)
        assert window.day() == window.last(int(DAY))
    if not stream:
        return

    # The last bucket is that of the latest truth; the stretch is whole buckets before its end.
    end = (max(offset for _, offset in stream) // BUCKET_SECONDS + 1) * BUCKET_SECONDS
    assert window.last(seconds) == tally([outcome for outcome, offset in stream if end - seconds <= offset < end])
    assert window.day() == window.last(int(DAY))


@given(streams)
def test_the_order_of_label_times_does_not_matter(stream: list[tuple[Outcome, int]]) -> None:
    there, back = LabelTime(), LabelTime()
    for outcome, offset in stream:
        there.add(outcome, T0 + offset)
    for outcome, offset in reversed(stream):
        back.add(outcome, T0 + offset)

    assert there.last(int(DAY)) == back.last(int(DAY))


@given(st.lists(st.lists(outcomes, max_size=8), max_size=8))
def test_tallies_merge_to_the_tally_of_all(parts: list[list[Outcome]]) -> None:
    def merged(total: Tally, part: list[Outcome]) -> Tally:
        total.merge(tally(part))
        return total

    assert reduce(merged, parts, Tally()) == tally([outcome for part in parts for outcome in part])


@given(
    st.lists(st.sampled_from((RIGHT, WRONG, Outcome(False, 0.1, 0.3), Outcome(None, 1e16, 0.7))), max_size=20),
    st.data(),
)
def test_many_outcomes_at_once_count_bit_for_bit_as_one_by_one(of: list[Outcome], data: st.DataObject) -> None:
    cut = data.draw(st.integers(0, len(of)))
    total = Tally()
    total.add_all(of[:cut])
    total.add_all(of[cut:])

    assert total == tally(of)


@given(st.lists(outcomes, max_size=20))
def test_what_is_taken_out_again_leaves_nothing(of: list[Outcome]) -> None:
    total = tally(of)
    for outcome in of:
        total.add(outcome, -1)

    assert total == Tally()


@pytest.mark.parametrize("newest_first", [False, True], ids=["oldest first", "newest first"])
def test_label_time_keeps_no_more_than_a_day_of_buckets(newest_first: bool) -> None:
    window = LabelTime()
    for bucket in sorted(range(1_000), reverse=newest_first):
        window.add(RIGHT, T0 + bucket * BUCKET_SECONDS)

    assert len(window.closed_snapshot()) == DAY / BUCKET_SECONDS - 1


@pytest.mark.parametrize(
    ("name", "of", "expected"),
    [
        pytest.param("accuracy", [RIGHT, RIGHT, WRONG], 2 / 3, id="accuracy"),
        pytest.param("accuracy", [Outcome(None, 1.0, 0.5)], None, id="no accuracy without right and wrong"),
        pytest.param("mean_error", [THREE_OFF, FOUR_OFF], 3.5, id="mean error"),
        pytest.param("root_mean_squared_error", [THREE_OFF, FOUR_OFF], 12.5**0.5, id="rmse"),
        pytest.param("mean_loss", [], None, id="nothing for nothing"),
    ],
)
def test_figures_of_a_tally(name: str, of: list[Outcome], expected: float | None) -> None:
    assert getattr(tally(of), name) == (expected if expected is None else pytest.approx(expected))


def test_an_hour_closes_when_a_truth_of_a_later_hour_comes_with_exact_figures() -> None:
    # hour      0          1        2 (empty)   3
    # truths    w w        r                    r ──> closes 1;  late truths of hour 0 still count in the day
    harness = MonitorHarness()
    harness.take("predictions", *[prediction(f"p{i}", 1) for i in range(6)])
    harness.take("feedback", feedback("p0", 0, at=T0 + 5), feedback("p1", 0, at=T0 + HOUR - 1))
    assert harness.signals() == []

    harness.take("feedback", feedback("p2", 1, at=T0 + HOUR))
    harness.take("feedback", feedback("p3", 1, at=T0 + 30), feedback("p4", 1, at=T0 + 3 * HOUR + 1))
    first, second = harness.signals("window_closed")

    assert (first["from_time"], first["to_time"], first["at"]) == (T0, T0 + HOUR, T0 + HOUR)
    assert (first["hour"]["mean"], first["hour"]["n"]) == (1.0, 2)
    assert (second["from_time"], second["hour"]["mean"], second["hour"]["n"]) == (T0 + HOUR, 0.0, 1)
    assert (second["day"]["mean"], second["day"]["n"]) == (0.5, 4)


def test_an_hour_without_any_judged_outcome_says_that_it_knows_nothing() -> None:
    harness = MonitorHarness(monitor_config(model={"task": "regression"}))
    harness.take("predictions", prediction("p0", 1.5), prediction("p1", 1.5))
    harness.take("feedback", feedback("p0", "broken", at=T0), feedback("p1", 1.5, at=T0 + HOUR))
    (closed,) = harness.signals("window_closed")

    assert closed["hour"] == {"mean": 0.0, "n": 0, "low": 0.0, "high": 1.0}


def test_the_window_that_is_shown_is_the_one_that_is_configured_now() -> None:
    harness = MonitorHarness(monitor_config(last_outcomes=20))
    harness.take("predictions", *[prediction(f"p{i}", 1) for i in range(30)])
    harness.take("feedback", *[feedback(f"p{i}", i % 3 == 0) for i in range(20)])
    harness.config = monitor_config(last_outcomes=10)
    harness.restart()
    harness.take("feedback", feedback("p20", 1))
    shown = harness.version()["rolling_accuracy"]

    assert (shown["window"], shown["n"]) == ("last 10 outcomes", 10)
    assert shown["correct"] == 1 + sum(i % 3 == 0 for i in range(11, 20))
