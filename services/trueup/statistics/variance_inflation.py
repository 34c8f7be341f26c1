"""How much less than n outcomes are worth when they come in bursts.

The errors of a served model are not independent: a storm makes a day of late flights, an outage an hour of wrong
answers. The mean of n of them then varies like that of n / V independent ones. V, the variance inflation, is read off
block means: were the outcomes independent, the means of blocks of B would vary by var(x) / B; dependence makes them
vary by a multiple of that, which grows with B until blocks are as long as dependence reaches. A correlation of
neighbours does not show it: on flights it is 0.07 from one to the next, and 0.70 from one block of 100 to the next.
"""

import math
from statistics import fmean, median, variance
from typing import Any, Self

SECONDS_PER_DAY = 86_400

_MIN_BLOCKS = 10
# Fewer outcomes than this part of the median day: a day cut off by the start or the end, or a holiday.
_FULL_DAY = 0.3
# A model that needs more than a year to be learned drops its oldest days: memory stays bounded.
_MAX_DAYS = 366


class DependentSample:
    """Count, mean and variance of a stream of values in [0, 1], and the variance inflation of its mean.

    Keeps streaming variances of block means for blocks of 2, 4, 8, ... values (the state grows with log n) and, for
    values that come with a time, count and sum of each UTC day. Time never goes back: a value with an earlier time than
    the last counts to the day of the last.

    >>> import random
    >>> rng = random.Random(7)
    >>> independent, bursts = DependentSample(), DependentSample()
    >>> for _ in range(500):
    ...     storm = rng.random() < 0.1
    ...     for _ in range(20):
    ...         independent.update(float(rng.random() < 0.1))
    ...         bursts.update(float(rng.random() < (0.7 if storm else 0.03)))
    >>> independent.n, round(independent.mean, 4), independent.inflation()
    (10000, 0.098, 1.0)
    >>> bursts.n, round(bursts.mean, 4), round(bursts.inflation(), 1)
    (10000, 0.1058, 17.1)
    """

    __slots__ = ("_days", "_end_of_day", "_levels", "_m2", "_mean", "first_at", "is_binary", "last_at", "n", "total")

    def __init__(self) -> None:
        self.n = 0
        self.total = 0.0
        self.is_binary = True
        self.first_at: float | None = None
        self.last_at: float | None = None
        self._mean = 0.0
        self._m2 = 0.0
        self._levels: list[_BlockMeans] = []
        self._days: list[list[float]] = []
        self._end_of_day = -math.inf

    @property
    def mean(self) -> float:
        """The mean of all values; 0 when there are none."""
        return self.total / self.n if self.n else 0.0

    @property
    def variance(self) -> float:
        """The sample variance of the values; 0 for fewer than two."""
        return self._m2 / (self.n - 1) if self.n > 1 else 0.0

    @property
    def span_seconds(self) -> float:
        """Seconds from the first time seen to the last; 0 when no value came with a time."""
        if self.first_at is None or self.last_at is None:
            return 0.0
        return self.last_at - self.first_at

    def update(self, x: float, at: float | None = None) -> None:
        """Take one value in [0, 1] (the caller checks), and the epoch second it belongs to, where it has one."""
        self.n += 1
        self.total += x
        if x != 0.0 and x != 1.0:
            self.is_binary = False
        delta = x - self._mean
        self._mean += delta / self.n
        self._m2 += delta * (x - self._mean)
        if at is not None:
            self._update_day(x, at)
        # A binary counter: two neighbouring blocks of one level make a block of the next. On average two levels move.
        block = x
        for level in self._levels:
            if level.half is None:
                level.half = block
                return
            block = level.close(block)
        self._levels.append(_BlockMeans(size=2 << len(self._levels), half=block))

    def inflation(self) -> float:
        """The variance inflation V >= 1: the largest that any block length shows beyond doubt, with its error on top.

        For k >= 10 blocks of B values, F = B var(block means) / var(x) has a relative error of about e = sqrt(2/(k-1)).
        A length counts when F > 1 + 3e (of independent values, one sample in fifty has such a length), and then as
        F (1 + 2e). UTC days are one more block length, without days that have less than 30 % of the median day's
        values.
        """
        if self.variance <= 0.0:
            return 1.0
        inflation = 1.0
        for size, k, block_variance in self.block_variances():
            ratio = size * block_variance / self.variance
            error = math.sqrt(2.0 / (k - 1))
            if ratio > 1.0 + 3.0 * error:
                inflation = max(inflation, ratio * (1.0 + 2.0 * error))
        return inflation

    def block_variances(self) -> list[tuple[float, int, float]]:
        """(mean block length, number of blocks, sample variance of block means) wherever there are enough blocks."""
        found = [(float(b.size), b.count, b.m2 / (b.count - 1)) for b in self._levels if b.count >= _MIN_BLOCKS]
        if len(self._days) >= _MIN_BLOCKS:
            least = _FULL_DAY * median(count for count, _ in self._days)
            full = [(count, total) for count, total in self._days if count >= least]
            if len(full) >= _MIN_BLOCKS:
                spread = variance([total / count for count, total in full])
                found.append((fmean(count for count, _ in full), len(full), spread))
        return found

    def snapshot(self) -> dict[str, Any]:
        """The whole state as plain numbers and lists, for `restore`."""
        return {
            "v": 1,
            "n": self.n,
            "total": self.total,
            "is_binary": self.is_binary,
            "first_at": self.first_at,
            "last_at": self.last_at,
            "mean": self._mean,
            "m2": self._m2,
            "levels": [[b.count, b.mean, b.m2, b.half] for b in self._levels],
            "days": [list(day) for day in self._days],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """The sample that `snapshot` was taken of; it continues bit for bit."""
        sample = cls()
        sample.n = snapshot["n"]
        sample.total = snapshot["total"]
        sample.is_binary = snapshot["is_binary"]
        sample.first_at = snapshot["first_at"]
        sample.last_at = snapshot["last_at"]
        sample._mean = snapshot["mean"]
        sample._m2 = snapshot["m2"]
        for count, mean, m2, half in snapshot["levels"]:
            block = _BlockMeans(size=2 << len(sample._levels), half=half)
            block.count, block.mean, block.m2 = count, mean, m2
            sample._levels.append(block)
        sample._days = [list(day) for day in snapshot["days"]]
        if sample.last_at is not None:
            sample._end_of_day = _end_of_day(sample.last_at)
        return sample

    def _update_day(self, x: float, at: float) -> None:
        if self.last_at is None:
            self.first_at = self.last_at = at
        elif at > self.last_at:
            self.last_at = at
        if at >= self._end_of_day:
            self._end_of_day = _end_of_day(at)
            self._days.append([0, 0.0])
            if len(self._days) > _MAX_DAYS:
                del self._days[0]
        day = self._days[-1]
        day[0] += 1
        day[1] += x


class _BlockMeans:
    """Welford's running variance of the means of blocks of `size` values; `half` is the sum of a block half full."""

    __slots__ = ("count", "half", "m2", "mean", "size")

    def __init__(self, size: int, half: float | None) -> None:
        self.size = size
        self.half = half
        self.count = 0
        self.mean = 0.0
        self.m2 = 0.0

    def close(self, second_half: float) -> float:
        """Complete the block that is half full; returns its sum."""
        assert self.half is not None
        total = self.half + second_half
        self.half = None
        self.count += 1
        block_mean = total / self.size
        delta = block_mean - self.mean
        self.mean += delta / self.count
        self.m2 += delta * (block_mean - self.mean)
        return total


def _end_of_day(at: float) -> float:
    return (at // SECONDS_PER_DAY + 1) * SECONDS_PER_DAY
