"""How many false pages each monitor may cost, so that all of them together keep to the team's number.

A fixed share for each partition, and in it 1/(k(k+1)) for the k-th monitor that appears: the shares sum to one whatever
appears when, and no worker needs to know of another. By linearity of expectation the sum of the shares bounds the
false pages of the fleet, however dependent the monitors are.
"""

from __future__ import annotations

SECONDS_PER_MONTH = 365.25 * 86_400 / 12
#: A silence longer than this earns no further budget: it would be spent on the first labels after it.
LONGEST_EARNING_SECONDS = 86_400.0


def share(k: int, partitions: int) -> float:
    """The share of the fleet's budget for the k-th monitor (from 1) of one of `partitions` partitions.

    >>> sum(share(k, 4) for k in range(1, 100_000)) * 4 <= 1
    True
    """
    return 1.0 / (k * (k + 1)) / partitions


def earned(pages_per_month: float, seconds: float) -> float:
    """The expected false pages that a monitor may cost for `seconds` of label time; none for time gone backwards."""
    return pages_per_month * min(max(seconds, 0.0), LONGEST_EARNING_SECONDS) / SECONDS_PER_MONTH
