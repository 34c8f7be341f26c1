"""What is known to have happened, and whether it was found: false pages and delays.

time   ────●──────────┃──────────●────●─────┃─────────▶
           page       change     page page  change
           false                 found later          not found
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, NamedTuple

from trueup.datasets.falls import Fall, moment
from trueup.errors import InvalidSettings

Verdict = Literal["false", "found", "later"]


@dataclass(frozen=True, slots=True)
class Change:
    """Something that made models worse at `at`. `model_id` None: all of them."""

    at: float
    model_id: str | None = None
    planted: bool = False

    def concerns(self, model_id: str) -> bool:
        """Whether it is this model's."""
        return self.model_id in (None, model_id)


class Page(NamedTuple):
    """Somebody would have been called."""

    alert_id: str
    model_id: str
    at: float


def known_changes(words: str | None, fall: Fall | None) -> list[Change]:
    """`2013-03-01,fraud@2013-04-02T06:00:00Z`, and the fall that was planted; in order.

    Raises:
        InvalidSettings: one of them is no time.
    """
    changes = [] if fall is None else [Change(fall.begin, fall.model_id, planted=True)]
    for word in filter(None, (words or "").split(",")):
        model_id, _, when = word.strip().rpartition("@")
        if not when:
            raise InvalidSettings(f"--changes {words!r}: write days or times, such as 2013-03-01,MODEL@2013-04-02")
        changes.append(Change(moment(when), model_id or None))
    return sorted(changes, key=lambda change: (change.at, change.model_id or ""))


def verdicts(pages: Sequence[Page], changes: Sequence[Change]) -> dict[str, tuple[Verdict, Change | None]]:
    """Alert id -> what the page was. Of a model without any known change, every page is false.

    The first page after a change (and before the next one) found it; a page before the first one is false.
    """
    judged: dict[str, tuple[Verdict, Change | None]] = {}
    found: set[tuple[str, float]] = set()
    for page in sorted(pages, key=lambda page: (page.at, page.alert_id)):
        own = [change for change in changes if change.concerns(page.model_id) and change.at <= page.at]
        if not own:
            judged[page.alert_id] = ("false", None)
            continue
        change = own[-1]
        first = (page.model_id, change.at) not in found
        found.add((page.model_id, change.at))
        judged[page.alert_id] = ("found" if first else "later", change)
    return judged
