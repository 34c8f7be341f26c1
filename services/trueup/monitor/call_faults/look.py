"""What a rule for faults of the calls is: a look at one window of them, against what was usual so far."""

from __future__ import annotations

from collections.abc import Mapping
from typing import ClassVar, NamedTuple, Protocol

from scipy.special import bdtrc

from trueup.monitor.call_window import SKEW_SECONDS, CallWindow

#: Of each level, by a word of the rule's own, the highest that two windows in a row had in the weeks before.
Usual = Mapping[str, float]
#: Fewer odd calls than this in a window are no fault, whatever their share.
LEAST_ODD = 20
#: A share of calls rose by more than this; back by less than half of it is calm.
_ROSE = 0.05
_CHANCE = 1e-9
#: A share that never was is taken for one of so many.
_NEVER = 1 / 1_000
#: Clocks less than three buckets apart (12.5 minutes) are none that is wrong: something may have waited.
_LEAST_SKEW = 3
#: Shares of a skew below this are not noted: they cannot add up to much.
_NOTED = 0.02


class Look(NamedTuple):
    """A window shows the fault. `key`: only windows of the same key confirm each other."""

    detail: str
    key: str = ""


class Rule(Protocol):
    """One kind of fault. Pure; the windows that it takes in a row are counted elsewhere (`call_watch`)."""

    def levels(self, window: CallWindow) -> Usual | None:
        """What of this window is to be usual, where it is no fault; None: it says nothing of this."""

    def look(self, window: CallWindow, usual: Usual) -> Look | None:
        """What is wrong with the window, None where nothing is, or it is too small to tell."""

    def calm(self, window: CallWindow, usual: Usual) -> bool:
        """Whether a window is as the version was before: well within what `look` takes exception to."""


def rose(odd: int, n: int, usual: float) -> bool:
    """Whether so many of n are far more than the usual share.

    That is, by five points; twice as many as usual, or half as many that are not odd; and what chance brings about in
    one of 10^9 windows (binomial).
    """
    share = odd / n if n else 0.0
    if odd < LEAST_ODD or share < usual + _ROSE or (share < 2 * usual and 2 * (1 - share) > 1 - usual):
        return False
    return bool(bdtrc(odd - 1, n, max(usual, _NEVER)) <= _CHANCE)


def is_back(odd: int, n: int, usual: float) -> bool:
    """Whether so many of n are the usual share again."""
    return n > 0 and odd / n < usual + _ROSE / 2


class WrongClock:
    """Five points more of the predictions than ever before are dated ahead, or behind, by one and the same distance.

    A clock that is wrong is wrong by the same for hours. Old data that is read in, or waited in a queue, comes from
    one window to the next by another distance.
    """

    #: In which direction: 1 ahead, -1 behind.
    sign: ClassVar[int]

    def levels(self, window: CallWindow) -> Usual | None:
        """See `Rule.levels`. The shares of predictions by how far off they are."""
        if not window.n:
            return None
        found = {str(skew): window.skewed_near(skew) / window.n for skew in self._far(window)}
        return {skew: share for skew, share in found.items() if share >= _NOTED}

    def look(self, window: CallWindow, usual: Usual) -> Look | None:
        """See `Rule.look`."""
        most = max(self._far(window), key=lambda skew: (window.skewed_near(skew), -abs(skew)), default=None)
        if most is None:
            return None
        odd, n = window.skewed_near(most), window.n
        if not rose(odd, n, _usual_at(usual, most)):
            return None
        middle = sum([skew * window.skews.get(skew, 0) for skew in (most - 1, most, most + 1)]) / odd
        where = f"{_duration(abs(middle) * SKEW_SECONDS)} {'ahead of' if self.sign > 0 else 'behind'}"
        return Look(f"{odd / n:.1%} of {n:,} predictions are dated {where} the time at which they came", key=str(most))

    def calm(self, window: CallWindow, usual: Usual) -> bool:
        """See `Rule.calm`."""
        return window.n > 0 and all(
            is_back(window.skewed_near(skew), window.n, _usual_at(usual, skew)) for skew in self._far(window)
        )

    def _far(self, window: CallWindow) -> list[int]:
        return [skew for skew in window.skews if skew * self.sign >= _LEAST_SKEW]


def _usual_at(usual: Usual, skew: int) -> float:
    """The share that was usual so far away: of half as far, or further. How long things wait is not always the same."""
    return max([share for known, share in usual.items() if 2 * abs(int(known)) >= abs(skew)], default=0.0)


def _duration(seconds: float) -> str:
    return f"{seconds / 3_600:.1f} hours" if seconds >= 5_400 else f"{seconds / 60:.0f} minutes"
