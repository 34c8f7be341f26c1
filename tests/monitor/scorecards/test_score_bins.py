"""Scores are counted alike one by one and many at once, and what is taken back leaves nothing."""

from __future__ import annotations

from hypothesis import given, settings
from hypothesis import strategies as st

from trueup.monitor.scorecards.score_bins import EDGES, FEW, MIDDLES, TENTHS, ScoreBins

scores = st.one_of(st.floats(0, 1), st.sampled_from((*EDGES, 0.0, 1.0, 1e-300, 1e-16, 1.0 - 1e-16)))
scored = st.lists(st.tuples(scores, st.booleans()), max_size=3 * FEW)


@given(scored)
@settings(max_examples=200)
def test_many_at_once_are_counted_bit_for_bit_as_one_by_one(made: list[tuple[float, bool]]) -> None:
    whole, single = ScoreBins(), ScoreBins()
    whole.add_all(made * 3)
    for one in made * 3:
        single.add_all([one])

    assert whole.snapshot() == single.snapshot()
    assert whole.n == 3 * len(made)


def test_more_than_floats_add_exactly_are_counted_bit_for_bit_too() -> None:
    whole, single = ScoreBins(), ScoreBins()
    made = [(0.999 - i * 1e-8, i % 3 == 0) for i in range(20_000)]
    whole.add_all(made)
    for one in made:
        single.add_all([one])

    assert whole.snapshot() == single.snapshot()


@given(scored, scored)
@settings(max_examples=100)
def test_what_is_taken_back_leaves_nothing(kept: list[tuple[float, bool]], gone: list[tuple[float, bool]]) -> None:
    bins, plain = ScoreBins(), ScoreBins()
    bins.add_all(gone)
    bins.add_all(kept)
    bins.add_all(gone, -1)
    plain.add_all(kept)

    assert {key: n for key, n in bins.by_bin.items() if n} == plain.by_bin
    assert (bins.by_tenth, bins.log_loss, bins.squared) == (plain.by_tenth, plain.log_loss, plain.squared)


@given(scored, scored, scored)
@settings(max_examples=100)
def test_a_merge_is_in_any_order_what_one_would_have_counted(
    first: list[tuple[float, bool]], second: list[tuple[float, bool]], third: list[tuple[float, bool]]
) -> None:
    parts = []
    for made in (first, second, third):
        parts.append(ScoreBins())
        parts[-1].add_all(made)
    forth, back, whole = ScoreBins(), ScoreBins(), ScoreBins()
    for part in parts:
        forth.merge(ScoreBins.restore(part.snapshot()))
    for part in reversed(parts):
        back.merge(part)
    whole.add_all(first + second + third)

    assert forth.snapshot() == back.snapshot() == whole.snapshot()


def test_every_bin_is_within_its_tenth_and_none_is_wider_than_a_hundredth() -> None:
    ends = [0.0, *EDGES, 1.0]
    for low, high, middle, tenth in zip(ends, ends[1:], MIDDLES, TENTHS, strict=False):
        assert tenth / 10 <= low < middle < high <= (tenth + 1) / 10 + 1e-12
        assert high - low <= 0.01 + 1e-12
