"""When the monitor cannot tell: predictions or truths have stopped coming. A state, with a beginning and an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Missing = Literal["predictions", "feedback"]
HOUR, DAY = 3_600.0, 86_400.0
KINDS: tuple[Missing, ...] = ("predictions", "feedback")
#: For want of event times that move.
CLOCK = "clock"
#: A clock is not said to stand still before records came between so many ticks.
LEAST_TICKS = 10


@dataclass(slots=True)
class Sight:
    """What one model was last seen to do, and for want of what the monitor is blind.

    By the stream's clock `last` are event times. By the wall clock they are ticks: what came between two of them came
    at the second, whatever its own time, so that catching up on old data is no blindness.
    """

    last: dict[str, float] = field(default_factory=dict)
    blind: dict[str, float] = field(default_factory=dict)
    #: What came since the last tick, by the wall clock.
    fresh: list[str] = field(default_factory=list)
    #: When the first of all came: truths are missed from then on, also where none ever came.
    began: float | None = None
    #: When anything came last, deployments too.
    active_at: float | None = None
    #: By the wall clock: the event time of the first that came since the last tick.
    dates: dict[str, float] = field(default_factory=dict)
    #: By the wall clock: the latest of these, and of those since that were no later: the ticks of the first and of the
    #: last of them, and how many there were.
    reached: dict[str, tuple[float, float, float, int]] = field(default_factory=dict)

    def seen(self, what: Missing, at: float | None) -> bool:
        """One came, of event time `at` (None: by the wall clock, now); True when that ends a blindness."""
        self._note(what, at)
        return self.blind.pop(what, None) is not None

    def dated(self, what: Missing, at: float) -> None:
        """By the wall clock: the first that came since the last tick is of this event time."""
        self.dates[what] = at

    def stirred(self, at: float | None) -> None:
        """Something came of which nothing is missed when it stays away."""
        self._note("", at)

    def _note(self, what: str, at: float | None) -> None:
        if at is None:
            if what not in self.fresh:
                self.fresh.append(what)
        else:
            self._came(what, at)

    def date_fresh(self, now: float) -> bool:
        """What came since the last tick came `now`; whether anything did."""
        came, self.fresh = self.fresh, []
        for what in came:
            self._came(what, now)
        return bool(came)

    def look_at_clock(self, now: float, after_hours: float) -> tuple[float, bool] | None:
        """Whether event times began to stand still, or to move again: since when, and whether they move. After `dated`.

        They stand still where some came at `LEAST_TICKS` ticks over `after_hours`, none later than all before.
        """
        for what, at in self.dates.items():
            latest, first, _, ticks = self.reached.get(what, (-1.0, now, now, 0))
            if at > latest:
                self.reached[what] = (at, now, now, 0)
            else:
                self.reached[what] = (latest, first if ticks else now, now, min(ticks + 1, LEAST_TICKS))
        self.dates = {}
        standing = [
            first
            for _, first, last, ticks in self.reached.values()
            if ticks >= LEAST_TICKS and last - first > after_hours * HOUR
        ]
        if standing and CLOCK not in self.blind:
            self.blind[CLOCK] = min(standing)
            return min(standing), False
        return (self.blind.pop(CLOCK), True) if CLOCK in self.blind and not standing else None

    def _came(self, what: str, at: float) -> None:
        if self.active_at is None or at > self.active_at:
            self.active_at = at
        if not what:
            return
        self.last[what] = max(at, self.last.get(what, 0.0))
        if self.began is None:
            self.began = at

    def tick(self, now: float, after_hours: float) -> list[tuple[Missing, float]]:
        """What has been missing for `after_hours` as of `now`, and since when; each is told once."""
        missing: list[tuple[Missing, float]] = []
        for what in KINDS:
            last = self._missed_since(what)
            if last is not None and now - last > after_hours * HOUR:
                self.blind[what] = last
                missing.append((what, last))
        return missing

    def _missed_since(self, what: Missing) -> float | None:
        return None if what in self.blind else self.last.get(what, self.began)

    def may_rest(self, now: float, after_days: float) -> bool:
        """Whether nothing came for so long, and all that is to be told of that was told."""
        if self.fresh or self.active_at is None or now - self.active_at <= after_days * DAY:
            return False
        return self.began is None or all(what in self.blind for what in KINDS)

    def next_look(self, after_hours: float, rest_after_days: float) -> float | None:
        """The earliest time at which `tick` or `may_rest` may have something to say; None until anything comes."""
        missed = [since for what in KINDS if (since := self._missed_since(what)) is not None]
        if missed:
            return min(missed) + after_hours * HOUR
        return None if self.active_at is None else self.active_at + rest_after_days * DAY

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        last, blind = dict(sorted(self.last.items())), dict(sorted(self.blind.items()))
        dates, reached = dict(sorted(self.dates.items())), dict(sorted(self.reached.items()))
        return [last, blind, sorted(self.fresh), self.began, self.active_at, dates, reached]

    @classmethod
    def restore(cls, data: list[Any]) -> Sight:
        """The same again."""
        sight = cls(*data)
        sight.reached = {what: (at, first, last, ticks) for what, (at, first, last, ticks) in sight.reached.items()}
        if sight.active_at is None and sight.began is not None:
            sight.active_at = max([sight.began, *sight.last.values()])
        return sight
