"""Counts of numbers in buckets that coarsen by themselves: mergeable, bounded, the same in whatever order they came."""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections import Counter
from collections.abc import Iterable, Sequence
from itertools import accumulate
from math import isnan
from struct import pack, unpack
from typing import Any

import numpy as np

#: Buckets of one histogram.
MOST_BUCKETS = 256
#: At first a bucket holds the numbers that agree in sign, exponent and the first 20 bits of the mantissa.
_FINEST = 32
#: From so many values on, numpy is the faster way.
_MANY = 48
_LARGEST = 1e150
_MASK = 0x7FFF_FFFF_FFFF_FFFF


class Histogram:
    """How often which numbers came.

    The bits of a double, read as a whole number, are in the order of the doubles; without its last `shift` bits it
    names a bucket: logarithmic over the powers of two, linear between two of them. `shift` is the least with which
    there are at most `MOST_BUCKETS`, and so depends on which numbers came, not on their order or on how they were cut
    into runs. The idea of coarsening by halves is that of UDDSketch (Epicoco et al. 2020).

    >>> histogram = Histogram()
    >>> histogram.add_all([1.0, 2.0, 2.0, -3.5])
    >>> histogram.n, histogram.low, histogram.high, histogram.distinct
    (4, -3.5, 2.0, 3)
    >>> round(histogram.quantile(0.5), 3)
    2.0
    """

    __slots__ = ("_quantiles", "counts", "high", "low", "n", "shift")

    def __init__(self) -> None:
        self.shift = _FINEST
        self.counts: dict[int, int] = {}
        self.n = 0
        self.low = _LARGEST
        self.high = -_LARGEST
        #: What `quantiles` found, until more is counted.
        self._quantiles: dict[tuple[float, ...], list[float]] = {}

    @property
    def distinct(self) -> int:
        """How many different numbers came, as far as the buckets tell them apart."""
        return len(self.counts)

    def add_all(self, values: Sequence[float]) -> None:
        """Count these, all finite."""
        if not values:
            return
        low, high = min(values), max(values)
        if low < -_LARGEST or high > _LARGEST:
            values = [min(max(value, -_LARGEST), _LARGEST) for value in values]
            low, high = min(values), max(values)
        self.n += len(values)
        self.low = min(self.low, low)
        self.high = max(self.high, high)
        self._count(self._few(values) if len(values) < _MANY else self._many(values))

    def _few(self, values: Sequence[float]) -> Iterable[tuple[int, int]]:
        shift = self.shift
        bits = memoryview(array("d", [value + 0.0 for value in values])).cast("B").cast("q")
        return Counter([(bit if bit >= 0 else bit ^ _MASK) >> shift for bit in bits]).items()

    def _many(self, values: Sequence[float]) -> Iterable[tuple[int, int]]:
        bits = (np.array(values, dtype=np.float64) + 0.0).view(np.int64)
        ordered = np.where(bits >= 0, bits, bits ^ _MASK)
        keys, counts = np.unique(ordered >> self.shift, return_counts=True)
        while len(keys) > MOST_BUCKETS:  # these alone are too many: so are all
            self._coarsen()
            keys, counts = _halved(keys, counts)
        return zip(keys.tolist(), counts.tolist(), strict=True)

    def merge(self, other: Histogram) -> None:
        """Count all that the other one counted."""
        while self.shift < other.shift:
            self._coarsen()
        down = self.shift - other.shift
        self.n += other.n
        self.low = min(self.low, other.low)
        self.high = max(self.high, other.high)
        self._count((key >> down, n) for key, n in other.counts.items())

    def _count(self, found: Iterable[tuple[int, int]]) -> None:
        counts, self._quantiles = self.counts, {}
        for key, n in found:
            counts[key] = counts.get(key, 0) + n
        while len(self.counts) > MOST_BUCKETS:
            self._coarsen()

    def _coarsen(self) -> None:
        self.shift += 1
        halved: dict[int, int] = {}
        for key, n in self.counts.items():
            halved[key >> 1] = halved.get(key >> 1, 0) + n
        self.counts = halved

    # -- what is read from it ---------------------------------------------------------------------------------------

    def edges(self) -> tuple[list[float], list[float], list[int]]:
        """From, to and count of each bucket, in their order, none beyond the lowest or highest number that came."""
        keys = sorted(self.counts)
        buckets = [self._bucket(key) for key in keys]
        return [start for start, _ in buckets], [end for _, end in buckets], [self.counts[key] for key in keys]

    def _bucket(self, key: int) -> tuple[float, float]:
        return max(self.low, _double(key << self.shift)), min(self.high, _double((key + 1) << self.shift))

    def quantiles(self, shares: tuple[float, ...]) -> list[float]:
        """The numbers below which these shares of all lie, evenly spread within a bucket; none came: zeros."""
        if not self.n:
            return [0.0] * len(shares)
        if shares not in self._quantiles:
            self._quantiles[shares] = self._find(shares)
        return self._quantiles[shares]

    def _find(self, shares: tuple[float, ...]) -> list[float]:
        keys = sorted(self.counts)
        counts = [self.counts[key] for key in keys]
        sums = [0, *accumulate(counts)]
        found = []
        for share in shares:
            wanted = share * self.n
            at = min(max(bisect_left(sums, wanted) - 1, 0), len(keys) - 1)
            start, end = self._bucket(keys[at])
            found.append(start + (end - start) * min(1.0, max(0.0, (wanted - sums[at]) / counts[at])))
        return found

    def quantile(self, share: float) -> float:
        """The number below which this share of all lies."""
        return self.quantiles((share,))[0]

    def share_outside(self, low: float, high: float) -> float:
        """Which share lies wholly outside of these bounds, by whole buckets; none came: 0."""
        if not self.n or (self.low >= low and self.high <= high):
            return 0.0
        starts, ends, counts = self.edges()
        outside = sum([n for start, end, n in zip(starts, ends, counts, strict=True) if end < low or start > high])
        return outside / self.n

    def mapped(self, scale: float, offset: float) -> Histogram:
        """What it would be if each number x had been `scale * x + offset`, by the middle of its bucket."""
        starts, ends, counts = self.edges()
        found = Histogram()
        for start, end, n in zip(starts, ends, counts, strict=True):
            one = Histogram()
            one.add_all([scale * (start + (end - start) / 2) + offset])
            one.n, one.counts = n, dict.fromkeys(one.counts, n)
            found.merge(one)
        return found

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """Plain values, the buckets by their distances, which are small numbers mostly."""
        keys = sorted(self.counts)
        steps = [key - before for key, before in zip(keys, [0, *keys], strict=False)]
        return [self.shift, self.low, self.high, steps, [self.counts[key] for key in keys]]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> Histogram:
        """The same again."""
        found = cls()
        found.shift, found.low, found.high = data[:3]
        found.counts = dict(zip(accumulate(data[3]), data[4], strict=True))
        found.n = sum(data[4])
        return found


def _halved(keys: Any, counts: Any) -> tuple[Any, Any]:
    found, places = np.unique(keys >> 1, return_inverse=True)
    return found, np.bincount(places, weights=counts).astype(np.int64)


def _double(ordered: int) -> float:
    """The double whose bits have this place in the order, at most the largest that is counted."""
    bits = ordered if ordered >= 0 else ordered ^ _MASK
    value: float = unpack("<d", pack("<Q", bits & 0xFFFF_FFFF_FFFF_FFFF))[0]
    return _LARGEST if isnan(value) else min(max(value, -_LARGEST), _LARGEST)
