"""When a lane is saved: often, for as long as saves stay a small part of its work; at once, when nothing else comes.

├─ interval ─┤
save ── takes, takes, takes ──> cut: it costs 1 s where 4 s were worked since   `save_share`
save ── takes ─ waits ─ takes ─> cut: it costs 1 s where 20 s went by           `idle_save_share`
save ── takes, and no more ───> cut: nobody waits for what it costs             after one interval
"""

from __future__ import annotations

import time
from collections.abc import Callable
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class SavePace:
    """How often a worker saves."""

    #: Saves of a lane are at least this far apart, but for what is urgent.
    save_interval_seconds: float = 0.5
    #: Cutting takes at most this share of the time that the lane works: one that costs 10 ms follows on 40 ms of work.
    save_share: float = 0.2
    #: Or this share of the time that passes, all lanes together: what costs little need not wait for work.
    idle_save_share: float = 0.05
    #: Where its share would make it wait for longer, a lane is saved after so long.
    longest_save_interval_seconds: float = 30.0
    #: Where nothing came but the time, a save can wait so long.
    tick_save_seconds: float = 30.0


class Pacing:
    """Of one lane.

    Args:
        most_seconds: no save waits for longer than this, whatever the pace says.
        clock: seconds, which never go back.
    """

    def __init__(self, pace: SavePace, most_seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._pace, self._clock = pace, clock
        self._longest = min(pace.longest_save_interval_seconds, most_seconds)
        self._interval = min(pace.save_interval_seconds, most_seconds)
        #: How many lanes share the worker.
        self.lanes = 1
        #: Seconds that the last cut took.
        self.cost = 0.0
        self._worked = 0.0
        self._cut_at = self._took_at = clock()

    def worked(self, seconds: float) -> None:
        """The lane took something, and it kept it busy for so long."""
        self._worked += seconds

    def took(self) -> None:
        """Events came, and not the time alone."""
        self._took_at = self._clock()

    def cut(self, seconds: float) -> None:
        """It was cut just now, which took so long."""
        self._cut_at, self.cost, self._worked = self._clock(), seconds, 0.0

    def due(self, *, urgent: bool, only_ticks: bool) -> float:
        """When to cut next, by the clock.

        Args:
            urgent: something must go out at once.
            only_ticks: nothing was taken since the last cut but the time.
        """
        pace, cost = self._pace, self.cost
        if urgent:
            return self._cut_at + cost
        gap = cost * self.lanes / pace.idle_save_share
        if self._worked >= cost * (1 - pace.save_share) / pace.save_share:
            gap = 0.0
        if only_ticks:
            gap = max(gap, pace.tick_save_seconds)
        else:
            gap = min(gap, self._when_quiet())
        return self._cut_at + max(self._interval, min(gap, self._longest))

    def _when_quiet(self) -> float:
        """How long after the last cut to save, if nothing more comes until then: at the share of a lane at work."""
        share = self.cost * self.lanes / self._pace.save_share
        return max(share, self._took_at - self._cut_at + self._interval)
