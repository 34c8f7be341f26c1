"""Brier score: the mean squared distance of the scores from what came true."""

from __future__ import annotations

from trueup.monitor.scorecards.sample import Measured, Sample, mean


def measure(sample: Sample) -> Measured:
    """The mean of (p - y)^2, p the probability of the positive label, y 1 where it came true; the sum is exact.

    The interval is the normal one, with the spread of the squares in the middles of the bins. Source: Brier (1950),
    "Verification of forecasts expressed in terms of probability".
    """
    scores = sample.scores
    if scores is None:
        return Measured(None, 0)
    found = mean(scores.squared, scores.squared_variance, scores.n, sample.inflation)
    return found._replace(low=max(0.0, found.low or 0.0), high=min(1.0, found.high or 0.0))
