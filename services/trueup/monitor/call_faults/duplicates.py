"""More predictions than usual repeat an id: something is sent twice."""

from __future__ import annotations

from trueup.monitor.call_faults.look import Look, Usual, is_back, rose
from trueup.monitor.call_window import CallWindow

_SHARE = "share"


class Duplicates:
    """The share of repeated ids rose: see `rose`."""

    def levels(self, window: CallWindow) -> Usual | None:
        """See `Rule.levels`."""
        return {_SHARE: window.repeats / window.calls} if window.calls else None

    def look(self, window: CallWindow, usual: Usual) -> Look | None:
        """See `Rule.look`."""
        repeats, n, before = window.repeats, window.calls, usual[_SHARE]
        if not rose(repeats, n, before):
            return None
        return Look(f"{repeats / n:.1%} of {n:,} predictions repeat an id, before at most {before:.1%} did at a time")

    def calm(self, window: CallWindow, usual: Usual) -> bool:
        """See `Rule.calm`."""
        return is_back(window.repeats, window.calls, usual[_SHARE])
