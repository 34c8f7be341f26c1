"""A new version against the one before it, in split traffic and on the same events."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Literal

from trueup.monitor.outcome import Outcome
from trueup.monitor.windows import Tally
from trueup.statistics.comparison import SequentialComparison
from trueup.statistics.paired_outcomes import PairedOutcomes

Verdict = Literal["worse", "better", "not_worse", "undecided"]
#: What was held against what: the two answers to the same requests, those to different requests, or some of each.
Pairing = Literal["same_event", "split", "mixed"]


class VersionsCompared:
    """The test between `new` and `old`. Decides once; a newer version starts a new test.

    Only predictions made since `new` came to serve count: what `old` did in other times proves nothing about it.
    Where both answered one request, the difference of just these two losses is taken, in which what makes a request
    hard or easy cancels out. Where only one did, its outcome meets those of the other that come next, in the order in
    which truths come. No outcome is used twice, so both kinds of differences make one game (`SequentialComparison`).

    Args:
        margin: the loss that `new` may cost. With one, the verdict for it is `not_worse`: it was shown to cost less.
    """

    def __init__(self, new: str, old: str, alpha: float, *, since: float, margin: float = 0.0) -> None:
        self.new = new
        self.old = old
        self.since = since
        self.test = SequentialComparison(alpha=alpha, margin=margin)
        self.new_tally = Tally()
        self.old_tally = Tally()
        #: How many of the differences are of two answers to one request.
        self.same_event = 0
        self._pairs = PairedOutcomes()

    @property
    def undecided(self) -> bool:
        """Whether the verdict is still to come."""
        return self.test.verdict == "undecided"

    @property
    def verdict(self) -> Verdict:
        """What was found of `new`."""
        return "not_worse" if self.test.verdict == "better" and self.test.margin > 0.0 else self.test.verdict

    @property
    def pairing(self) -> Pairing | None:
        """What was held against what so far; None before the first pair."""
        if not self.test.n:
            return None
        if not self.same_event:
            return "split"
        return "same_event" if self.same_event == self.test.n else "mixed"

    @property
    def more_events_needed(self) -> int | None:
        """How many truths more the verdict is expected to take, at the difference and the shares of traffic so far.

        None where that cannot be said yet, or no number would do: `SequentialComparison.more_needed`.
        """
        more = self.test.more_needed
        if more is None:
            return None
        events = self.new_tally.n + self.old_tally.n - self.same_event
        return -(-more * events // max(1, self.test.n))

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

    def add_pair(self, new: Outcome, old: Outcome) -> bool:
        """Take how both versions' answers to one request, made since `since`, turned out; True for the verdict."""
        if not self.undecided:
            return False
        self.new_tally.add(new)
        self.old_tally.add(old)
        self.same_event += 1
        self.test.update(new.loss - old.loss)
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
            "same_event": self.same_event,
        }

    @classmethod
    def restore(cls, data: Mapping[str, Any]) -> VersionsCompared:
        """The same test again; continues bit for bit."""
        compared = cls(data["new"], data["old"], data["test"]["alpha"], since=data["since"])
        compared.test = SequentialComparison.restore(data["test"])
        compared._pairs = PairedOutcomes.restore(data["pairs"])
        compared.new_tally, compared.old_tally = (Tally(*tally) for tally in data["tallies"])
        compared.same_event = data.get("same_event", 0)
        return compared
