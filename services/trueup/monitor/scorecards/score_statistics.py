"""What metrics of scores need of a histogram, in one pass over its bins: a view asks for it with every save."""

from __future__ import annotations

from math import log
from typing import NamedTuple

from trueup.monitor.scorecards.exact import ONE
from trueup.monitor.scorecards.score_bins import LEAST, MIDDLES, TENTHS, ScoreBins

#: By bin: the loss and the square in its middle, of a score that did not come true, and of one that did.
_LOSSES = tuple((-log(max(LEAST, 1.0 - middle)), -log(max(LEAST, middle))) for middle in MIDDLES)
_SQUARES = tuple((middle**2, (1.0 - middle) ** 2) for middle in MIDDLES)


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
    ties: int
    #: The sums of the squares of how many are below each that came true, and above each that did not.
    below_squared: float
    above_squared: float


def read(bins: ScoreBins) -> ScoreStatistics | None:
    """The statistics, None where there are no scores."""
    counts = bins.by_bin
    n = bins.n
    if n <= 0:
        return None
    hits = sum([count for key, count in counts.items() if key & 1])
    tenths = [0] * 10
    loss = loss_squared = square = square_squared = below_squared = above_squared = 0.0
    above = ties = below = 0
    left = hits
    for place in sorted({key >> 1 for key in counts}):
        misses, came_true = counts.get(2 * place, 0), counts.get(2 * place + 1, 0)
        tenths[TENTHS[place]] += came_true
        miss, hit = _LOSSES[place]
        loss += misses * miss + came_true * hit
        loss_squared += misses * miss * miss + came_true * hit * hit
        miss, hit = _SQUARES[place]
        square += misses * miss + came_true * hit
        square_squared += misses * miss * miss + came_true * hit * hit
        twice_below, twice_above = 2 * below + misses, 2 * left - came_true
        above += came_true * twice_below
        below_squared += came_true * twice_below * twice_below
        above_squared += misses * twice_above * twice_above
        ties += came_true * misses
        below += misses
        left -= came_true
    gaps = [abs(total - hit * ONE) for total, hit in zip(bins.by_tenth, tenths, strict=True)]
    return ScoreStatistics(
        n,
        hits,
        bins.log_loss / ONE / n,
        loss_squared / n - (loss / n) ** 2,
        bins.squared / ONE / n,
        square_squared / n - (square / n) ** 2,
        sum(gaps) / ONE / n,
        above / 2,
        ties,
        below_squared / 4,
        above_squared / 4,
    )
