"""The wall clock, made safe to fold in: a jump is not believed until it has lasted.

Steps let go of what is old and say that a model is silent by the time that they are told; a clock that is a year ahead
for a second would let everything go, for good.

    wall      ──────╮                 ╭── back to what the others say
                    │     a jump      │
    told      ──────┴─────────────────┴──
"""

from __future__ import annotations

import logging
import time
from collections.abc import Callable

log = logging.getLogger(__name__)

#: A difference between the two clocks up to this is the wall clock being set right, and is taken at once.
SMALL_SECONDS = 60.0
#: A larger one is believed once it has lasted so long.
BELIEVED_AFTER_SECONDS = 300.0


class SteadyClock:
    """Seconds since 1970 that move as the monotonic clock does, and follow the wall clock where it is to be believed.

    A process that starts believes the wall clock: it has nothing else.
    """

    def __init__(self, wall: Callable[[], float] = time.time, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._wall = wall
        self._monotonic = monotonic
        self._offset = wall() - monotonic()
        self._jumped_at: float | None = None

    def __call__(self) -> float:
        """The time to tell."""
        now = self._monotonic()
        offset = self._wall() - now
        if abs(offset - self._offset) <= SMALL_SECONDS:
            self._offset, self._jumped_at = offset, None
        elif self._jumped_at is None:
            self._jumped_at = now
            log.error("the clock of this machine jumped by %.0f s: it is not believed yet", offset - self._offset)
        elif now - self._jumped_at >= BELIEVED_AFTER_SECONDS:
            log.error("the clock of this machine stays %.0f s from where it was: it is believed", offset - self._offset)
            self._offset, self._jumped_at = offset, None
        return now + self._offset
