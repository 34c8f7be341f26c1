"""Event times lie behind when they came, all by the same: a producer's time zone, or its clock, is wrong."""

from __future__ import annotations

from trueup.monitor.call_faults.look import Look, Usual, skew_levels, skewed, skewed_no_more
from trueup.monitor.call_window import CallWindow

_SIGN = -1


class ClockBehind:
    """Five points more of the predictions than ever before are dated behind by one and the same distance."""

    def levels(self, window: CallWindow) -> Usual | None:
        """See `Rule.levels`."""
        return skew_levels(window, _SIGN)

    def look(self, window: CallWindow, usual: Usual) -> Look | None:
        """See `Rule.look`."""
        return skewed(window, usual, _SIGN)

    def calm(self, window: CallWindow, usual: Usual) -> bool:
        """See `Rule.calm`."""
        return skewed_no_more(window, usual, _SIGN)
