"""How many windows in a row were bad, and how long such a row may be without a fault."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

#: A fault has to last so many windows, and twice as long as bad windows ever lasted before.
_LEAST, _TIMES = 2, 2


class Streak:
    """Bad windows of one key that follow each other."""

    __slots__ = ("_key", "length", "longest", "since")

    def __init__(self) -> None:
        self.length = 0
        self.since = 0.0
        self._key = ""
        #: The longest that passed, or lasted while the reference was learned.
        self.longest = 0

    def step(self, key: str | None, start: float, *, learning: bool) -> None:
        """Another window, which starts then; `key` None: it is not bad."""
        if key is None:
            self.longest = max(self.longest, self.length)
            self.length = 0
            return
        if self.length == 0 or key != self._key:
            self.length, self.since, self._key = 0, start, key
        self.length += 1
        if learning:
            self.longest = max(self.longest, self.length)

    def ended(self, windows: int) -> None:
        """The fault ended by itself after so many windows: that is how this column is, and no fault another time."""
        self.longest = max(self.longest, windows)
        self.length = 0

    @property
    def is_fault(self) -> bool:
        """Whether it lasted so long that it is no accident."""
        return self.length >= _LEAST + _TIMES * self.longest

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        return [self.length, self.since, self._key, self.longest]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> Streak:
        """The same again."""
        found = cls()
        found.length, found.since, found._key, found.longest = data
        return found
