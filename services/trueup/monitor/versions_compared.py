"""A new version against the one before it, while both serve: the sequential test on split traffic."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.monitor.outcome import Outcome
from trueup.monitor.windows import Tally
from trueup.statistics.comparison import SequentialComparison
from trueup.statistics.paired_outcomes import PairedOutcomes


class VersionsCompared:
    """The test between `new` and `old`. Decides once; a newer version starts a new test.

    Only predictions made since `new` came to serve count: what `old` did in other times proves nothing about it.
    """

    def __init__(self, new: str, old: str, alpha: float, *, since: float) -> None:
        self.new = new
        self.old = old
        self.since = since
        self.test = SequentialComparison(alpha=alpha)
        self.new_tally = Tally()
        self.old_tally = Tally()
        self._pairs = PairedOutcomes()

    @property
    def undecided(self) -> bool:
        """Whether the verdict is still to come."""
        return self.test.verdict == "undecided"

    def add(self, model_version: str, outcome: Outcome, predicted_at: float) -> bool:
        """Take one outcome of either version; True when it brings the verdict."""
        if model_version not in (self.new, self.old) or not self.undecided:
            return False
        if predicted_at < self.since:
            return False
        new = model_version == self.new
        (self.new_tally if new else self.old_tally).add(outcome)
        difference = self._pairs.update(outcome.loss, new=new)
        if difference is None:
            return False
        self.test.update(difference)
        return not self.undecided

    def snapshot(self) -> dict[str, Any]:
        """Plain values, for `restore`."""
        return {
            "new": self.new,
            "old": self.old,
            "since": self.since,
            "test": self.test.snapshot(),
            "pairs": self._pairs.snapshot(),
            "tallies": [self.new_tally.snapshot(), self.old_tally.snapshot()],
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> VersionsCompared:
        """The same test again; continues bit for bit."""
        compared = cls(data["new"], data["old"], data["test"]["alpha"], since=data["since"])
        compared.test = SequentialComparison.restore(data["test"])
        compared._pairs = PairedOutcomes.restore(data["pairs"])
        compared.new_tally, compared.old_tally = (Tally(*tally) for tally in data["tallies"])
        return compared
