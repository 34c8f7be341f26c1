"""Whether a stream lately lies above or below where it mostly was."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import chain, repeat
from typing import Literal

Direction = Literal["rose", "fell"]
#: How many values the fast and the slow mean reach back.
_FAST, _SLOW = 100, 5_000


class Trend:
    """Two exponential means, one fast, one slow.

    A change that was noticed is where the slow one starts anew: a fall back from it is a fall, however quickly it is
    noticed.
    """

    __slots__ = ("_fast", "_n", "_slow")

    def __init__(self, n: int = 0, fast: float = 0.0, slow: float = 0.0) -> None:
        self._n, self._fast, self._slow = n, fast, slow

    def update_all(self, values: Sequence[float]) -> None:
        """Take these, one after the other."""
        n, fast, slow = self._n, self._fast, self._slow
        # The weights have no end; the values have.
        for x, of_fast, of_slow in zip(values, _weights(n, _FAST), _weights(n, _SLOW)):  # noqa: B905
            fast += (x - fast) / of_fast
            slow += (x - slow) / of_slow
        self._n, self._fast, self._slow = n + len(values), fast, slow

    def update(self, x: float) -> None:
        """Take one value."""
        self._n = n = self._n + 1
        # `min` would cost half of all this.
        self._fast += (x - self._fast) / (n if n < _FAST else _FAST)  # noqa: FURB136
        self._slow += (x - self._slow) / (n if n < _SLOW else _SLOW)  # noqa: FURB136

    def start_anew(self) -> None:
        """A change was noticed: where the stream is now is where it is from now on."""
        self._n, self._slow = min(self._n, _FAST), self._fast

    @property
    def direction(self) -> Direction:
        """Where it lies lately."""
        return "rose" if self._fast >= self._slow else "fell"

    def snapshot(self) -> list[float]:
        """Plain values; `Trend(*snapshot)` is the same again."""
        return [self._n, self._fast, self._slow]


def _weights(n: int, most: int) -> Iterator[int]:
    """Of how many values each of those after the n-th makes the mean: of all so far, at most of so many."""
    return chain(range(n + 1, most), repeat(most))
