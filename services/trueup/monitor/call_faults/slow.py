"""Calls take far longer than they ever did; those that fail are left out: they have a rule of their own."""

from __future__ import annotations

from trueup.monitor.call_faults.look import LEAST_ODD, Look, Usual
from trueup.monitor.call_window import CallWindow

#: Of so many calls.
_LEAST = 50
_MIDDLE, _TAIL = 0.5, 0.95
#: So many times what was usual, and so many milliseconds more; within so many times it is calm.
_TIMES, _MORE_MS, _CALM_TIMES = 2.0, 5.0, 1.5
#: Such a share of calls, that take longer than nearly all of any window did; fewer than this is calm.
_MANY, _CALM = 0.2, 0.1


class Slow:
    """Half of the calls take twice what they took at any time before, or a fifth twice what 95 % took at most."""

    def levels(self, window: CallWindow) -> Usual | None:
        """See `Rule.levels`."""
        if window.latencies_ms.n < _LEAST:
            return None
        return {name: window.latencies_ms.quantile(share) for name, share in (("middle", _MIDDLE), ("tail", _TAIL))}

    def look(self, window: CallWindow, usual: Usual) -> Look | None:
        """See `Rule.look`."""
        timed = window.latencies_ms.n
        if timed < _LEAST:
            return None
        middle, before, tail = window.latencies_ms.quantile(_MIDDLE), usual["middle"], usual["tail"]
        if middle >= _far(before):
            return Look(f"half of {timed:,} calls took over {middle:.0f} ms, before at most {before:.0f} ms at a time")
        slower = _share_slower(window, tail)
        if slower < _MANY or slower * timed < LEAST_ODD:
            return None
        return Look(
            f"{slower:.1%} of {timed:,} calls took over {_far(tail):.0f} ms; before, {_TAIL:.0%} took at most "
            f"{tail:.0f} ms at any time"
        )

    def calm(self, window: CallWindow, usual: Usual) -> bool:
        """See `Rule.calm`."""
        middle, before = window.latencies_ms.quantile(_MIDDLE), usual["middle"]
        return (
            window.latencies_ms.n >= _LEAST
            and middle < max(_CALM_TIMES * before, before + _MORE_MS)
            and _share_slower(window, usual["tail"]) < _CALM
        )


def _share_slower(window: CallWindow, tail_ms: float) -> float:
    return window.latencies_ms.share_outside(0.0, _far(tail_ms))


def _far(usual_ms: float) -> float:
    return max(_TIMES * usual_ms, usual_ms + _MORE_MS)
