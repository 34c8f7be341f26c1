"""Cohorts: how good were the predictions of a day, whenever their truth came."""

from __future__ import annotations

from collections import Counter

from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, T0, MonitorHarness, feedback, prediction
from trueup.monitor.cohorts import Cohorts
from trueup.monitor.outcome import Outcome

days = st.integers(0, 120)


@given(st.lists(st.tuples(days, st.booleans(), st.booleans()), max_size=40), st.integers(0, 40))
@settings(max_examples=60)
def test_cohorts_equal_a_naive_count_by_day_through_a_restart(made: list[tuple[int, bool, bool]], cut: int) -> None:
    harness = MonitorHarness()
    for i, (day, told, right) in enumerate(made):
        if i == cut:
            harness.restart()
        harness.take("predictions", prediction(f"p{i}", 1, at=T0 + day * DAY + 7))
        if told:
            harness.take("feedback", feedback(f"p{i}", int(right), at=T0 + 130 * DAY))
    if not made:
        return

    shown = [(row["predictions"], row["joined"], row["correct"]) for row in harness.version()["days"]]
    all_days = sorted({day for day, _, _ in made})
    predictions = Counter(day for day, _, _ in made)
    joined = Counter(day for day, told, _ in made if told)
    correct = Counter(day for day, told, right in made if told and right)
    assert shown == [(predictions[day], joined[day], correct[day]) for day in all_days][-60:]


def test_a_save_writes_only_the_months_that_changed() -> None:
    cohorts = Cohorts(400)
    cohorts.predicted([T0 + day * DAY for day in (0, 30, 31, 59, 60)])
    assert list(cohorts.changes()) == ["2024-01", "2024-02", "2024-03"]

    cohorts.settled([T0 + 40 * DAY], [Outcome(True, 0.0, 0.0)])

    changes = cohorts.changes()
    assert list(changes) == ["2024-02"]
    assert [row[0] for row in changes["2024-02"] or []] == [T0 // DAY + day for day in (31, 40, 59)]
    assert cohorts.changes() == {}


def test_a_month_that_is_too_old_is_forgotten_also_where_it_is_saved() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("old", at=T0))
    assert "cohorts/1:m/2:v1/7:2024-01" in harness.sections

    harness.take("predictions", prediction("new", at=T0 + 431 * DAY), timestamp=T0 + 431 * DAY)

    assert [name for name in harness.sections if name.startswith("cohorts")] == ["cohorts/1:m/2:v1/7:2025-03"]
    harness.take("predictions", prediction("older", at=T0), timestamp=T0 + 431 * DAY)
    assert [day["day"] for day in harness.version()["days"]] == ["2025-03-07"]
    assert harness.version()["predictions"] == 3
