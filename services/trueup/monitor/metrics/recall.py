"""Recall: of what was positive, the share that was answered so."""

from __future__ import annotations

from river import metrics

from trueup.monitor.scorecards.sample import Measured, Sample, share


def measure(sample: Sample) -> Measured:
    """TP / (TP + FN), over as many outcomes as were positive; Wilson's interval."""
    positive, matrix = sample.positive, sample.confusion
    if positive is None:
        return Measured(None, 0)
    value = sample.by_river(metrics.Recall, pos_val=positive)
    return share(value, matrix.true_positives(positive), matrix.sum_row[positive], sample.inflation)
