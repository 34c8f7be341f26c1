"""Micro F1: F1 of all labels' hits and misses together."""

from __future__ import annotations

from river import metrics

from trueup.monitor.scorecards.sample import Measured, Sample, share


def measure(sample: Sample) -> Measured:
    """Where each outcome has one label, every miss is one label's FP and another's FN: it equals the accuracy.

    Wilson's interval.
    """
    matrix = sample.confusion
    value = sample.by_river(metrics.MicroF1)
    return share(value, matrix.total_true_positives, sample.n, sample.inflation)
