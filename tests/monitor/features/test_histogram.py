"""A histogram is the same in whatever order and runs its numbers came, merges, and stays small and close."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.monitor.features import histogram
from trueup.monitor.features.histogram import MOST_BUCKETS, Histogram

NUMBERS = st.lists(st.floats(allow_nan=False, allow_infinity=False) | st.integers(-5, 5).map(float), max_size=400)


def of(*runs: list[float]) -> Histogram:
    made = Histogram()
    for run in runs:
        made.add_all(run)
    return made


@given(NUMBERS, NUMBERS, st.randoms(use_true_random=False))
def test_order_runs_and_merging_change_nothing(one: list[float], other: list[float], rng: random.Random) -> None:
    whole = of([*one, *other])
    shuffled = [*one, *other]
    rng.shuffle(shuffled)
    merged = of(one)
    merged.merge(of(other))

    assert of(*[[value] for value in shuffled]).snapshot() == whole.snapshot()
    assert merged.snapshot() == whole.snapshot()
    assert Histogram.restore(whole.snapshot()).snapshot() == whole.snapshot()


@given(NUMBERS)
def test_it_is_bounded_and_counts_every_number_between_its_edges(values: list[float]) -> None:
    made = of(values)

    starts, ends, counts = made.edges()
    assert sum(counts) == made.n == len(values)
    assert len(counts) <= MOST_BUCKETS
    assert all(start <= end for start, end in zip(starts, ends, strict=True))
    assert starts == sorted(starts)


def test_one_by_one_reaches_the_bound_as_many_at_once_do(monkeypatch: pytest.MonkeyPatch) -> None:
    rng = random.Random(1)
    values = [rng.gauss(0, 10) for _ in range(3_000)]
    many = of(values)
    monkeypatch.setattr(histogram, "_MANY", 10**9)

    assert of(values).snapshot() == many.snapshot()
    assert len(many.counts) > MOST_BUCKETS / 4


def test_quantiles_are_within_a_few_hundredths_of_the_spread() -> None:
    rng = random.Random(2)
    values = sorted(rng.gauss(1_013, 7) for _ in range(20_000))
    made = of(values)

    for share in (0.01, 0.1, 0.5, 0.9, 0.99):
        assert made.quantile(share) == pytest.approx(values[int(share * len(values))], abs=0.5)


def test_a_mapped_histogram_is_that_of_the_mapped_numbers() -> None:
    rng = random.Random(3)
    fahrenheit = [rng.gauss(60, 10) for _ in range(5_000)]
    celsius = of(fahrenheit).mapped(5 / 9, -160 / 9)

    assert celsius.n == 5_000
    assert celsius.quantile(0.5) == pytest.approx((sorted(fahrenheit)[2_500] - 32) * 5 / 9, abs=0.3)


def test_what_lies_outside_is_counted() -> None:
    made = of([float(value) for value in range(100)])

    assert made.share_outside(10.0, 89.0) == pytest.approx(0.2)
    assert Histogram().share_outside(0.0, 1.0) == 0.0


@pytest.mark.parametrize("swapped", [False, True])
def test_a_coarse_and_a_fine_one_merge_into_what_all_would_be(swapped: bool) -> None:
    rng = random.Random(4)
    many, few = [rng.gauss(50, 9) for _ in range(2_000)], [rng.gauss(50, 9) for _ in range(20)]
    one, other = (few, many) if swapped else (many, few)
    merged = of(one)
    merged.merge(of(other))

    assert merged.snapshot() == of(many, few).snapshot()
