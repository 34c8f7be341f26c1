"""Intervals and upper bounds for a rate and for a mean of bounded losses.

Each takes `inflation`: where outcomes come in bursts, n of them are worth n / inflation independent ones, and a bound
that ignores it is far too sure of itself (see `variance_inflation`). One means independent.
"""

import math
from statistics import NormalDist
from typing import NamedTuple

from scipy.special import betaincinv


class Interval(NamedTuple):
    """Where a quantity lies, with the stated confidence. Both ends belong to it."""

    low: float
    high: float


def rate_interval(events: float, n: float, *, confidence: float = 0.95, inflation: float = 1.0) -> Interval:
    """Wilson's score interval for the rate behind `events` among `n` outcomes; (0, 1) when n is 0.

    Its coverage is right on average, not for every rate: it is for showing. Source: Wilson (1927), "Probable
    inference, the law of succession, and statistical inference".

    Raises:
        ValueError: not 0 <= events <= n, or a confidence or inflation out of range.

    >>> [round(end, 6) for end in rate_interval(10, 100)]
    [0.055229, 0.174366]
    >>> [round(end, 6) for end in rate_interval(10, 100, inflation=10.0)]
    [0.017876, 0.40415]
    >>> rate_interval(0, 0)
    Interval(low=0.0, high=1.0)
    """
    _check_rate(events, n)
    _check(confidence, inflation)
    if n == 0:
        return Interval(0.0, 1.0)
    rate, n = events / n, n / inflation
    z = NormalDist().inv_cdf((1.0 + confidence) / 2.0)
    centre = rate + z * z / (2.0 * n)
    half = z * math.sqrt(rate * (1.0 - rate) / n + z * z / (4.0 * n * n))
    scale = 1.0 + z * z / n
    # At the ends the exact limits are 0 and 1; rounding would leave them a hair off.
    low = 0.0 if events == 0 else (centre - half) / scale
    high = 1.0 if rate == 1.0 else (centre + half) / scale
    return Interval(max(0.0, low), min(1.0, high))


def rate_upper_bound(events: float, n: float, *, confidence: float = 0.95, inflation: float = 1.0) -> float:
    """The rate that, with `confidence`, is not exceeded: Clopper and Pearson's bound; 1 when n is 0.

    Exact for independent outcomes. With an inflation the counts are divided by it and become fractions, for which the
    incomplete beta function serves as well. Source: Clopper & Pearson (1934), "The use of confidence or fiducial limits
    illustrated in the case of the binomial".

    Raises:
        ValueError: not 0 <= events <= n, or a confidence or inflation out of range.

    >>> round(rate_upper_bound(0, 100), 6)
    0.029513
    >>> round(rate_upper_bound(1000, 10_000), 6), round(rate_upper_bound(1000, 10_000, inflation=50.0), 6)
    (0.105071, 0.141989)
    """
    _check_rate(events, n)
    _check(confidence, inflation)
    if events >= n:
        return 1.0
    return float(betaincinv(events / inflation + 1.0, (n - events) / inflation, confidence))


def mean_upper_bound(
    mean: float, variance: float, n: float, *, confidence: float = 0.95, inflation: float = 1.0
) -> float:
    """The mean that, with `confidence`, is not exceeded by values in [0, 1] with this sample mean and variance.

    The empirical Bernstein bound of Maurer & Pontil (2009), "Empirical Bernstein bounds and sample-variance
    penalization", theorem 4, on n / inflation values. `variance` is the sample variance (divided by n - 1). It is 1
    where the sample is worth a single value or less.

    Raises:
        ValueError: mean or variance out of range, or a confidence or inflation out of range.

    >>> round(mean_upper_bound(0.2, 0.01, 1000), 6)
    0.217205
    >>> round(mean_upper_bound(0.2, 0.01, 1000, inflation=10.0), 6)
    0.314105
    """
    if not 0.0 <= mean <= 1.0 or not variance >= 0.0 or not n >= 0:
        raise ValueError(f"needs mean in [0, 1], variance >= 0, n >= 0, not mean={mean}, variance={variance}, n={n}")
    _check(confidence, inflation)
    n = n / inflation
    if n <= 1.0:
        return 1.0
    log_term = math.log(2.0 / (1.0 - confidence))
    bound = mean + math.sqrt(2.0 * variance * log_term / n) + 7.0 * log_term / (3.0 * (n - 1.0))
    return min(1.0, bound)


def _check_rate(events: float, n: float) -> None:
    if not 0 <= events <= n:
        raise ValueError(f"needs 0 <= events <= n, not events={events}, n={n}")


def _check(confidence: float, inflation: float) -> None:
    if not 0.0 < confidence < 1.0:
        raise ValueError(f"confidence lies between 0 and 1, not {confidence}")
    if not 1.0 <= inflation < math.inf:
        raise ValueError(f"inflation is at least 1 (independent values), not {inflation}")
