"""Bias: by how much predictions are too high."""

from __future__ import annotations

from trueup.monitor.scorecards.sample import Measured, Sample, mean


def measure(sample: Sample) -> Measured:
    """The mean of prediction - actual, in the model's own unit; the normal interval."""
    sums = sample.card.numbers
    if sums is None or sums.n <= 0:
        return Measured(None, 0)
    value = sums.error / sums.n
    return mean(value, sums.squared / sums.n - value * value, sums.n, sample.inflation)
