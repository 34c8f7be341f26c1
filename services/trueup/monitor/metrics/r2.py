"""R2: the share of the variance that the predictions explain."""

from __future__ import annotations

from trueup.monitor.scorecards.sample import Measured, Sample


def measure(sample: Sample) -> Measured:
    """1 - sum of (prediction - actual)^2 / sum of (actual - mean actual)^2; without an interval.

    None where the actual numbers do not vary.
    """
    sums = sample.card.numbers
    if sums is None or sums.n <= 0:
        return Measured(None, 0)
    spread = sums.actual_squared - sums.actual * sums.actual / sums.n
    # What is left of equal numbers is the rounding of their sums.
    if not spread > 1e-12 * sums.actual_squared:
        return Measured(None, sums.n)
    return Measured(1.0 - max(0.0, sums.squared) / spread, sums.n)
