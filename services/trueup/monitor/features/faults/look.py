"""What a rule for data faults is: a look at one window of one column, against what is known of the column."""

from __future__ import annotations

from dataclasses import dataclass
from typing import NamedTuple, Protocol

from trueup.monitor.features.profile import Profile

#: Fewer odd values than this in a window are no fault, whatever their share.
LEAST_ODD = 20


class Look(NamedTuple):
    """A window shows the fault. `key`: only windows of the same key confirm each other."""

    detail: str
    key: str = ""


@dataclass(frozen=True, slots=True)
class Known:
    """What is known of a column: the days before this one, without faults."""

    recent: Profile
    #: Where its numbers lay so far, but for the outermost half per cent of a day on either side.
    low: float
    high: float
    #: The share of missing values, and that of the commonest value, on the day on which it was largest so far.
    missing_share: float
    largest_share: float
    #: The type of most values.
    kind: str


class Rule(Protocol):
    """One kind of fault. Pure; the streak of windows that it takes is counted elsewhere (`column`).

    Where values are independent and distributed as known, `look` finds a window bad with a probability of at most
    10^-9; how long bad windows last for other reasons is learned with the reference.
    """

    def look(self, window: Profile, known: Known) -> Look | None:
        """What is wrong with the window, None where nothing is, or it is too small to tell."""

    def calm(self, window: Profile, known: Known) -> bool:
        """Whether a window is again as the column was before: well within what `look` takes exception to."""
