"""A fall in one part of the traffic is found and named; calm ones, with bursts too, call no more than the budget."""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Sequence
from typing import Any, NamedTuple

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.monitor.breakdown import LOSS_UNITS, Breakdown
from trueup.monitor.budget import SECONDS_PER_MONTH
from trueup.monitor.config import ModelConfig
from trueup.monitor.segment_inflation import inflations_of
from trueup.monitor.segment_rises import Found
from trueup.monitor.segment_watch import SegmentWatch
from trueup.monitor.watched import Watched, bound_of

CONFIG = ModelConfig(task="binary", segments=("carrier",), reference_labels=2_000, reference_days=12.0)
CARRIERS = "abcdefgh"
PAGES_PER_MONTH = 1.0
#: Carrier and day -> error rate.
Rate = Callable[[str, int], float]


class Hour(NamedTuple):
    """The outcomes of one hour."""

    carriers: list[str]
    losses: list[float]

    def into(self, watch: SegmentWatch) -> None:
        """Each earns the same of the hour's budget."""
        budget = PAGES_PER_MONTH * 3_600 / SECONDS_PER_MONTH / max(1, len(self.losses))
        given = [{"carrier": carrier} for carrier in self.carriers]
        watch.add_all(given, [1] * len(given), self.losses, [budget] * len(given))


