"""MAE: the mean absolute error."""

from __future__ import annotations

from trueup.monitor.scorecards.sample import Measured, Sample, mean


def measure(sample: Sample) -> Measured:
    """The mean of |prediction - actual|, in the model's own unit; the normal interval."""
    sums = sample.card.numbers
    if sums is None or sums.n <= 0:
        return Measured(None, 0)
    value = sums.absolute / sums.n
    found = mean(value, sums.squared / sums.n - value * value, sums.n, sample.inflation)
    return found._replace(low=max(0.0, found.low or 0.0))
