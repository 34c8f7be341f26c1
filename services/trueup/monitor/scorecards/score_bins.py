"""Probabilities against what came true: a histogram of each, and the sums that need none.

        0  .0001 .001  .01 .02                  .50                  .98 .99  .999 .9999  1
        |----|-----|-----|---|---|---|  ...  ---|---  ...  |---|---|---|----|----|-----|

Bins are of a hundredth, and finer towards 0 and 1, where the scores of rare events lie.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from math import log
from typing import Any

import numpy as np

from trueup.monitor.scorecards.exact import ONE, pack_sum, read_sum

_TAIL = (0.0001, 0.0002, 0.0005, 0.001, 0.002, 0.003, 0.005, 0.007, 0.015, 0.025)
#: Where one bin ends and the next begins; a score on an edge is in the bin above.
EDGES: tuple[float, ...] = tuple(
    sorted({k / 100 for k in range(1, 100)} | set(_TAIL) | {round(1.0 - edge, 4) for edge in _TAIL})
)
#: The middle of each bin.
MIDDLES = tuple((low + high) / 2 for low, high in zip((0.0, *EDGES), (*EDGES, 1.0), strict=True))
#: The tenth of [0, 1] in which each bin lies.
TENTHS = tuple(int(middle * 10) for middle in MIDDLES)
#: A probability below this is taken for it in the log loss, which else were infinite.
LEAST = 1e-15
#: Fewer scores than this cost less one by one than as arrays.
FEW = 24
#: So many multiples of 2^-40 below 1 add exactly as floats.
_MOST = 4_096
_EDGES, _TENTHS = np.array(EDGES), np.array(TENTHS)


class ScoreBins:
    """Counts of scores by bin, apart for those that came true (`hit`) and those that did not; bins that are empty cost
    nothing.
    """

    __slots__ = ("by_bin", "by_tenth", "log_loss", "squared")

    def __init__(self) -> None:
        #: 2 * bin + hit -> how many.
        self.by_bin: dict[int, int] = {}
        #: Sum of the scores of each tenth.
        self.by_tenth = [0] * 10
        #: Sum of -log of the probability that was given to what came true.
        self.log_loss = 0
        #: Sum of (score - hit)^2.
        self.squared = 0

    def add_all(self, scored: Sequence[tuple[float, bool]], sign: int = 1) -> None:
        """Count scores in [0, 1] in, each with whether it came true; or out again (`sign` -1)."""
        if len(scored) < FEW:
            for score, hit in scored:
                self._add(score, hit, sign)
            return
        for start in range(0, len(scored), _MOST):
            self._add_many(*zip(*scored[start : start + _MOST], strict=True), sign=sign)

    def _add(self, score: float, hit: bool, sign: int) -> None:
        place = bisect_right(EDGES, score)
        key = 2 * place + hit
        self.by_bin[key] = self.by_bin.get(key, 0) + sign
        self.by_tenth[TENTHS[place]] += sign * int(score * ONE)
        given = score if hit else 1.0 - score
        self.log_loss -= sign * int(log(max(given, LEAST)) * ONE)
        missed = 1.0 - given
        self.squared += sign * int(missed * missed * ONE)

    def _add_many(self, scores: Sequence[float], hits: Sequence[bool], *, sign: int) -> None:
        """As `_add` for each, bit for bit: each number is worked out alike, and sums of whole numbers are exact."""
        score, hit = np.array(scores), np.array(hits)
        place = _EDGES.searchsorted(score, side="right")
        keys, counts = np.unique(2 * place + hit, return_counts=True)
        for key, n in zip(keys.tolist(), counts.tolist(), strict=True):
            self.by_bin[key] = self.by_bin.get(key, 0) + sign * n
        tenths = np.bincount(_TENTHS[place], weights=np.trunc(score * ONE), minlength=10)
        self.by_tenth = [total + sign * int(more) for total, more in zip(self.by_tenth, tenths.tolist(), strict=True)]
        given = np.where(hit, score, 1.0 - score)
        # numpy's logarithm is not that of `math` to the last bit.
        logs = np.array([log(p) for p in np.maximum(given, LEAST).tolist()])
        self.log_loss -= sign * int((logs * ONE).astype(np.int64).sum())
        missed = 1.0 - given
        self.squared += sign * int((missed * missed * ONE).astype(np.int64).sum())

    def merge(self, other: ScoreBins, sign: int = 1) -> None:
        """Add all that `other` counted, or take it back."""
        mine = self.by_bin
        if mine or sign < 0:
            for key, n in other.by_bin.items():
                mine[key] = mine.get(key, 0) + sign * n
        else:
            self.by_bin = dict(other.by_bin)
        for tenth, total in enumerate(other.by_tenth):
            self.by_tenth[tenth] += sign * total
        self.log_loss += sign * other.log_loss
        self.squared += sign * other.squared

    @property
    def n(self) -> int:
        """How many scores were counted."""
        return sum(self.by_bin.values())

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        tenths = [[tenth, pack_sum(total)] for tenth, total in enumerate(self.by_tenth) if total]
        return [dict(sorted(self.by_bin.items())), tenths, pack_sum(self.log_loss), pack_sum(self.squared)]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> ScoreBins:
        """The same again."""
        bins = cls()
        bins.by_bin = dict(data[0])
        for tenth, total in data[1]:
            bins.by_tenth[tenth] = read_sum(total)
        bins.log_loss, bins.squared = read_sum(data[2]), read_sum(data[3])
        return bins
