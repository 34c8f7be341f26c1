"""The mean score of judged answers."""

from __future__ import annotations

from trueup.monitor.scorecards.exact import ONE
from trueup.monitor.scorecards.sample import Measured, Sample, mean


def measure(sample: Sample) -> Measured:
    """The mean of scores in [0, 1], higher is better; the sum is exact. The normal interval, within [0, 1]."""
    card = sample.card
    n = card.n_judged
    if n <= 0:
        return Measured(None, 0)
    value = card.judged / ONE / n
    found = mean(value, card.judged_squared / ONE / n - value * value, n, sample.inflation)
    return found._replace(low=max(0.0, found.low or 0.0), high=min(1.0, found.high or 0.0))
