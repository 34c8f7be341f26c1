"""Values are missing, null or left out, that used to be there."""

from __future__ import annotations

from scipy.special import bdtrc

from trueup.monitor.features.faults.look import LEAST_ODD, Known, Look
from trueup.monitor.features.profile import Profile

#: The share of missing values rose by more than this; back by less than half of it is calm.
_ROSE = 0.1
_CHANCE = 1e-9


class Missing:
    """The share of missing values rose by ten points, which chance brings about in one of 10^9 windows (binomial)."""

    def look(self, window: Profile, known: Known) -> Look | None:
        """See `Rule.look`."""
        missing, n, before = window.missing, window.n, known.missing_share
        if missing < LEAST_ODD or window.missing_share < before + _ROSE:
            return None
        if bdtrc(missing - 1, n, max(before, 1 / known.recent.n)) > _CHANCE:
            return None
        if missing == n:
            return Look(f"all {n:,} values are missing, before at most {before:.1%} of a day were")
        return Look(
            f"{window.missing_share:.1%} of {n:,} values are missing, before at most {before:.1%} of a day were"
        )

    def calm(self, window: Profile, known: Known) -> bool:
        """See `Rule.calm`."""
        return window.missing_share < known.missing_share + _ROSE / 2
