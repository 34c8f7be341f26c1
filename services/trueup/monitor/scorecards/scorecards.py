"""The scorecards of one version: by the hour for a day of label time, by the day for five weeks, and what was before.

      before            days                                   hours                 open
    <────────┼────┼────┼── ... ──┼────┼────────────┼──┼──┼──┼── ... ──┼──┼──┼─────────────>
                          35 days of UTC back                24 hours back      latest hour

An outcome is counted once, in the bucket of its label time; a bucket that is too old for its kind is merged into the
one that it lies in. Every window is a merge. All but the open bucket are held packed until something changes in them:
most models have few events, and many buckets.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal

import msgpack

from trueup.monitor.outcome import Label
from trueup.monitor.scorecards.labels import Labels
from trueup.monitor.scorecards.scorecard import Evidence, Frame, Scorecard
from trueup.monitor.windows import HOUR

HOURS_A_DAY = 24
DAYS_A_WEEK = 7
#: Days that are kept apart, today's included.
KEEP_DAYS = 35
#: Where a correction is counted, and what is older than the days: among the days, earlier than any.
_BEFORE = -1

Span = Literal["day", "week", "all"]
SPANS: tuple[Span, ...] = ("day", "week", "all")
#: In which sections they are saved.
Part = Literal["open", "hours", "days"]

_pack = msgpack.Packer().pack


class Scorecards:
    """Counts outcomes in; gives the merge over a span.

    `day`: the 24 hours up to the latest, in steps of an hour; `week`: the seven days (UTC) up to the latest, today's
    included; `all`: since the beginning, with every correction. A correction changes no other span.

    Args:
        positive: the label whose probability binary answers carry.
    """

    __slots__ = ("_changed", "_closed", "_days", "_hours", "_latest", "_open", "frame", "shown")

    def __init__(self, positive: Label) -> None:
        self.frame = Frame(positive)
        #: The hour since 1970 that is open; -1 before the first outcome.
        self._latest = -1
        self._open = Scorecard()
        self._hours = _Closed()
        self._days = _Closed()
        self._changed: set[Part] = set()
        #: Sums of closed buckets, by span, as long as none of them changes.
        self._closed: dict[Span, Scorecard] = {}
        #: How it is shown, and as what, once that was asked and until it changes.
        self.shown: tuple[object, bytes] | None = None

    # -- counting ---------------------------------------------------------------------------------------------------

    def add_all(self, given: Sequence[Evidence], observed_at: Sequence[float]) -> None:
        """Count outcomes whose truths were observed then, one after the other; at least one."""
        begin = self._latest * HOUR
        if begin <= min(observed_at) and max(observed_at) < begin + HOUR:
            self._changed.add("open")
            self.shown = None
            self._open.add_all(given, self.frame)
            return
        start, hour = 0, int(observed_at[0] // HOUR)
        for at, moment in enumerate(observed_at):
            if moment // HOUR != hour:
                self._add(given[start:at], hour)
                start, hour = at, int(moment // HOUR)
        self._add(given[start:], hour)

    def _add(self, given: Sequence[Evidence], hour: int) -> None:
        """Count outcomes of one hour in."""
        if hour > self._latest:
            self._begin(hour)
        self._changed.add("open")
        self.shown = None
        self._bucket(hour).add_all(given, self.frame)

    def correct(self, evidence: Evidence, sign: int) -> None:
        """Count an outcome in `all` alone, or take back (`sign` -1) what was counted of it."""
        self._changed.add("open")
        self.shown = None
        self._closed.pop("all", None)
        self._card_of_day(_BEFORE).add_all((evidence,), self.frame, sign)

    def _begin(self, hour: int) -> None:
        """A later hour than any before."""
        before, self._latest = self._latest, hour
        closed, self._open = self._open, Scorecard()
        if before >= 0:
            self._bucket(before).merge(closed)
        oldest = hour - HOURS_A_DAY
        for old in self._hours.until(oldest):
            self._changed.add("hours")
            self._bucket(old).merge(self._hours.pop(old))
        for day in self._days.until(oldest_day(hour)):
            if day != _BEFORE:
                self._card_of_day(_BEFORE).merge(self._days.pop(day))
        self._closed.clear()

    def _bucket(self, hour: int) -> Scorecard:
        """Where outcomes of this hour are counted, the latest hour being what it is."""
        if hour == self._latest:
            return self._open
        if hour > self._latest - HOURS_A_DAY:
            self._changed.add("hours")
            self._closed.clear()
            return self._hours.card(hour)
        day = hour // HOURS_A_DAY
        self._closed.pop("week", None)
        self._closed.pop("all", None)
        return self._card_of_day(day if day > oldest_day(self._latest) else _BEFORE)

    def _card_of_day(self, day: int) -> Scorecard:
        self._changed.add("days")
        return self._days.card(day)

    # -- reading ----------------------------------------------------------------------------------------------------

    def spans(self) -> dict[Span, Scorecard]:
        """The merges of the buckets of each span, not to be changed; the same one where spans hold the same."""
        merged: dict[int, Scorecard] = {}
        found: dict[Span, Scorecard] = {}
        for span in SPANS:
            closed = self._closed_sum(span)
            if id(closed) not in merged:
                card = merged[id(closed)] = Scorecard()
                card.merge(closed)
                card.merge(self._open)
            found[span] = merged[id(closed)]
        return found

    def _closed_sum(self, span: Span) -> Scorecard:
        found = self._closed.get(span)
        if found is None:
            found = self._closed[span] = self._sum_of_closed(span)
        return found

    def _sum_of_closed(self, span: Span) -> Scorecard:
        if span == "day":
            return self._hours.merged(self._hours.until(self._latest))
        today = self._latest // HOURS_A_DAY
        days = self._days.until(today)
        in_week = [day for day in days if day > today - DAYS_A_WEEK]
        if span == "all" and days == in_week:
            return self._closed_sum("week")
        if not days or (span == "week" and not in_week):
            return self._closed_sum("day")
        found = self._days.merged(days if span == "all" else in_week)
        found.merge(self._closed_sum("day"))
        return found

    # -- saving -----------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """All of it is to be saved."""
        self._changed |= {"open", "hours", "days"}

    def changes(self) -> dict[Part, Any]:
        """Part -> plain values, for those changed since the last call."""
        changed, self._changed = self._changed, set()
        found: dict[Part, Any] = {}
        if "open" in changed:
            found["open"] = [self._latest, self.frame.labels.known(), self.frame.origin, self._open.snapshot()]
        if "hours" in changed:
            found["hours"] = self._hours.snapshot()
        if "days" in changed:
            found["days"] = self._days.snapshot()
        return found

    def restore(self, part: str, data: Any) -> None:
        """Take back one part as `changes` gave it."""
        self.shown = None
        if part == "open":
            self._latest, labels, self.frame.origin, card = data
            self.frame.labels = Labels(labels)
            self._open = Scorecard.restore(card)
        elif part == "hours":
            self._hours = _Closed(data)
        elif part == "days":
            self._days = _Closed(data)


def oldest_day(latest_hour: int) -> int:
    """The latest day that is kept apart no more."""
    return latest_hour // HOURS_A_DAY - KEEP_DAYS


class _Closed:
    """Scorecards by hour or by day; packed, but for those that changed since they were saved."""

    __slots__ = ("_live", "_packed")

    def __init__(self, packed: dict[int, bytes] | None = None) -> None:
        self._packed: dict[int, bytes] = dict(packed or {})
        self._live: dict[int, Scorecard] = {}

    def card(self, bucket: int) -> Scorecard:
        """The scorecard of a bucket, to be changed; an empty one where there was none."""
        card = self._live.get(bucket)
        if card is None:
            packed = self._packed.pop(bucket, None)
            card = self._live[bucket] = Scorecard() if packed is None else _unpacked(packed)
        return card

    def pop(self, bucket: int) -> Scorecard:
        """The scorecard of a bucket that is kept no more."""
        card = self.card(bucket)
        del self._live[bucket]
        return card

    def until(self, last: int) -> list[int]:
        """The buckets up to and with this one, in their order in time."""
        return sorted([bucket for of in (self._packed, self._live) for bucket in of if bucket <= last])

    def merged(self, buckets: Iterable[int]) -> Scorecard:
        """The sum of these, in this order."""
        total = Scorecard()
        for bucket in buckets:
            total.merge(self._live.get(bucket) or _unpacked(self._packed[bucket]))
        return total

    def snapshot(self) -> dict[int, bytes]:
        """All of them packed, for `_Closed(snapshot)`."""
        self._packed.update((bucket, _pack(card.snapshot())) for bucket, card in self._live.items())
        self._live.clear()
        return dict(sorted(self._packed.items()))


def _unpacked(packed: bytes) -> Scorecard:
    return Scorecard.restore(msgpack.unpackb(packed, strict_map_key=False))
