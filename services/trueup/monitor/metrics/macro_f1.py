"""Macro F1: the mean of every label's F1, however rare the label is."""

from __future__ import annotations

from river import metrics

from trueup.monitor.scorecards.labels import MOST_LABELS
from trueup.monitor.scorecards.sample import Measured, Sample


def measure(sample: Sample) -> Measured:
    """The mean of F1 over the labels that were predicted or true.

    Labels beyond the cap are no label of their own: they count where they were taken for one that is kept, or that for
    one of them. There is no interval in closed form.
    """
    matrix = sample.confusion
    labels = [label for label in sorted(matrix.classes) if label < MOST_LABELS]
    if not labels or sample.n <= 0:
        return Measured(None, 0)
    return Measured(sum([sample.by_river(metrics.F1, pos_val=label) for label in labels]) / len(labels), sample.n)
