import random

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.statistics.calibration import (
    CELLS,
    LABELLED,
    POSITIVE,
    PREDICTIONS,
    Calibration,
    actual_quality,
    key_of,
    surer_is_worse,
)

Row = tuple[float, bool, bool]
rows = st.lists(st.tuples(st.floats(0.0, 1.0), st.booleans(), st.booleans()), min_size=1, max_size=80)


def counts(rows: list[Row]) -> dict[int, int]:
    """All predictions, (score, predicted, true), with their truth."""
    found: dict[int, int] = {}
    for score, predicted, true in rows:
        key = key_of(score, predicted=predicted)
        for kind in (PREDICTIONS, LABELLED, POSITIVE) if true else (PREDICTIONS, LABELLED):
            found[key + kind] = found.get(key + kind, 0) + 1
    return found


def sample(rng: random.Random, n: int, *, shift: float = 1.0, concept: float = 1.0) -> list[Row]:
    """Scores that are too sure of themselves: the truth is positive with the square of the score, times `concept`."""
    found = []
    for _ in range(n):
        score = rng.random() ** shift
        found.append((score, score >= 0.5, rng.random() < concept * score * score))
    return found


@given(st.floats(0.0, 1.0), st.floats(0.0, 1.0), st.booleans())
def test_higher_scores_lie_in_no_lower_cell(one: float, other: float, predicted: bool) -> None:
    low, high = sorted((one, other))

    assert 0 <= key_of(low, predicted=predicted) // 6 <= key_of(high, predicted=predicted) // 6 < CELLS


@given(rows)
def test_the_actual_quality_is_the_naive_one(rows: list[Row]) -> None:
    quality = actual_quality(counts(rows))
    cells = [(key_of(score, predicted=True), true) for score, _, true in rows]
    pairs = [(up > down) + 0.5 * (up == down) for up, true in cells if true for down, false in cells if not false]
    claimed = [true for _, predicted, true in rows if predicted]

    assert quality.n == len(rows)
    assert quality.accuracy == pytest.approx(np.mean([predicted == true for _, predicted, true in rows]))
    assert quality.precision == (pytest.approx(np.mean(claimed)) if claimed else None)
    assert quality.auc == (pytest.approx(np.mean(pairs)) if pairs else None)


@given(rows)
def test_chances_rise_with_the_score_and_keep_the_share_of_positives(rows: list[Row]) -> None:
    chances = Calibration(counts(rows)).chances

    assert np.all(np.diff(chances) >= -1e-12)
    assert chances.min() >= 0.0
    assert chances.max() <= 1.0


@pytest.mark.parametrize(
    "shift",
    [pytest.param(1.0, id="as in the reference"), pytest.param(3.0, id="low scores"), pytest.param(0.4, id="high")],
)
def test_where_only_the_scores_move_the_quality_is_foretold(shift: float) -> None:
    rng = random.Random(3)
    calibration, later = Calibration(counts(sample(rng, 20_000))), counts(sample(rng, 20_000, shift=shift))
    expected, actual = calibration.expected(later), actual_quality(later)

    assert expected.accuracy == pytest.approx(actual.accuracy, abs=0.012)
    assert expected.precision == pytest.approx(actual.precision, abs=0.015)
    assert expected.auc == pytest.approx(actual.auc, abs=0.012)
    assert expected.n == actual.n == 20_000


def test_a_change_of_concept_is_not_seen() -> None:
    """What is written beside every expectation."""
    rng = random.Random(4)
    reference = counts(sample(rng, 20_000))
    later = counts(sample(rng, 20_000, concept=0.5))
    expected, actual = Calibration(reference).expected(later), actual_quality(later)

    assert expected.accuracy == pytest.approx(actual_quality(reference).accuracy, abs=0.01)
    assert (expected.precision or 0.0) > (actual.precision or 0.0) + 0.2


def test_the_deviation_is_how_far_accuracies_stray() -> None:
    rng = random.Random(5)
    calibration = Calibration(counts(sample(rng, 50_000)))
    later = [counts(sample(rng, 500)) for _ in range(200)]
    strayed = [(actual_quality(one).accuracy or 0.0) - (calibration.expected(one).accuracy or 0.0) for one in later]

    assert calibration.accuracy_deviation(later[0]) == pytest.approx(np.std(strayed), rel=0.2)
    assert calibration.accuracy_deviation({}) is None


def test_without_truths_there_is_no_calibration() -> None:
    with pytest.raises(ValueError, match="whose truth is known"):
        Calibration({key_of(0.5, predicted=True) + PREDICTIONS: 3})


def test_scores_of_another_label_are_told_from_those_of_the_predicted() -> None:
    rng = random.Random(6)
    own = [(score, True, rng.random() < score) for score in [rng.random() for _ in range(2_000)]]
    others = [(score, True, rng.random() < max(score, 1.0 - score)) for score, _, _ in own]

    assert not surer_is_worse(counts(own))
    assert surer_is_worse(counts(others))
    assert not surer_is_worse(counts(others[:5]))
    assert not surer_is_worse({})
