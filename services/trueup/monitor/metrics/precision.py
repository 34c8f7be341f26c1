"""Precision: of the answers that said positive, the share that was."""

from __future__ import annotations

from river import metrics

from trueup.monitor.scorecards.sample import Measured, Sample, share


def measure(sample: Sample) -> Measured:
    """TP / (TP + FP), over as many outcomes as were predicted positive; Wilson's interval."""
    positive, matrix = sample.positive, sample.confusion
    if positive is None:
        return Measured(None, 0)
    value = sample.by_river(metrics.Precision, pos_val=positive)
    return share(value, matrix.true_positives(positive), matrix.sum_col[positive], sample.inflation)
