"""A column of numbers that leapt to elsewhere: what came since is put together until it can be explained."""

from __future__ import annotations

from collections.abc import Sequence
from math import inf
from typing import Any, Literal

from trueup.monitor.features.histogram import Histogram
from trueup.monitor.features.profile import Profile
from trueup.monitor.features.units import Conversion, Leap, Usual, distance, explain, middle_of

#: Numbers in a window, fewer of which tell nothing.
_LEAST = 30
#: A leap is so many times as far as any step before it.
_LEAPT = 1.5
#: Once the reference stands, a window widens what is usual at most by so much: it may be half of another unit.
_WIDENS = 1.25
#: From so many windows on it is known what is usual.
_LEAST_SEEN = 12
#: The window of the leap, and two that are wholly new.
_LEAST_WINDOWS = 3
#: Where no window was ever further from the days before it than this, each is distributed as they are.
_STEADY = 0.5
#: Then so many numbers are enough; else a day is looked at as a whole: an hour's weather is no picture of a week's.
_ENOUGH, _WHOLE_DAY = 600, 86_400.0

Step = Literal["quiet", "waiting", "unexplained"] | Conversion


class Leaps:
    """Watches the middle of each window of a column, and explains a leap once enough came after it.

        windows   . . . . . . | o o o o o      leap: put aside until they are enough, a day where hours differ,
                              └ leap           then explained by another unit, or not

    `usual` is learned all along from windows in which nothing leapt.
    """

    __slots__ = (
        "_after",
        "_middles",
        "_seen",
        "_since",
        "_windows",
        "furthest_day",
        "furthest_window",
        "longest_step",
        "pool",
    )

    def __init__(self) -> None:
        #: The middles of the last two windows without a leap, and that of the second after one.
        self._middles: list[float] = []
        self._after = 0.0
        #: The longest way from the middle of one window to that of the next but one: the one between may be half old.
        self.longest_step = 0.0
        #: How far (`distance`) a window, and a day, lay from the days before it at most.
        self.furthest_window = 0.0
        self.furthest_day = 0.0
        #: What came since a leap, but for the window in which it was: that may be half old.
        self.pool: Profile | None = None
        self._since = 0.0
        self._windows = 0
        #: Windows without a leap.
        self._seen = 0

    @property
    def since(self) -> float:
        """When the last leap was."""
        return self._since

    @property
    def steady(self) -> bool:
        """Whether each window is distributed as the days before it."""
        return self.furthest_window <= _STEADY

    def step(self, window: Profile, recent: Histogram, *, start: float, end: float, learning: bool) -> Step:
        """Take a window; what there is to say of the leap before it, if there was one."""
        if window.numbers.n < _LEAST or 2 * window.numbers.n < window.n:
            return "quiet" if self.pool is None else "waiting"
        middle = middle_of(window.numbers)
        if self.pool is not None:
            self.pool.merge(window)
            self._windows += 1
            if self._windows == 2:
                self._after = middle
            return self._explained(recent, middle, end)
        step = abs(middle - self._middles[0]) if self._middles else 0.0
        learning = learning or self._seen < _LEAST_SEEN
        self._seen += 1
        if not learning and step > _LEAPT * self.longest_step:
            self.pool, self._since, self._windows = Profile(), start, 1
            return "waiting"
        self._middles = [*self._middles, middle][-2:]
        most, apart = inf if learning else _WIDENS, distance(recent, window.numbers)
        self.longest_step = max(self.longest_step, min(step, most * self.longest_step or step))
        self.furthest_window = max(self.furthest_window, min(apart, most * self.furthest_window or apart))
        return "quiet"

    def _explained(self, recent: Histogram, middle: float, end: float) -> Step:
        assert self.pool is not None
        if abs(middle - self._middles[0]) <= self.longest_step:
            return "unexplained"  # it is where it was
        enough = self.steady and self.pool.numbers.n >= _ENOUGH
        if self._windows < _LEAST_WINDOWS or not (enough or end - self._since >= _WHOLE_DAY):
            return "waiting"
        leap = Leap(self._middles[0], self._after, self.longest_step)
        usual = Usual(leap, self.furthest_day, self.steady)
        return explain(recent, self.pool.numbers, usual) or "unexplained"

    def day(self, day: Histogram, recent: Histogram) -> None:
        """A day is over, held against those before it."""
        self.furthest_day = max(self.furthest_day, distance(recent, day))

    def taken(self) -> Profile:
        """The leap is dealt with: what was put aside; the next window is held against none before it."""
        pool, self.pool = self.pool or Profile(), None
        self._middles = []
        return pool

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        pool = None if self.pool is None else self.pool.snapshot()
        learned = [self._middles, self._after, self.longest_step, self.furthest_window, self.furthest_day]
        return [*learned, pool, self._since, self._windows, self._seen]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> Leaps:
        """The same again."""
        found = cls()
        found._middles, found._after, found.longest_step, found.furthest_window, found.furthest_day, pool = data[:6]
        found.pool = None if pool is None else Profile.restore(pool)
        found._middles = list(found._middles)
        found._since, found._windows, found._seen = data[6:]
        return found
