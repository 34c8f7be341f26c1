"""Texts that were never seen: another spelling, another code list."""

from __future__ import annotations

from trueup.monitor.features.faults.look import LEAST_ODD, Known, Look
from trueup.monitor.features.profile import Profile
from trueup.monitor.segments import OTHER

#: So many of the values; fewer than this is calm.
_MANY, _CALM = 0.2, 0.1


class Unseen:
    """A fifth of the texts were not among those of before, in a column of which all values are counted apart."""

    def look(self, window: Profile, known: Known) -> Look | None:
        """See `Rule.look`."""
        before = known.recent.categories
        if not before or OTHER in before:
            return None
        unseen = {value: n for value, n in window.categories.items() if value not in before}
        n, of = sum(unseen.values()), window.texts + window.truths
        if n < LEAST_ODD or n < _MANY * of:
            return None
        most = sorted(unseen, key=lambda value: (-unseen[value], value))[:3]
        return Look(f"{n / of:.1%} of {of:,} values were never seen before: {', '.join(most)}")

    def calm(self, window: Profile, known: Known) -> bool:
        """See `Rule.calm`."""
        of = window.texts + window.truths
        unseen = sum([n for value, n in window.categories.items() if value not in known.recent.categories])
        return of > 0 and unseen < _CALM * of
