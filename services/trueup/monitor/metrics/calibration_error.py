"""Calibration error: how far what was promised is from what came true."""

from __future__ import annotations

from trueup.monitor.scorecards.sample import Measured, Sample


def measure(sample: Sample) -> Measured:
    """Expected calibration error: over ten bins of a tenth, sum of n_b / n |mean score - share that came true|.

    A score on an edge is in the bin above. It never falls below 0, so a calibrated model of few outcomes shows some;
    there is no interval for it. Source: Naeini, Cooper & Hauskrecht (2015), "Obtaining well calibrated probabilities
    using Bayesian binning".
    """
    scores = sample.scores
    return Measured(None, 0) if scores is None else Measured(scores.calibration_error, scores.n)
