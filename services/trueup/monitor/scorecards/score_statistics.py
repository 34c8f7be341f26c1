"""What metrics of scores need of a histogram, as arrays over its bins: a view asks for it with every save."""

from __future__ import annotations

from math import log
from typing import NamedTuple

import numpy as np

from trueup.monitor.scorecards.exact import ONE
from trueup.monitor.scorecards.score_bins import MIDDLES, TENTHS, ScoreBins

#: Of a score in the middle of each bin, that did not come true (even places) and that did (odd): its loss, the square
#: of that, its squared distance, and the square of that.
_MOMENTS = np.array(
    [
        [f(middle, hit) ** power for middle in MIDDLES for hit in (False, True)]
        for f in (
            lambda middle, hit: -log(middle if hit else 1.0 - middle),
            lambda middle, hit: (1.0 - middle if hit else middle) ** 2,
        )
        for power in (1, 2)
    ]
)
#: The first bin of each tenth.
_TENTHS = [TENTHS.index(tenth) for tenth in range(10)]


class ScoreStatistics(NamedTuple):
    """Of n scores, `hits` of which came true."""

    n: int
    hits: int
    log_loss: float
    #: The variance of the losses, as far as bins tell.
    log_loss_variance: float
    squared: float
    squared_variance: float
    calibration_error: float
    #: Over the pairs (one that came true, one that did not): in how many the first score is higher (a tie is a half),
    #: and ties.
    above: float
    ties: float
    #: The sums of the squares of how many are below each that came true, and above each that did not.
    below_squared: float
    above_squared: float


def read(bins: ScoreBins) -> ScoreStatistics | None:
    """The statistics, None where there are no scores."""
    n, counts = bins.n, np.zeros(2 * len(MIDDLES))
    if n <= 0:
        return None
    counts[list(bins.by_bin)] = list(bins.by_bin.values())
    misses, came_true = counts[::2], counts[1::2]
    loss, loss_squared, square, square_squared = ((_MOMENTS * counts).sum(axis=1) / n).tolist()
    hits = int(came_true.sum())
    below = misses.cumsum() - misses / 2
    above = hits - came_true.cumsum() + came_true / 2
    pairs_below = came_true * below
    tenths = np.add.reduceat(came_true, _TENTHS).tolist()
    gaps = [abs(total - int(hit) * ONE) for total, hit in zip(bins.by_tenth, tenths, strict=True)]
    return ScoreStatistics(
        n,
        hits,
        bins.log_loss / ONE / n,
        loss_squared - loss * loss,
        bins.squared / ONE / n,
        square_squared - square * square,
        sum(gaps) / ONE / n,
        float(pairs_below.sum()),
        float((came_true * misses).sum()),
        float((pairs_below * below).sum()),
        float((misses * above * above).sum()),
    )
