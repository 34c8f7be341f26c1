"""A tick looks at the models that are due, and at no others."""

from __future__ import annotations

from trueup.monitor.due_days import DueDays
from trueup.monitor.schedule import Schedule


def test_only_what_is_due_is_looked_at_and_once() -> None:
    schedule = Schedule()
    for ordinal, at in enumerate((30.0, 10.0, 20.0)):
        schedule.put(ordinal, at)

    assert schedule.due(9.9) == []
    assert schedule.due(20.0) == [1, 2]
    assert schedule.due(20.0) == []


def test_an_earlier_look_takes_the_place_of_a_later_one_and_not_the_other_way() -> None:
    schedule = Schedule()
    for at in (30.0, 10.0, 20.0, None):
        schedule.put(0, at)

    assert schedule.due(10.0) == [0]
    assert schedule.due(40.0) == []


def test_what_was_dropped_is_not_looked_at() -> None:
    schedule = Schedule()
    schedule.put(0, 10.0)
    schedule.drop(0)
    assert schedule.due(10.0) == []

    schedule.put(0, 20.0)
    assert schedule.due(20.0) == [0]


def test_the_horizon_finds_the_models_whose_day_it_passes_the_longest_due_first() -> None:
    due = DueDays()
    for ordinal, day in ((0, 7), (1, 5), (2, 6), (3, 5)):
        due.put(ordinal, day)
    assert due.before(5, most=9) == []
    assert due.before(7, most=3) == [1, 3, 2]

    due.put(1, 9)
    due.put(3, None)
    assert due.before(10, most=9) == [2, 0, 1]
