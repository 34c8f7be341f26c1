"""How often the positive class is true at each score: counts by score, and the curve that a reference of them gives.

Scores are counted in cells of equal width in their logit, fine where a probability is near 0 or 1: 1/16, so that all
scores in a cell have odds within 6 % of each other. Counts are whole numbers: they merge exactly, in any order.
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from math import log
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
from scipy.optimize import isotonic_regression

_PER_LOGIT = 16
_FURTHEST = 10.0
CELLS = 2 * int(_FURTHEST) * _PER_LOGIT
#: Bins of the reference: each holds a hundredth of its outcomes, or more where one cell does.
_BINS = 100
_SMALLEST, _LARGEST = 1.0 / (1.0 + math.exp(_FURTHEST)), 1.0 / (1.0 + math.exp(-_FURTHEST))

#: What is counted of each cell and predicted label: predictions, of which the truth is known, of which it is positive.
KINDS = PREDICTIONS, LABELLED, POSITIVE = range(3)
Array = npt.NDArray[np.float64]
#: Key (`key_of`, plus what is counted) -> how many; or the same in a row (`in_a_row`), for what is asked several times.
Counts = Mapping[int, int] | Array


def key_of(score: float, *, predicted: bool) -> int:
    """The key under which a score in [0, 1] and the label predicted with it are counted, to which a kind is added.

    >>> key_of(0.5, predicted=True) // 6 == CELLS // 2, key_of(0.0, predicted=False), key_of(1.0, predicted=True)
    (True, 0, 1917)
    """
    if score <= _SMALLEST:
        cell = 0
    elif score >= _LARGEST:
        cell = CELLS - 1
    else:
        cell = int((log(score / (1.0 - score)) + _FURTHEST) * _PER_LOGIT)
    return cell * 6 + (3 if predicted else 0)


class Table(NamedTuple):
    """Counts by cell: those with the negative label predicted, and those with the positive."""

    negative: Array
    positive: Array

    @property
    def total(self) -> Array:
        """Whatever was predicted."""
        return self.negative + self.positive


def in_a_row(counts: Counts) -> Array:
    """The counts by key, zero where there is none."""
    if isinstance(counts, np.ndarray):
        return counts
    row = np.zeros(CELLS * 6)
    row[np.fromiter(counts.keys(), int, len(counts))] = np.fromiter(counts.values(), float, len(counts))
    return row


def table(counts: Counts, kind: int) -> Table:
    """One kind of the counts, by cell."""
    flat = in_a_row(counts)
    return Table(flat[kind::6], flat[kind + 3 :: 6])


class Quality(NamedTuple):
    """How good n predictions are; None where undefined: nothing was predicted positive, or all is of one class."""

    n: int
    accuracy: float | None
    precision: float | None
    auc: float | None


def actual_quality(counts: Counts) -> Quality:
    """Of those whose truth is known. Scores of the same cell count as tied in the AUC."""
    labelled, positive = table(counts, LABELLED), table(counts, POSITIVE)
    return _quality(labelled, positive)


def _quality(n: Table, true: Table) -> Quality:
    """Of `n` predictions by cell, of which `true` are, or are expected to be, of the positive class."""
    size, claimed = float(n.total.sum()), float(n.positive.sum())
    right = float(true.positive.sum() + n.negative.sum() - true.negative.sum())
    return Quality(
        round(size),
        right / size if size else None,
        float(true.positive.sum()) / claimed if claimed else None,
        _auc(true.total, n.total - true.total),
    )


def _auc(positives: Array, negatives: Array) -> float | None:
    """The chance that a positive scores above a negative, one half where both are in one cell (Mann & Whitney 1947)."""
    pairs = float(positives.sum() * negatives.sum())
    if pairs <= 0.0:
        return None
    below = np.cumsum(negatives) - negatives
    return float((positives * (below + negatives / 2.0)).sum()) / pairs


def surer_is_worse(counts: Counts) -> bool:
    """Whether, of scores below one half, lower ones come true more often: beyond chance, at three standard errors.

    So it is where scores are taken for those of the predicted label, and are those of one of two labels: a score near 0
    then goes with the other label, and is right.
    """
    below = slice(0, CELLS // 2)
    true = table(counts, POSITIVE).total[below]
    false = table(counts, LABELLED).total[below] - true
    n, m = float(true.sum()), float(false.sum())
    auc = _auc(true, false)
    return auc is not None and auc < 0.5 - 3.0 * math.sqrt((n + m + 1.0) / (12.0 * n * m))


class Calibration:
    """The chance of the positive class at each score, as a reference had it.

    A hundred bins of equal mass, their shares of positives made to rise with the score (isotonic: pool adjacent
    violators, Ayer et al. 1955), straight lines between. With it the quality of predictions without truth is expected
    (confidence-based performance estimation, NannyML): each is of the positive class with that chance.

    Sees what moves the scores. Blind to what changes the truth behind equal scores.

    >>> counts = {key_of(0.2, predicted=False) + LABELLED: 100, key_of(0.2, predicted=False) + POSITIVE: 20,
    ...     key_of(0.9, predicted=True) + LABELLED: 100, key_of(0.9, predicted=True) + POSITIVE: 90}
    >>> later = {key_of(0.2, predicted=False) + PREDICTIONS: 30, key_of(0.9, predicted=True) + PREDICTIONS: 10}
    >>> Calibration(counts).expected(later)
    Quality(n=40, accuracy=0.825, precision=0.9, auc=0.78)
    """

    def __init__(self, reference: Counts) -> None:
        """From counts of which some are labelled.

        Raises:
            ValueError: none is labelled.
        """
        n, positives = table(reference, LABELLED).total, table(reference, POSITIVE).total
        if not n.sum():
            raise ValueError("a calibration needs outcomes whose truth is known")
        self.chances: Array = _rising(n, positives)

    def expected(self, counts: Counts, kind: int = PREDICTIONS) -> Quality:
        """The quality to expect of all predictions, or of those with a truth, without looking at it."""
        n = table(counts, kind)
        return _quality(n, Table(n.negative * self.chances, n.positive * self.chances))

    def accuracy_deviation(self, counts: Counts) -> float | None:
        """How far the accuracy of these predictions strays from the expected by chance alone: a standard deviation.

        √(Σ c(1 - c)) / n over the chances c, the calibration being right and truths independent. None for none.
        """
        n = table(counts, PREDICTIONS).total
        size = float(n.sum())
        return math.sqrt(float((n * self.chances * (1.0 - self.chances)).sum())) / size if size else None


def _rising(n: Array, positives: Array) -> Array:
    """The chance in every cell: of bins that hold a hundredth of `n` each, isotonic, linear between their middles."""
    least, middles, shares, weights = float(n.sum()) / _BINS, [], [], []
    size = true = moment = 0.0
    last = int(np.flatnonzero(n)[-1])
    for cell in np.flatnonzero(n).tolist():
        size, true, moment = size + n[cell], true + positives[cell], moment + cell * n[cell]
        if size >= least or cell == last:
            middles.append(moment / size)
            shares.append(true / size)
            weights.append(size)
            size = true = moment = 0.0
    rising = isotonic_regression(shares, weights=weights).x
    chances: Array = np.interp(np.arange(CELLS), middles, rising)
    return chances
