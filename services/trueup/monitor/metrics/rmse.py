"""RMSE: the root of the mean squared error."""

from __future__ import annotations

from math import sqrt

from trueup.monitor.scorecards.sample import Measured, Sample, mean


def measure(sample: Sample) -> Measured:
    """sqrt(mean of (prediction - actual)^2), in the model's own unit.

    The interval is the root of the normal one for the mean of the squares.
    """
    sums = sample.card.numbers
    if sums is None or sums.n <= 0:
        return Measured(None, 0)
    squared = max(0.0, sums.squared) / sums.n
    found = mean(squared, sums.to_the_fourth / sums.n - squared * squared, sums.n, sample.inflation)
    return Measured(sqrt(squared), sums.n, sqrt(max(0.0, found.low or 0.0)), sqrt(max(0.0, found.high or 0.0)))
