"""ROC AUC: the chance that a positive has a higher score than a negative."""

from __future__ import annotations

from math import sqrt

from trueup.monitor.scorecards.sample import Z95, Measured, Sample
from trueup.statistics.intervals import rate_interval


def measure(sample: Sample) -> Measured:
    """P(score of a positive > score of a negative) + P(equal) / 2, where scores of one bin count as equal.

    That errs by at most `ties` / 2, where `ties` is the share of the pairs (a positive, a negative) that are in one
    bin; it is shown, and the interval is wider by that much at both ends. The interval is DeLong's: with V10 the share
    of the negatives below each positive and V01 that of the positives above each negative, the variance is
    var(V10) / positives + var(V01) / negatives. Where that is 0, since all pairs are alike, it is Wilson's, for as many
    outcomes as the rarer label has.

    None where either label has not come. Source: DeLong, DeLong & Clarke-Pearson (1988), "Comparing the areas under two
    or more correlated receiver operating characteristic curves: a nonparametric approach".
    """
    scores = sample.scores
    if scores is None:
        return Measured(None, 0)
    positives, negatives = scores.hits, scores.n - scores.hits
    if positives <= 0 or negatives <= 0:
        return Measured(None, scores.n)
    pairs = positives * negatives
    auc, ties = min(1.0, max(0.0, scores.above / pairs)), scores.ties / pairs
    of_positives = scores.below_squared / negatives**2 / positives - auc * auc
    of_negatives = scores.above_squared / positives**2 / negatives - auc * auc
    # Sample variances divide by one less; of a single value nothing is known, and it is taken for as alike as the rest.
    variance = max(0.0, of_positives) / max(1, positives - 1) + max(0.0, of_negatives) / max(1, negatives - 1)
    if variance > 1e-15:
        half = Z95 * sqrt(variance * sample.inflation)
        low, high = auc - half, auc + half
    else:
        fewer = min(positives, negatives)
        low, high = rate_interval(auc * fewer, fewer, inflation=sample.inflation)
    return Measured(auc, scores.n, max(0.0, low - ties / 2), min(1.0, high + ties / 2), {"ties": ties})
