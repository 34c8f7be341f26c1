import random
from statistics import fmean

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.statistics.paired_outcomes import PairedOutcomes

outcomes = st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans()), max_size=60)


@given(outcomes)
def test_pairs_equal_the_naive_recomputation(stream: list[tuple[float, bool]]) -> None:
    pairs = PairedOutcomes()
    old: list[float] = []
    new: list[float] = []
    for loss, is_new in stream:
        (new if is_new else old).append(loss)
        d = pairs.update(loss, new=is_new)
        if not old or not new:
            assert d is None
            continue
        assert d == pytest.approx(fmean(new) - fmean(old))
        assert d is not None
        assert -1.0 <= d <= 1.0
        old, new = [], []


@given(outcomes, st.integers(0, 60))
def test_restored_pairs_continue_identically(stream: list[tuple[float, bool]], cut: int) -> None:
    whole, parts = PairedOutcomes(), PairedOutcomes()
    for i, (loss, is_new) in enumerate(stream):
        if i == cut:
            parts = PairedOutcomes.restore(msgpack.unpackb(msgpack.packb(parts.snapshot())))
        assert parts.update(loss, new=is_new) == whole.update(loss, new=is_new)

    assert parts.snapshot() == whole.snapshot()


def test_a_small_share_of_traffic_gives_a_fair_difference() -> None:
    rng = random.Random(9)
    pairs = PairedOutcomes()
    ds = []
    for _ in range(100_000):
        is_new = rng.random() < 0.1
        d = pairs.update(float(rng.random() < (0.15 if is_new else 0.10)), new=is_new)
        if d is not None:
            ds.append(d)

    assert len(ds) == pytest.approx(100_000 / (1 / 0.1 + 1 / 0.9 - 1), rel=0.03)
    assert fmean(ds) == pytest.approx(0.05, abs=0.015)


@pytest.mark.parametrize("loss", [-0.1, 1.1, float("nan")])
def test_what_is_no_loss_is_refused(loss: float) -> None:
    with pytest.raises(ValueError, match="a loss lies in"):
        PairedOutcomes().update(loss, new=True)
