"""Which label is taken for which more often than before."""

from __future__ import annotations

from collections.abc import Iterator
from typing import NamedTuple

from trueup.monitor.scorecards.labels import MOST_LABELS, PAIR
from trueup.monitor.scorecards.sample import Measured, Sample
from trueup.statistics.intervals import Interval, rate_interval

_ALPHA = 0.05


class _Growth(NamedTuple):
    by: float
    pair: int
    share: float
    reference: float
    interval: Interval


def measure(sample: Sample) -> Measured:
    """Of the wrong pairs (actual, predicted), the one whose share of all outcomes grew most since the reference.

    The reference is all that is not in the span. `value`, `low` and `high` are the growth of the share. A pair counts
    where its share grew beyond chance: Wilson's intervals for the span's and the reference's share are apart, at 5 %
    over all wrong pairs that came (Bonferroni). None where no pair did, or there is no reference.
    """
    before = sum(sample.everything.pairs.values()) - sample.n
    if before <= 0 or sample.n <= 0:
        return Measured(None, max(0, sample.n))
    grown = max(_grown(sample, before), default=None, key=lambda growth: (growth.by, -growth.pair))
    if grown is None:
        return Measured(None, sample.n)
    more = {
        "actual": sample.label(grown.pair % PAIR),
        "predicted": sample.label(grown.pair // PAIR),
        "share": grown.share,
        "reference_share": grown.reference,
        "reference_n": before,
    }
    return Measured(grown.by, sample.n, *grown.interval, more)


def _grown(sample: Sample, before: int) -> Iterator[_Growth]:
    """The pairs that grew beyond chance."""
    wrong = [(pair, n) for pair, n in sorted(sample.card.pairs.items()) if n > 0 and _is_confusion(pair)]
    confidence = 1.0 - _ALPHA / (2 * max(1, len(wrong)))
    for pair, n in wrong:
        known = sample.everything.pairs.get(pair, 0) - n
        if not 0 <= known <= before or n > sample.n or n * before <= known * sample.n:
            continue
        now = rate_interval(n, sample.n, confidence=confidence, inflation=sample.inflation)
        then = rate_interval(known, before, confidence=confidence, inflation=sample.inflation)
        if now.low > then.high:
            share, reference = n / sample.n, known / before
            interval = Interval(now.low - then.high, now.high - then.low)
            yield _Growth(share - reference, pair, share, reference, interval)


def _is_confusion(pair: int) -> bool:
    """Whether the labels are two, of which at least one is not beyond the cap."""
    actual, predicted = pair % PAIR, pair // PAIR
    return actual != predicted and min(actual, predicted) < MOST_LABELS
