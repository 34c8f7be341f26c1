"""One value all the time, of a column that used to vary: a sensor hangs, a default is filled in."""

from __future__ import annotations

from trueup.monitor.features.faults.look import Known, Look
from trueup.monitor.features.profile import Profile

#: Of so many values; the commonest had at most this share before: 0.5^50 is below 10^-15.
_LEAST, _COMMONEST = 50, 0.5


class Stuck:
    """Every value of the window is the same, of a column in which none had more than half of all."""

    def look(self, window: Profile, known: Known) -> Look | None:
        """See `Rule.look`."""
        value = window.only_value
        if value is None or window.present < _LEAST or known.largest_share > _COMMONEST:
            return None
        return Look(f"each of {window.present:,} values is {value}", key=value)

    def calm(self, window: Profile, known: Known) -> bool:  # noqa: ARG002
        """See `Rule.calm`."""
        return window.present >= _LEAST and window.only_value is None
