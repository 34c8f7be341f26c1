"""Numbers where there were texts, texts where there were numbers: a parser or an encoding changed."""

from __future__ import annotations

from trueup.monitor.features.faults.look import LEAST_ODD, Known, Look
from trueup.monitor.features.profile import Profile

#: Of a column of which so many values had one type, at least so many have another.
_ONE_TYPE, _OTHER, _CALM = 0.99, 0.1, 0.05


class TypeChanged:
    """A tenth of the values or more have another type than 99 % had before."""

    def look(self, window: Profile, known: Known) -> Look | None:
        """See `Rule.look`."""
        kind, recent = known.kind, known.recent
        if not recent.present or recent.kinds[kind] < _ONE_TYPE * recent.present:
            return None
        others = window.present - window.kinds[kind]
        if others < LEAST_ODD or others < _OTHER * window.present:
            return None
        kinds = {name: n for name, n in window.kinds.items() if name != kind}
        new = max(kinds, key=lambda name: kinds[name])
        return Look(
            f"{others / window.present:.1%} of {window.present:,} values are a {new}, before they were a {kind}"
        )

    def calm(self, window: Profile, known: Known) -> bool:
        """See `Rule.calm`."""
        others = window.present - window.kinds[known.kind]
        return window.present > 0 and others < _CALM * window.present
