"""More calls fail than usual."""

from __future__ import annotations

from trueup.monitor.call_faults.look import Look, Usual, is_back, rose
from trueup.monitor.call_window import CallWindow

_SHARE = "share"


class Failing:
    """The share of calls with an `error` rose: see `rose`."""

    def levels(self, window: CallWindow) -> Usual | None:
        """See `Rule.levels`."""
        return {_SHARE: window.failed / window.n} if window.n else None

    def look(self, window: CallWindow, usual: Usual) -> Look | None:
        """See `Rule.look`."""
        failed, n, before = window.failed, window.n, usual[_SHARE]
        if not rose(failed, n, before):
            return None
        return Look(f"{failed / n:.1%} of {n:,} calls failed, before at most {before:.1%} did at a time")

    def calm(self, window: CallWindow, usual: Usual) -> bool:
        """See `Rule.calm`."""
        return is_back(window.failed, window.n, usual[_SHARE])
