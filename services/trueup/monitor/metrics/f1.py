"""F1: the harmonic mean of precision and recall."""

from __future__ import annotations

from river import metrics

from trueup.monitor.scorecards.sample import Measured, Sample, share


def measure(sample: Sample) -> Measured:
    """2 TP / (2 TP + FP + FN), over the outcomes that were positive or predicted so.

    With J = TP / (TP + FP + FN), a share, F1 = 2 J / (1 + J) grows with J: the interval is Wilson's for J, mapped.
    """
    positive, matrix = sample.positive, sample.confusion
    if positive is None:
        return Measured(None, 0)
    right = matrix.true_positives(positive)
    either = matrix.sum_row[positive] + matrix.sum_col[positive] - right
    found = share(sample.by_river(metrics.F1, pos_val=positive), right, either, sample.inflation)
    return found._replace(low=_f1(found.low), high=_f1(found.high))


def _f1(jaccard: float | None) -> float | None:
    return None if jaccard is None else 2.0 * jaccard / (1.0 + jaccard)
