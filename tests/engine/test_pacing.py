"""How often a lane is saved, on a clock that the test turns. Saves take 0.1 s of one of four lanes."""

from __future__ import annotations

import pytest

from trueup.engine.pacing import Pacing, SavePace

PACE = SavePace(save_interval_seconds=0.5, save_share=0.2, idle_save_share=0.05, longest_save_interval_seconds=30.0)
COST = 0.1


class Lane:
    """A lane that was cut at 100 s by its clock."""

    def __init__(self, pace: SavePace = PACE, *, most_seconds: float = 60.0, cost: float = COST) -> None:
        self.now = 100.0
        self.pacing = Pacing(pace, most_seconds, lambda: self.now)
        self.pacing.lanes = 4
        self.pacing.cut(cost)

    def take(self, at: float, *, busy: float = 0.0) -> None:
        self.now = at
        self.pacing.took()
        self.pacing.worked(busy)

    def due(self, *, urgent: bool = False, only_ticks: bool = False) -> float:
        """Seconds after the cut."""
        return self.pacing.due(urgent=urgent, only_ticks=only_ticks) - 100.0


def test_what_costs_nothing_is_saved_after_the_interval() -> None:
    assert Lane(cost=0.0).due() == 0.5


def test_a_lane_at_work_is_saved_when_that_is_a_fifth_of_its_work() -> None:
    lane = Lane()
    lane.take(100.3, busy=0.39)
    assert lane.due() > 0.5
    lane.take(100.4, busy=0.02)
    assert lane.due() == 0.5


def test_saves_of_all_lanes_take_a_twentieth_of_the_time_while_events_trickle_in() -> None:
    lane = Lane()
    for step in range(20):
        lane.take(100 + 0.4 * step, busy=0.001)
    assert lane.due() == pytest.approx(4 * COST / 0.05)


def test_a_lane_of_which_no_more_comes_is_saved_after_one_interval() -> None:
    lane = Lane()
    lane.take(103.0, busy=0.2)
    assert lane.due() == pytest.approx(3.5)


def test_what_comes_now_and_then_is_not_saved_each_time_where_that_costs_more_than_a_fifth() -> None:
    lane = Lane()
    lane.take(100.1)
    assert lane.due() == pytest.approx(4 * COST / 0.2)


def test_time_alone_is_saved_seldom() -> None:
    lane = Lane()
    lane.now = 120.0
    assert lane.due(only_ticks=True) == 30.0


def test_what_is_urgent_waits_for_as_long_as_the_last_cut_took() -> None:
    assert Lane().due(urgent=True) == pytest.approx(COST)


def test_no_save_waits_for_longer_than_the_worker_may() -> None:
    lane = Lane(most_seconds=2.0, cost=10.0)
    lane.take(101.9)
    assert lane.due() == 2.0
