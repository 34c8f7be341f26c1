"""Log loss: how surprised the scores were by what came true."""

from __future__ import annotations

from trueup.monitor.scorecards.sample import Measured, Sample, mean


def measure(sample: Sample) -> Measured:
    """The mean of -log p, p the probability that was given to what came true, at least 1e-15; the sum is exact.

    Binary: of the positive label. Multiclass: of the predicted label against right or wrong, since that probability is
    all there is: -log p of a right answer, -log(1 - p) of a wrong one, which is at most the log loss over all labels.
    The interval is the normal one, with the spread of the losses in the middles of the bins.
    """
    scores = sample.scores
    if scores is None:
        return Measured(None, 0)
    found = mean(scores.log_loss, scores.log_loss_variance, scores.n, sample.inflation)
    return found._replace(low=max(0.0, found.low or 0.0))
