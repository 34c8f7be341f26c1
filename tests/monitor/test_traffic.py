"""Traffic that is made up otherwise than before is told, with the shares and since when; days that vary are not."""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, HOUR, T0, MonitorHarness, monitor_config, prediction
from trueup.monitor.join import Answer
from trueup.monitor.label_counts import LabelCounts
from trueup.monitor.traffic import Told, TrafficWatch

CARRIERS = "abcdef"
PER_DAY = 300
#: Day -> how much of the traffic each carrier has.
Weights = Callable[[int], Sequence[float]]


def as_ever(day: int) -> Sequence[float]:  # noqa: ARG001
    return (6, 5, 4, 3, 2, 0)


def from_day(first: int, weights: Sequence[float], *, until: int = 1_000) -> Weights:
    """Other traffic from this day on, for a while."""
    return lambda day: weights if first <= day < until else as_ever(day)


MORE_OF_E = (6, 5, 4, 3, 7, 0)
NO_MORE_D = (6, 5, 4, 0, 2, 0)
SOME_F = (6, 5, 4, 3, 2, 1)


def watched(
    weights: Weights, *, days: int = 90, seed: int = 1, restart: bool = False, vary: float = 0.2
) -> list[tuple[int, Told]]:
    """Day (the one that follows) -> what was told of those before it; days vary, and weekends are others."""
    rng = random.Random(seed)
    counts, watch, found = LabelCounts(["carrier"]), TrafficWatch(["carrier"]), []
    for day in range(days):
        own = [weight * rng.uniform(1 - vary, 1 + vary) for weight in weights(day)]
        own[0] *= 1.3 if day % 7 > 4 else 1.0
        counts.made = [answer(day, carrier) for carrier in rng.choices(CARRIERS, own, k=PER_DAY)]
        counts.count()
        found += [(day + 1, told) for told in watch.look(day + 1, counts)]
        if restart:
            watch = resumed(watch)
    return found


def answer(day: int, carrier: str) -> Answer:
    return "v1", 1, None, day * DAY, {"carrier": carrier}, None, None


def resumed(watch: TrafficWatch) -> TrafficWatch:
    again = TrafficWatch(["carrier"])
    again.restore(msgpack.unpackb(msgpack.packb(watch.changes()), strict_map_key=False))
    return again


@pytest.mark.parametrize(
    ("weights", "value", "is_new", "is_gone"),
    [
        pytest.param(MORE_OF_E, "e", False, False, id="more of one"),
        pytest.param(NO_MORE_D, "d", False, True, id="one is gone"),
        pytest.param(SOME_F, "f", True, False, id="one is new"),
    ],
)
@pytest.mark.parametrize("restart", [False, True])
def test_other_traffic_is_told_on_the_second_day_and_ends_once_it_is_as_before(
    weights: Sequence[float], value: str, *, is_new: bool, is_gone: bool, restart: bool
) -> None:
    #  day  0 ── as ever ── 30 ── other traffic ── 36 ── as ever ──
    (began, told), (ended, end) = watched(from_day(30, weights, until=36), restart=restart)
    first = told.shift.shares[0]

    assert (began, told.ended, ended, end.ended) == (32, False, 38, True)
    assert (told.shift.segment, told.shift.first_day) == ("carrier", 30)
    assert first.value == value
    assert (first.share_before == 0, first.share == 0) == (is_new, is_gone)
    assert first.share == pytest.approx(weights[CARRIERS.index(value)] / sum(weights), abs=0.06)
    assert told.shift.moved >= abs(first.share - first.share_before) / 2
    assert told.shift.p < 0.01


@pytest.mark.parametrize("seed", range(5))
def test_days_that_vary_and_weekends_are_no_other_traffic(seed: int) -> None:
    assert watched(as_ever, days=200, seed=seed) == []


def test_the_same_move_is_likelier_by_chance_where_days_vary() -> None:
    (_, steady), *_ = watched(from_day(30, MORE_OF_E), vary=0.0)
    (_, varied), *_ = watched(from_day(30, MORE_OF_E), vary=0.4)

    assert steady.shift.shares[0].value == varied.shift.shares[0].value == "e"
    assert varied.shift.shares[0].spread > 1.5 * steady.shift.shares[0].spread
    assert varied.shift.p > 10 * steady.shift.p


