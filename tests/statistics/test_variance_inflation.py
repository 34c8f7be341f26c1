import random
from collections import defaultdict
from statistics import fmean, median, variance

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.statistics.variance_inflation import SECONDS_PER_DAY, DependentSample

values = st.one_of(st.sampled_from([0.0, 1.0]), st.floats(0.0, 1.0))
# Steps of up to 20 hours, so that days fill up, stay nearly empty, or are skipped.
steps = st.one_of(st.none(), st.floats(0.0, 72_000.0))


def naive_blocks(xs: list[float]) -> list[tuple[float, int, float]]:
    found = []
    size = 2
    while len(xs) // size >= 10:
        means = [fmean(xs[i : i + size]) for i in range(0, len(xs) - size + 1, size)]
        found.append((float(size), len(means), variance(means)))
        size *= 2
    return found


def naive_days(xs: list[float], times: list[float]) -> list[tuple[float, int, float]]:
    days: dict[float, list[float]] = defaultdict(list)
    for x, at in zip(xs, times, strict=True):
        days[at // SECONDS_PER_DAY].append(x)
    if len(days) < 10:
        return []
    least = 0.3 * median(len(day) for day in days.values())
    full = [day for day in days.values() if len(day) >= least]
    if len(full) < 10:
        return []
    return [(fmean(len(day) for day in full), len(full), variance([fmean(day) for day in full]))]


@given(st.lists(values, min_size=2, max_size=400))
def test_streaming_variances_of_blocks_equal_the_naive_recomputation(xs: list[float]) -> None:
    sample = DependentSample()
    for x in xs:
        sample.update(x)

    assert sample.mean == pytest.approx(fmean(xs))
    assert sample.variance == pytest.approx(variance(xs), abs=1e-12)
    for ours, theirs in zip(sample.block_variances(), naive_blocks(xs), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-12)


@given(st.integers(0, 2**32), st.integers(1, 40), st.floats(600.0, 40_000.0))
def test_streaming_variances_of_days_equal_the_naive_recomputation(seed: int, n_days: int, pace: float) -> None:
    rng = random.Random(seed)
    at = rng.uniform(0.0, 1e9)
    xs: list[float] = []
    times: list[float] = []
    while not times or times[-1] < times[0] + n_days * SECONDS_PER_DAY:
        at += rng.expovariate(1.0 / pace)
        times.append(at)
        xs.append(float(rng.random() < 0.3))
    sample = DependentSample()
    for x, at in zip(xs, times, strict=True):
        sample.update(x, at)

    of_days = sample.block_variances()[len(naive_blocks(xs)) :]
    for ours, theirs in zip(of_days, naive_days(xs, times), strict=True):
        assert ours == pytest.approx(theirs, abs=1e-12)


@given(st.lists(st.tuples(values, steps), max_size=80), st.integers(0, 80))
def test_a_restored_sample_continues_identically(stream: list[tuple[float, float | None]], cut: int) -> None:
    whole, parts = DependentSample(), DependentSample()
    at = 1e9
    for i, (x, step) in enumerate(stream):
        at += step or 0.0
        if i == cut:
            parts = DependentSample.restore(msgpack.unpackb(msgpack.packb(parts.snapshot())))
        whole.update(x, None if step is None else at)
        parts.update(x, None if step is None else at)

    assert parts.snapshot() == whole.snapshot()
    assert parts.inflation() == whole.inflation()


def test_independent_values_are_worth_their_number() -> None:
    rng = random.Random(1)
    sample = DependentSample()
    for _ in range(10_000):
        sample.update(float(rng.random() < 0.1))

    assert sample.inflation() == 1.0


def test_an_answer_repeated_twenty_times_is_one_answer() -> None:
    rng = random.Random(2)
    sample = DependentSample()
    for _ in range(2_000):
        x = float(rng.random() < 0.1)
        for _ in range(20):
            sample.update(x)

    assert 20.0 <= sample.inflation() <= 30.0


def test_days_show_bursts_that_powers_of_two_cannot() -> None:
    """A hundred labels a day, all of a day alike: in twelve days there are ten blocks of 64, and not of any longer."""
    rng = random.Random(3)
    with_days, without = DependentSample(), DependentSample()
    for day in range(12):
        x = float(rng.random() < 0.5)
        for i in range(100):
            with_days.update(x, day * SECONDS_PER_DAY + 60.0 * i)
            without.update(x)

    assert with_days.inflation() > 1.5 * without.inflation()


def test_time_that_goes_back_counts_to_the_last_day() -> None:
    sample = DependentSample()
    for day in (5.5, 2.0, 6.5, 6.0):
        sample.update(1.0, day * SECONDS_PER_DAY)

    assert (sample.first_at, sample.last_at) == (5.5 * SECONDS_PER_DAY, 6.5 * SECONDS_PER_DAY)
    assert sample.snapshot()["days"] == [[2, 2.0], [2, 2.0]]


def test_the_state_of_a_slow_model_stays_small() -> None:
    sample = DependentSample()
    for day in range(3_000):
        sample.update(0.5, day * float(SECONDS_PER_DAY))

    assert len(sample.snapshot()["days"]) == 366
    assert len(sample.snapshot()["levels"]) == 12


def test_a_constant_stream_tells_nothing_about_bursts() -> None:
    sample = DependentSample()
    for _ in range(1_000):
        sample.update(0.0)

    assert (sample.variance, sample.inflation()) == (0.0, 1.0)
