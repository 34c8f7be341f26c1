"""A profile counts each value once, by its type, and merges."""

from __future__ import annotations

from math import inf, nan
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from trueup.monitor.features.profile import MOST_CATEGORIES, Profile
from trueup.monitor.segments import OTHER

VALUES: st.SearchStrategy[list[Any]] = st.lists(
    st.none() | st.booleans() | st.floats() | st.integers(-(2**63), 2**63) | st.text(max_size=80) | st.just([]),
    max_size=60,
)


def of(*runs: list[Any]) -> Profile:
    made = Profile()
    for run in runs:
        made.add_all(run)
    return made


@given(VALUES, VALUES)
def test_runs_merging_and_restoring_change_nothing(one: list[Any], other: list[Any]) -> None:
    whole = of([*one, *other])
    merged = of(one)
    merged.merge(of(other))

    assert of(*[[value] for value in (*one, *other)]).snapshot() == whole.snapshot()
    assert merged.snapshot() == whole.snapshot()
    assert Profile.restore(whole.snapshot()).snapshot() == whole.snapshot()


@given(VALUES)
def test_every_value_is_counted_once(values: list[Any]) -> None:
    made = of(values)

    assert made.n == len(values) == made.missing + sum(made.kinds.values())


def test_types_are_told_apart_and_odd_numbers_are_missing() -> None:
    made = of([1, 2.5, "a", True, None, nan, inf, "a"])

    assert made.kinds == {"number": 2, "text": 2, "truth value": 1}
    assert made.missing == 3
    assert made.categories == {"a": 2, "true": 1}


def test_texts_beyond_the_cap_are_one() -> None:
    made = of([f"v{i}" for i in range(MOST_CATEGORIES + 7)])

    assert len(made.categories) == MOST_CATEGORIES + 1
    assert made.categories[OTHER] == 7


def test_a_long_text_is_held_short_and_told_apart() -> None:
    made = of(["x" * 8_000 + "a", "x" * 8_000 + "b"])

    assert len(made.categories) == 2
    assert all(len(value) < 70 for value in made.categories)


def test_the_only_value_is_known() -> None:
    assert of([3.9] * 5, [None]).only_value == "3.9"
    assert of(["red"] * 5).only_value == "red"
    assert of([3.9, 4.0]).only_value is None
    assert of([None]).only_value is None