def test_a_share_that_now_and_then_is_far_off_is_not_told_of_when_it_is_so_twice() -> None:
    def bursts(day: int) -> Sequence[float]:
        return MORE_OF_E if day in (10, 30, 31) else as_ever(day)

    assert watched(bursts, vary=0.0) == []


def test_a_single_odd_day_is_not_told() -> None:
    assert watched(from_day(30, MORE_OF_E, until=31)) == []


def test_odd_days_of_one_value_and_of_another_confirm_nothing() -> None:
    def turns(day: int) -> Sequence[float]:
        return as_ever(day) if day < 30 else MORE_OF_E if day == 30 else SOME_F if day == 31 else as_ever(day)

    assert watched(turns) == []


def test_what_stays_so_for_two_weeks_is_how_it_is() -> None:
    told = watched(from_day(30, MORE_OF_E))
    back = watched(from_day(30, MORE_OF_E, until=75))

    assert [(day, one.ended) for day, one in told] == [(32, False), (44, True)]
    # Held against the traffic since then, what was as ever is other traffic.
    assert [(day, one.ended) for day, one in back[:3]] == [(32, False), (44, True), (77, False)]
    assert back[2][1].shift.shares[0].share < back[2][1].shift.shares[0].share_before


def test_too_few_days_and_too_few_predictions_say_nothing() -> None:
    assert watched(from_day(12, MORE_OF_E), days=16) == []
    counts, watch = LabelCounts(["carrier"]), TrafficWatch(["carrier"])
    for day in range(60):
        counts.made = [answer(day, "a" if day < 30 else "b") for _ in range(199)]
        counts.count()
        assert watch.look(day + 1, counts) == []


@given(st.lists(st.integers(0, 3), min_size=1, max_size=60))
@settings(deadline=None)
def test_days_looked_at_late_are_as_days_looked_at_in_time(skipped: list[int]) -> None:
    rng = random.Random(3)
    counts, late, in_time = LabelCounts(["carrier"]), TrafficWatch(["carrier"]), TrafficWatch(["carrier"])
    told: list[list[Any]] = [[], []]
    for day, skip in enumerate(skipped):
        weights = as_ever(day) if day < 25 else MORE_OF_E
        counts.made = [answer(day, carrier) for carrier in rng.choices(CARRIERS, weights, k=PER_DAY)]
        counts.count()
        told[0] += in_time.look(day + 1, counts)
        if not skip:
            told[1] += late.look(day + 1, counts)
    told[1] += late.look(len(skipped), counts)

    assert told[1] == told[0]
    assert late.changes() == in_time.changes()


def live(harness: MonitorHarness, days: Iterable[int], weights: Weights) -> None:
    rng = random.Random(4)
    for day in days:
        start = T0 + day * DAY
        harness.take("predictions", prediction(f"{day}", 1, at=start, segment={"carrier": "a"}))
        harness.tick(start + 1.5 * HOUR)
        for place, carrier in enumerate(rng.choices(CARRIERS, weights(day), k=PER_DAY)):
            made = prediction(f"{day}-{place}", 1, at=start + 12 * HOUR, segment={"carrier": carrier})
            harness.take("predictions", made)
        harness.tick(start + 13 * HOUR)


def test_the_monitor_signals_it_and_shows_it_until_it_ends() -> None:
    harness = MonitorHarness(monitor_config(model={"segments": ("carrier",)}))
    weights = from_day(20, MORE_OF_E, until=25)
    live(harness, range(23), weights)
    harness.restart()
    (signal,) = harness.signals("traffic_moved")
    (shown,) = harness.view()["traffic"]

    assert (signal["segment"], signal["since"], signal["ended"]) == ("carrier", T0 + 20 * DAY, False)
    assert signal["at"] == T0 + 22 * DAY + 1.5 * HOUR
    assert signal["values"][0]["value"] == "e"
    assert shown == {name: signal[name] for name in shown}

    live(harness, range(23, 28), weights)
    assert [one["ended"] for one in harness.signals("traffic_moved")] == [False, True]
    assert harness.view()["traffic"] == []


def test_a_segment_that_is_a_pair_of_names_is_looked_at_by_its_names_no_more_than_that() -> None:
    counts = LabelCounts(["carrier", "carrier x origin"])
    counts.made = [answer(1, "a")]
    counts.count()

    assert counts.made_of("carrier", 1) == Counter({"a": 1})
    assert counts.made_of("carrier x origin", 1) == counts.made_of("carrier", 2) == Counter()
