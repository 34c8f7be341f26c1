"""Turns the outcomes of two models that serve different requests into differences that a comparison can take."""

from typing import Any, Self


class PairedOutcomes:
    """Sums the losses of old and new; as soon as there is one of each, their means make one difference.

    Under split traffic no request is answered by both. One outcome of the rarer model then meets the mean of all those
    of the other since the last pair. Which outcomes meet depends on the order of arrival alone, never on the losses, so
    the mean of the difference is that of the models, and no peeking is introduced.

        old   o o       o o o       o
        new       x           x         x x
        d         └ x−ō       └ x−ō     └ x−o, and the last x waits for an o

    >>> pairs = PairedOutcomes()
    >>> pairs.update(1.0, new=False), pairs.update(0.0, new=False), pairs.update(1.0, new=True)
    (None, None, 0.5)
    """

    __slots__ = ("_new_count", "_new_total", "_old_count", "_old_total")

    def __init__(self) -> None:
        self._reset()

    def update(self, loss: float, *, new: bool) -> float | None:
        """Take one loss in [0, 1]; returns the difference d in [-1, 1] when it completes a pair.

        Raises:
            ValueError: the loss is outside [0, 1] or not a number.
        """
        if not 0.0 <= loss <= 1.0:
            raise ValueError(f"a loss lies in [0, 1], not {loss}")
        if new:
            self._new_count += 1
            self._new_total += loss
        else:
            self._old_count += 1
            self._old_total += loss
        if not self._new_count or not self._old_count:
            return None
        d = self._new_total / self._new_count - self._old_total / self._old_count
        self._reset()
        return d

    def snapshot(self) -> dict[str, Any]:
        """The whole state as plain numbers, for `restore`."""
        return {
            "v": 1,
            "old": [self._old_count, self._old_total],
            "new": [self._new_count, self._new_total],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """The pairing that `snapshot` was taken of; it continues bit for bit."""
        pairs = cls()
        pairs._old_count, pairs._old_total = snapshot["old"]
        pairs._new_count, pairs._new_total = snapshot["new"]
        return pairs

    def _reset(self) -> None:
        self._old_count = 0
        self._old_total = 0.0
        self._new_count = 0
        self._new_total = 0.0
