"""Accuracy: the share of right answers."""

from __future__ import annotations

from river import metrics

from trueup.monitor.scorecards.sample import Measured, Sample, share


def measure(sample: Sample) -> Measured:
    """Right answers / answers, of labels in any number; Wilson's interval."""
    matrix = sample.confusion
    return share(sample.by_river(metrics.Accuracy), matrix.total_true_positives, sample.n, sample.inflation)
