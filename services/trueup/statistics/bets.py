"""Grids of bets: how much of its capital a test risks on each observation.

A test by betting has to choose its stake before it knows how large the change is. A mixture over a geometric grid needs
no choice: it loses a constant factor against the best stake of the grid, whatever the change turns out to be
(Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting").
"""


def geometric_bets(low: float, high: float, count: int) -> tuple[float, ...]:
    """`count` bets from `low` to `high`, each the same factor above the one before.

    Needs 0 < low <= high and at least one bet; a single bet is `high`.

    Raises:
        ValueError: the range is empty or not positive, or there is no bet.

    >>> geometric_bets(0.125, 0.5, 3)
    (0.125, 0.25, 0.5)
    """
    if not 0.0 < low <= high or count < 1:
        raise ValueError(f"a grid needs 0 < low <= high and count >= 1, not low={low}, high={high}, count={count}")
    if count == 1:
        return (high,)
    ratio = high / low
    return (low, *(low * ratio ** (k / (count - 1)) for k in range(1, count - 1)), high)
