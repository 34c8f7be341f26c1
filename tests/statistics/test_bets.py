from itertools import pairwise

import pytest

from trueup.statistics.bets import geometric_bets


def test_each_bet_is_the_same_factor_above_the_one_before() -> None:
    bets = geometric_bets(0.005, 0.6, 12)

    factors = [high / low for low, high in pairwise(bets)]
    assert factors == pytest.approx([factors[0]] * 11)
    assert (bets[0], bets[-1]) == (0.005, 0.6)


def test_a_single_bet_is_the_boldest() -> None:
    assert geometric_bets(0.1, 0.5, 1) == (0.5,)


@pytest.mark.parametrize(
    ("low", "high", "count"),
    [
        pytest.param(0.0, 0.5, 3, id="a bet of nothing"),
        pytest.param(0.6, 0.5, 3, id="an empty range"),
        pytest.param(0.1, 0.5, 0, id="no bet"),
        pytest.param(float("nan"), 0.5, 3, id="not a number"),
    ],
)
def test_a_grid_that_cannot_be_is_refused(low: float, high: float, count: int) -> None:
    with pytest.raises(ValueError, match="a grid needs"):
        geometric_bets(low, high, count)
