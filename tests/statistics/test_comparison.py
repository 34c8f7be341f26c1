import math
import random
from statistics import fmean

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.statistics.comparison import SequentialComparison, Verdict

differences = st.one_of(st.sampled_from([-1.0, 0.0, 1.0]), st.floats(-1.0, 1.0))
margins = st.floats(-0.5, 0.5)
mirrored: dict[Verdict, Verdict] = {"worse": "better", "better": "worse", "undecided": "undecided"}


def losses_differ(rng: random.Random, old: float, new: float) -> float:
    return float(rng.random() < new) - float(rng.random() < old)


@given(st.lists(differences, max_size=60), margins, st.floats(0.01, 0.9))
def test_exchanging_the_models_exchanges_the_verdict(ds: list[float], margin: float, alpha: float) -> None:
    comparison, exchanged = SequentialComparison(alpha, margin), SequentialComparison(alpha, -margin)
    for d in ds:
        comparison.update(d)
        exchanged.update(-d)

        assert exchanged.verdict == mirrored[comparison.verdict]
        assert exchanged.evidence_worse == comparison.evidence_better


@given(st.lists(differences, max_size=60), st.integers(0, 60), margins, st.floats(0.01, 0.9))
def test_a_restored_comparison_continues_identically(ds: list[float], cut: int, margin: float, alpha: float) -> None:
    whole, parts = SequentialComparison(alpha, margin), SequentialComparison(alpha, margin)
    for i, d in enumerate(ds):
        if i == cut:
            parts = SequentialComparison.restore(msgpack.unpackb(msgpack.packb(parts.snapshot())))
        whole.update(d)
        parts.update(d)

    assert parts.snapshot() == whole.snapshot()


@given(st.lists(differences, max_size=100), margins)
def test_the_wealth_is_the_mean_of_products(ds: list[float], margin: float) -> None:
    comparison = SequentialComparison(0.001, margin)
    bets = [0.005 * 120 ** (k / 11) for k in range(12)]
    wealth = [1.0] * 12
    for d in ds:
        wealth = [w * (1 + bet * (d - margin) / (1 + margin)) for w, bet in zip(wealth, bets, strict=True)]
        comparison.update(d)
        if comparison.verdict != "undecided":
            break

        assert comparison.evidence_worse == pytest.approx(fmean(wealth) * 0.001 / 2)


@pytest.mark.parametrize(
    ("old", "new", "margin", "verdict"),
    [
        pytest.param(0.10, 0.15, 0.0, "worse", id="five points worse"),
        pytest.param(0.15, 0.10, 0.0, "better", id="five points better"),
        pytest.param(0.10, 0.10, 0.05, "better", id="as good, where five points worse were accepted"),
        pytest.param(0.15, 0.14, -0.05, "worse", id="one point better, where a gain of five was asked"),
    ],
)
def test_a_difference_is_found(old: float, new: float, margin: float, verdict: Verdict) -> None:
    rng = random.Random(11)
    comparison = SequentialComparison(alpha=0.01, margin=margin)
    for _ in range(20_000):
        comparison.update(losses_differ(rng, old, new))

    assert comparison.verdict == verdict
    assert comparison.n < 10_000


def test_looking_at_every_event_is_wrong_no_more_often_than_stated() -> None:
    """And a z-test at the same level that is looked at as often is, which shows that this test can fail."""
    rng = random.Random(5)
    alpha, runs = 0.1, 200
    wrong = wrong_by_z = 0
    for _ in range(runs):
        comparison = SequentialComparison(alpha=alpha)
        z_test_decided = False
        total = squares = 0.0
        for _ in range(1_000):
            d = losses_differ(rng, 0.3, 0.3)
            comparison.update(d)
            total, squares = total + d, squares + d * d
            z_test_decided |= squares > 20.0 and abs(total) > 1.645 * math.sqrt(squares)
        wrong += comparison.verdict != "undecided"
        wrong_by_z += z_test_decided

    assert wrong <= alpha * runs
    assert wrong_by_z > 3 * alpha * runs


def test_a_verdict_stays_and_keeps_its_figures() -> None:
    comparison = SequentialComparison(alpha=0.1)
    while comparison.verdict == "undecided":
        comparison.update(1.0)
    decided = comparison.snapshot()
    for _ in range(1_000):
        comparison.update(-1.0)

    assert comparison.verdict == "worse"
    assert comparison.snapshot() == decided


def test_a_hundred_million_undecided_updates_leave_it_able_to_decide() -> None:
    """As many wins as losses cost each bet λ the factor 1 - λ² per pair: most wealths are far below any double."""
    comparison = SequentialComparison(alpha=0.01)
    for _ in range(10):
        comparison.update(1.0)
        comparison.update(-1.0)
    snapshot = comparison.snapshot()
    for side in ("log_worse", "log_better"):
        snapshot[side] = [value * 5_000_000 for value in snapshot[side]]
    comparison = SequentialComparison.restore(snapshot)
    assert max(snapshot["log_worse"]) < -1_000
    assert comparison.evidence_worse == 0.0

    for _ in range(400_000):
        comparison.update(1.0)

    assert comparison.verdict == "worse"


@pytest.mark.parametrize("d", [1.5, -1.5, math.nan, math.inf])
def test_what_is_no_difference_of_losses_is_refused(d: float) -> None:
    comparison = SequentialComparison()
    with pytest.raises(ValueError, match="difference of losses"):
        comparison.update(d)
    assert comparison.n == 0


@pytest.mark.parametrize(
    ("alpha", "margin", "message"),
    [
        pytest.param(0.0, 0.0, "alpha", id="never wrong"),
        pytest.param(1.0, 0.0, "alpha", id="always wrong"),
        pytest.param(0.01, 0.6, "margin", id="a margin too wide"),
        pytest.param(0.01, math.nan, "margin", id="a margin that is no number"),
    ],
)
def test_a_question_without_an_answer_is_refused(alpha: float, margin: float, message: str) -> None:
    with pytest.raises(ValueError, match=message):
        SequentialComparison(alpha, margin)
