import math
import random
from collections.abc import Callable
from statistics import fmean, variance
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.statistics.intervals import Interval, mean_upper_bound, rate_interval, rate_upper_bound

counts = st.integers(0, 10_000).flatmap(lambda n: st.tuples(st.integers(0, n), st.just(n)))
inflations = st.floats(1.0, 1e6)


@given(counts, inflations)
def test_the_interval_of_a_rate_holds_the_rate(count: tuple[int, int], inflation: float) -> None:
    events, n = count
    low, high = rate_interval(events, n, inflation=inflation)

    assert 0.0 <= low <= high <= 1.0
    if n:
        assert low - 1e-12 <= events / n <= high + 1e-12


@given(counts, inflations)
def test_the_interval_of_the_opposite_rate_is_its_mirror_image(count: tuple[int, int], inflation: float) -> None:
    events, n = count
    low, high = rate_interval(events, n, inflation=inflation)

    assert rate_interval(n - events, n, inflation=inflation) == pytest.approx((1.0 - high, 1.0 - low), abs=1e-9)


@given(counts, inflations, inflations)
def test_what_comes_in_longer_bursts_is_known_less_well(count: tuple[int, int], one: float, other: float) -> None:
    events, n = count
    less, more = sorted((one, other))

    assert rate_upper_bound(events, n, inflation=less) <= rate_upper_bound(events, n, inflation=more) + 1e-9


def test_nothing_seen_leaves_everything_possible() -> None:
    assert rate_interval(0, 0) == Interval(0.0, 1.0)
    assert rate_upper_bound(0, 0) == 1.0
    assert mean_upper_bound(0.0, 0.0, 0) == 1.0
    assert mean_upper_bound(0.0, 0.0, 50, inflation=50.0) == 1.0


@pytest.mark.parametrize("rate", [0.01, 0.1, 0.5, 0.9])
def test_the_upper_bound_of_a_rate_fails_no_more_often_than_stated(rate: float) -> None:
    """Exactly, by summing over every count that 60 outcomes can show."""
    n = 60
    failed = sum(
        math.comb(n, k) * rate**k * (1.0 - rate) ** (n - k) for k in range(n + 1) if rate_upper_bound(k, n) < rate
    )

    assert failed <= 0.05


def test_the_upper_bound_of_a_mean_fails_no_more_often_than_stated() -> None:
    rng = random.Random(3)
    failures = 0
    for _ in range(400):
        sample = [rng.betavariate(2, 18) for _ in range(100)]
        failures += mean_upper_bound(fmean(sample), variance(sample), len(sample)) < 0.1

    assert failures <= 20


def test_the_upper_bound_of_a_mean_closes_in_on_it() -> None:
    bounds = [mean_upper_bound(0.1, 0.01, n) for n in (100, 10_000, 1_000_000)]

    assert bounds == sorted(bounds, reverse=True)
    assert bounds[-1] == pytest.approx(0.1, abs=0.001)


@pytest.mark.parametrize(
    ("bound", "message"),
    [
        pytest.param(lambda: rate_interval(3, 2), "0 <= events <= n", id="more events than outcomes"),
        pytest.param(lambda: rate_upper_bound(-1, 2), "0 <= events <= n", id="negative events"),
        pytest.param(lambda: rate_upper_bound(math.nan, 2), "0 <= events <= n", id="events not a number"),
        pytest.param(lambda: rate_interval(1, 2, confidence=1.0), "confidence", id="certainty"),
        pytest.param(lambda: rate_interval(1, 2, inflation=0.5), "inflation", id="better than independent"),
        pytest.param(lambda: mean_upper_bound(1.5, 0.1, 9), "mean in", id="mean beyond one"),
        pytest.param(lambda: mean_upper_bound(0.5, -0.1, 9), "variance >= 0", id="negative variance"),
    ],
)
def test_a_question_without_an_answer_is_refused(bound: Callable[[], Any], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        bound()
