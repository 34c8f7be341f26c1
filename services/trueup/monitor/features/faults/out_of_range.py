"""Numbers far outside of where they ever were."""

from __future__ import annotations

from trueup.monitor.features.faults.look import LEAST_ODD, Known, Look
from trueup.monitor.features.profile import Profile

#: So many of the values; fewer than this is calm.
_MANY, _CALM = 0.2, 0.1
#: A column of fewer different numbers, or mostly of one, has no range to speak of: rain is rare, and then it pours.
_LEAST_DISTINCT, _COMMONEST = 10, 0.5


class OutOfRange:
    """A fifth of the numbers lies further outside of the range so far than the range is wide.

    The range follows what comes (see `Column`), so that a season that turns does not leave it; a leap does.
    """

    def look(self, window: Profile, known: Known) -> Look | None:
        """See `Rule.look`."""
        numbers = known.recent.numbers
        if numbers.distinct < _LEAST_DISTINCT or known.largest_share > _COMMONEST:
            return None
        share = _share_outside(window, known)
        if share < _MANY or share * window.numbers.n < LEAST_ODD:
            return None
        return Look(
            f"{share:.1%} of {window.numbers.n:,} values are far outside of {known.low:.6g} to {known.high:.6g}, "
            f"where they were before; the middle one is {window.numbers.quantile(0.5):.6g}"
        )

    def calm(self, window: Profile, known: Known) -> bool:
        """See `Rule.calm`."""
        return window.numbers.n > 0 and _share_outside(window, known) < _CALM


def _share_outside(window: Profile, known: Known) -> float:
    width = known.high - known.low
    return window.numbers.share_outside(known.low - width, known.high + width)