def hours(rate: Rate, *, days: int, per_hour: int = 30, seed: int = 1) -> list[Hour]:
    rng = random.Random(seed)
    found = []
    for hour in range(24 * days):
        carriers = rng.choices(CARRIERS, k=per_hour)
        found.append(Hour(carriers, [float(rng.random() < rate(carrier, hour // 24)) for carrier in carriers]))
    return found


def watched(stretch: Sequence[Hour], watch: SegmentWatch | None = None) -> list[tuple[int, Found]]:
    """Day -> what was found at the end of one of its hours."""
    watch = watch or SegmentWatch(CONFIG, 100)
    found = []
    for hour, outcomes in enumerate(stretch):
        outcomes.into(watch)
        told = watch.close(hour, hour + 1, inflation=1.0)
        if told is not None:
            found.append((hour // 24, told))
    return found


def test_one_carrier_that_falls_is_named_with_its_figures_and_ends_when_it_is_back() -> None:
    #  day   0 ──── reference ──── 12 ─── calm ─── 20 ── "c" at 45 % ── 26 ──── calm again ────
    found = watched(hours(lambda carrier, day: 0.45 if carrier == "c" and 20 <= day < 26 else 0.1, days=40))
    (first_day, first), (last_day, last) = found
    (rise,) = first.rises

    assert (rise.segment, rise.value, rise.fired, first.pages, first.ended) == ("carrier", "c", True, True, False)
    assert 20 <= first_day <= 21
    assert 19.5 <= rise.changed_at / 86_400 <= 21
    assert rise.mean == pytest.approx(0.45, abs=0.1)
    assert rise.mean_before == pytest.approx(0.1, abs=0.03)
    assert rise.bound > rise.mean_before
    assert last.ended
    assert list(last.rises) == []
    assert 27 <= last_day <= 29


def test_carriers_that_rise_together_are_a_matter_of_the_whole_model_and_of_none_of_them() -> None:
    together = watched(hours(lambda _, day: 0.1 if day < 20 else 0.4, days=40))
    but_one = watched(hours(lambda carrier, day: 0.1 if day < 20 or carrier == "c" else 0.4, days=40))

    assert together == []
    assert "c" not in {rise.value for _, told in but_one for rise in told.rises}


def test_that_the_others_got_better_is_no_fall() -> None:
    assert watched(hours(lambda carrier, day: 0.3 if day < 20 or carrier == "c" else 0.05, days=40)) == []


def test_what_stays_bad_is_told_once_and_what_is_gone_ends_after_a_week() -> None:
    stretch = hours(lambda carrier, day: 0.6 if carrier == "c" and day >= 20 else 0.1, days=45)
    gone = [
        outcomes
        if hour < 24 * 30
        else Hour(["a" if carrier == "c" else carrier for carrier in outcomes.carriers], [0.0] * 30)
        for hour, outcomes in enumerate(stretch)
    ]

    assert [told.ended for _, told in watched(stretch)] == [False]
    assert [(day, told.ended) for day, told in watched(gone)][1:] == [(36, True)]


@pytest.mark.parametrize("storms", [pytest.param(0.0, id="independent"), pytest.param(0.3, id="stormy days")])
def test_calm_segments_call_no_more_than_their_part_of_the_budget(storms: float) -> None:
    """A quarter of one a month: in 6 x 88 days, 4.3 are allowed on average. 9 or more of a Poisson of that: 3 %."""
    calls = 0
    for seed in range(6):
        rng = random.Random(100 + seed)
        stormy = [rng.random() < 0.15 for _ in range(100)]
        own = {carrier: rng.uniform(0.05, 0.2) for carrier in CARRIERS}
        stretch = hours(lambda c, day: own[c] + storms * stormy[day], days=100, per_hour=20, seed=seed)  # noqa: B023
        calls += sum(bool(told.rises) for _, told in watched(stretch))

    assert calls <= 8


def grows(seed: int, rate: Rate) -> list[Hour]:
    """Eight carriers, of which one makes up four of five outcomes from day 30 on.

    day   0 ──── reference ──── 12 ──── an eighth each ──── 30 ──── "a": 80 % ──── 50
    """
    rng = random.Random(seed)
    found = []
    for hour in range(24 * 50):
        others = CARRIERS if hour < 24 * 30 else CARRIERS[:1] * 28 + CARRIERS[1:]
        carriers = rng.choices(others, k=40)
        found.append(Hour(carriers, [float(rng.random() < rate(carrier, hour // 24)) for carrier in carriers]))
    return found


def test_outcomes_beyond_those_of_a_usual_day_are_weighed_as_those_of_one_storm() -> None:
    def evidence(a_day: float) -> list[float]:
        value = Watched(n=1_400, mean=0.1, mean_of_rest=0.1, inflation=20.0, m=0.12, a_day=a_day)
        found = []
        for hour in range(10):
            value.waits = [50, 15 * LOSS_UNITS, 400, 40 * LOSS_UNITS]
            value.weigh(1e-4, hour * 3_600.0)
            found.append(value.evidence)
        return found

    usual, grown, not_known = evidence(500.0), evidence(100.0), evidence(0.0)
    assert usual == not_known
    assert grown[:2] == usual[:2]
    assert all(fewer < more for fewer, more in zip(grown[2:], usual[2:], strict=True))
    # 500 outcomes where 100 are usual: the last are worth a fifth.
    assert math.log(grown[-1] / grown[-2]) < 0.5 * math.log(usual[-1] / usual[-2])


def test_a_carrier_that_comes_to_make_up_most_of_the_traffic_and_gets_worse_is_found() -> None:
    (day, found), *_ = watched(grows(1, lambda carrier, day: 0.3 if carrier == "a" and day >= 30 else 0.1))

    assert [rise.value for rise in found.rises] == ["a"]
    assert 30 <= day <= 33


def test_a_segment_does_not_call_between_an_alarm_about_all_and_the_next_reference() -> None:
    watch = SegmentWatch(CONFIG, 100)
    stretch = hours(lambda carrier, day: 0.6 if carrier == "c" and day >= 14 else 0.1, days=18)
    before = watched(stretch[: 14 * 24], watch)
    watch.start_anew(14 * 86_400.0)
    told = []
    for hour, outcomes in enumerate(stretch[14 * 24 :], start=14 * 24):
        outcomes.into(watch)
        told.append(watch.close(hour, hour + 1, inflation=1.0))

    assert before == []
    assert [found.pages for found in told if found is not None] == [False]


def test_a_rise_of_all_is_explained_by_the_segment_that_tells_most_of_the_mix() -> None:
    watch = SegmentWatch(CONFIG, 100)
    rng = random.Random(5)
    for hour in range(24 * 20):
        weights = [1.0] * 7 + [1.0 if hour < 24 * 16 else 20.0]
        carriers = rng.choices(CARRIERS, weights, k=30)
        Hour(carriers, [float(rng.random() < (0.6 if carrier == "h" else 0.1)) for carrier in carriers]).into(watch)
        watch.close(hour, hour + 1, inflation=1.0)
    (segment, by_carrier), (label, by_label) = watch.explain(16 * 86_400.0, inflation=1.0)

    assert (segment, label) == ("carrier", "prediction")
    assert by_carrier.mix > 0.9 * by_carrier.rise > 0.1
    assert by_label.mix == pytest.approx(0.0)
    assert by_carrier.parts[0].value == "h"


def test_a_fall_by_five_points_in_a_tenth_of_the_traffic_is_found_within_a_month() -> None:
    """Of 2,000 outcomes a day at 20 %, after a month of calm: 39 of 40 simulated streams were."""
    config = CONFIG.model_copy(update={"reference_days": 14.0, "reference_labels": 10_000})
    found = []
    for seed in range(6):
        rng, watch = random.Random(seed), SegmentWatch(config, 100)
        for hour in range(0, 24 * 75, 3):
            rates = [0.25 if one == 0 and hour >= 24 * 45 else 0.2 for one in range(10)]
            for one, rate in enumerate(rates):
                lost = sum(rng.random() < rate for _ in range(25))
                counted = [float(at < lost) for at in range(25)]
                watch.add_all([{"carrier": str(one)}] * 25, [1] * 25, counted, [0.0001 / 25] * 25)
            told = watch.close(hour + 2, hour + 3, inflation=1.0)
            if told is not None and told.rises:
                found.append((seed, told.rises[0].value, hour >= 24 * 45))
                break

    assert {(value, after) for _, value, after in found} == {("0", True)}
    assert len(found) >= 5


def grown(
    rate: Callable[[int], float], rest: Callable[[int], float] = lambda _: 0.1, *, days: int, tolerance: float = 0.01
) -> Watched:
    """A value with 100 outcomes a day of 1,000, 10 % of them lost in its first two weeks, at the end of these days."""
    watched = Watched(1_400, 0.1, 0.1, 1.0, bound_of(0.1, 1_400, inflation=1.0, tolerance=tolerance))
    watched.n_of_rest, watched.until_day, watched.most_apart = 12_600, 14, watched.m - 0.1
    breakdown = Breakdown(10)
    for day in range(14, 14 + days):
        for value, n, lost in (("c", 100, 100 * rate(day)), ("a", 900, 900 * rest(day))):
            breakdown.add(value, 1.0, round(lost))
            breakdown.add(value, 0.0, n - round(lost))
        counts, others = breakdown.open["c"], breakdown.open["a"]
        watched.waits = [*counts, *others]
        breakdown.close(24 * day + 23)
        watched.weigh(0.0001, (day + 1) * 86_400.0)
        watched.end_day(counts, (day + 1) * 86_400.0)
        watched.grow(breakdown, "c", tolerance)
    return watched


def test_calm_days_join_the_reference_and_tighten_the_bound() -> None:
    first, later = grown(lambda _: 0.1, days=0), grown(lambda _: 0.1, days=28)

    assert (later.n, later.n_of_rest) == (1_400 + 2_800, 12_600 + 25_200)
    assert later.mean == pytest.approx(0.1)
    assert later.m == pytest.approx(bound_of(0.1, 4_200, inflation=1.0, tolerance=0.01))
    assert later.m < first.m - 0.003


def test_the_days_of_a_rise_do_not_join_the_reference_not_even_after_it() -> None:
    risen = grown(lambda day: 0.3 if 20 <= day < 25 else 0.1, days=30)

    assert not risen.risen  # it is over
    assert risen.mean == pytest.approx(0.1)
    assert 1_400 + 1_500 <= risen.n < 1_400 + 3_000 - 500


def test_a_slow_rise_does_not_carry_its_bound_along() -> None:
    slow = grown(lambda day: 0.1 + 0.002 * (day - 14), days=60)

    assert slow.risen
    assert slow.m <= grown(lambda _: 0.1, days=0).m


def test_what_slowly_befalls_all_of_the_traffic_moves_the_bound_of_a_value_with_it() -> None:
    both = grown(lambda day: 0.1 + 0.004 * (day - 14), lambda day: 0.1 + 0.004 * (day - 14), days=30)

    assert not both.risen
    assert both.evidence < 0.1


def test_a_reference_saved_before_references_grew_stays_as_it_is() -> None:
    before = grown(lambda _: 0.1, days=0)
    restored = Watched(*before.snapshot()[:-6])
    restored.changed_at = 30 * 86_400.0
    restored.grow(Breakdown(10), "c", 0.01)

    assert (restored.n, restored.m, restored.until_day) == (before.n, before.m, 0)


def test_a_storm_that_blows_over_makes_the_next_one_less_of_a_surprise() -> None:
    def rate(carrier: str, day: int) -> float:
        return 0.5 if carrier == "c" and day in (20, 30, 40, 50) else 0.1

    def risen(watch: SegmentWatch) -> int:
        return sum(bool(told.rises) for _, told in watched(stretch, watch))

    stretch = hours(rate, days=56)
    forgetful = SegmentWatch(CONFIG, 100)
    forgetful._met_storm = lambda *_: None  # type: ignore[method-assign]

    assert risen(forgetful) == 4
    assert risen(SegmentWatch(CONFIG, 100)) < 4


def test_that_the_rest_varies_too_is_known_and_days_of_chance_are_no_storm() -> None:
    rng = random.Random(8)
    days = [
        {value: [200, sum(rng.random() < 0.2 for _ in range(200)) * LOSS_UNITS] for value in "ab"} for _ in "x" * 30
    ]
    by_chance = inflations_of(days, otherwise=9.0)

    assert by_chance == {"a": pytest.approx(2.0), "b": pytest.approx(2.0)}
    assert inflations_of(days[:9], otherwise=9.0) == {"a": 9.0, "b": 9.0}


LOSSES = st.one_of(st.sampled_from((0.0, 1.0)), st.floats(0, 1))
OUTCOMES = st.tuples(st.sampled_from("abc"), st.sampled_from((True, 0, "x", 2.5, None)), LOSSES)
LIFE = st.lists(st.tuples(st.lists(OUTCOMES, max_size=6), st.integers(1, 30)), max_size=12)
SMALL = CONFIG.model_copy(update={"reference_labels": 200, "reference_days": 0.0, "segments": ("carrier",)})


def live(
    watch: SegmentWatch, life: Sequence[tuple[Any, int]], *, hour: int, run: bool
) -> tuple[list[Found | None], int]:
    """Hours of these outcomes, each many times over, folded in as runs or one by one."""
    found = []
    for outcomes, more in life:
        many = [outcome for outcome in outcomes for _ in range(20 * more)]
        rows = [({"carrier": carrier}, label, loss, 0.001) for carrier, label, loss in many]
        if run and rows:
            segments, labels, losses, budgets = zip(*rows, strict=True)
            watch.add_all(segments, labels, losses, budgets)
        else:
            for row in rows:
                watch.add(*row)
        found.append(watch.close(hour, hour + more, inflation=2.0))
        hour += more
    return found, hour


def resumed(watch: SegmentWatch) -> SegmentWatch:
    again = SegmentWatch(SMALL, 2)
    opened, closed = msgpack.unpackb(msgpack.packb([watch.snapshot(), watch.closed_snapshot()]), strict_map_key=False)
    again.restore(opened)
    again.restore_closed(closed)
    return again


@given(LIFE, LIFE, st.booleans())
@settings(deadline=None)
def test_it_goes_on_from_what_was_saved_and_runs_are_as_events_one_by_one(
    before: list[Any], after: list[Any], run: bool
) -> None:
    whole, parts = SegmentWatch(SMALL, 2), SegmentWatch(SMALL, 2)
    first, hour = live(whole, before, hour=0, run=True)
    assert live(parts, before, hour=0, run=run)[0] == first
    parts.start_anew(hour * 3_600.0)
    whole.start_anew(hour * 3_600.0)
    parts = resumed(parts)

    assert live(parts, after, hour=hour, run=run) == live(whole, after, hour=hour, run=True)
    assert parts.snapshot() == whole.snapshot()
    assert parts.closed_snapshot() == whole.closed_snapshot()
    assert parts.explain(0.0, inflation=2.0) == whole.explain(0.0, inflation=2.0)
