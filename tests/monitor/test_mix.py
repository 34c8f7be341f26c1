"""A rise is told apart: what comes from other traffic, and what from more errors on the same."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.monitor.breakdown import LOSS_UNITS, Breakdown, Counts
from trueup.monitor.mix import Decomposition, decompose

COUNTED = st.dictionaries(
    st.sampled_from("abcdef"),
    st.integers(1, 1_000).flatmap(lambda n: st.integers(0, n * LOSS_UNITS).map(lambda lost: [n, lost])),
    min_size=1,
)


def of(**values: tuple[int, float]) -> dict[str, Counts]:
    """Value -> how many outcomes, and their mean loss."""
    return {value: [n, round(n * mean * LOSS_UNITS)] for value, (n, mean) in values.items()}


def found(before: dict[str, Counts], now: dict[str, Counts], inflation: float = 1.0) -> Decomposition:
    decomposition = decompose(before, now, inflation=inflation)
    assert decomposition is not None
    return decomposition


def test_more_of_what_was_always_bad_is_mix_alone() -> None:
    rise = found(of(a=(900, 0.1), b=(100, 0.5)), of(a=(500, 0.1), b=(500, 0.5)))

    assert rise.rise == pytest.approx(0.16)
    assert rise.mix == pytest.approx(0.16)
    assert rise.within == pytest.approx(0.0)


def test_more_errors_on_the_same_traffic_are_within_and_name_the_value() -> None:
    rise = found(of(a=(900, 0.1), b=(100, 0.1)), of(a=(900, 0.1), b=(100, 0.6)))

    assert rise.mix == pytest.approx(0.0)
    assert rise.parts[0].value == "b"
    assert rise.parts[0].within == pytest.approx(0.05)


def test_what_a_new_value_loses_more_than_the_mean_is_within() -> None:
    rise = found(of(a=(1_000, 0.1)), of(a=(500, 0.1), new=(500, 0.5)))

    assert rise.mix == pytest.approx(0.0)
    assert rise.within == pytest.approx(0.2)


def test_dependent_outcomes_make_the_mix_less_certain() -> None:
    before, now = of(a=(900, 0.1), b=(100, 0.5)), of(a=(500, 0.1), b=(500, 0.5))

    assert found(before, now, inflation=25.0).mix_error == pytest.approx(5 * found(before, now).mix_error)


@given(COUNTED, COUNTED)
def test_the_parts_are_the_whole(before: dict[str, Counts], now: dict[str, Counts]) -> None:
    rise = found(before, now)

    assert rise.mix + rise.within == pytest.approx(rise.rise, abs=1e-9)
    assert sum(part.mix + part.within for part in rise.parts) == pytest.approx(rise.rise, abs=1e-9)


def test_nothing_before_or_nothing_now_explains_nothing() -> None:
    assert decompose({}, of(a=(10, 0.1))) is None
    assert decompose(of(a=(10, 0.1)), {}) is None


@given(
    st.lists(st.tuples(st.sampled_from(["a", "b", "c", "d", None]), st.floats(0, 1)), max_size=60), st.integers(0, 60)
)
def test_a_breakdown_is_the_same_however_the_outcomes_are_cut(
    outcomes: list[tuple[str | None, float]], cut: int
) -> None:
    whole, parts = Breakdown(2), Breakdown(2)
    whole.add_all([value for value, _ in outcomes], [loss for _, loss in outcomes])
    for value, loss in outcomes[:cut]:
        parts.add(value, loss)
    resumed = Breakdown(2)
    resumed.restore(parts.snapshot())
    resumed.add_all([value for value, _ in outcomes[cut:]], [loss for _, loss in outcomes[cut:]])

    assert resumed.snapshot() == whole.snapshot()


def test_a_breakdown_reaches_back_by_hours_for_a_day_and_by_days_beyond() -> None:
    counts = Breakdown(10)
    for hour in range(24 * 40):
        counts.add("a", 1.0)
        counts.close(hour)
    counts.add("a", 0.0)
    last = 24 * 40 - 1

    assert counts.since(last * 3_600.0) == {"a": [2, LOSS_UNITS]}
    assert counts.since((last - 47) * 3_600.0) == {"a": [49, 48 * LOSS_UNITS]}  # two whole days and the open hour
    assert len(counts.by_day(0)) == 35
