"""When the monitor cannot tell: predictions or truths have stopped coming. A state, with a beginning and an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Missing = Literal["predictions", "feedback"]
HOUR = 3_600.0


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

    def seen(self, what: Missing, at: float | None) -> bool:
        """One came, of event time `at` (None: by the wall clock, now); True when that ends a blindness."""
        if at is None:
            if what not in self.fresh:
                self.fresh.append(what)
        else:
            self._came(what, at)
        return self.blind.pop(what, None) is not None

    def date_fresh(self, now: float) -> bool:
        """What came since the last tick came `now`; whether anything did."""
        came, self.fresh = self.fresh, []
        for what in came:
            self._came(what, now)
        return bool(came)

    def _came(self, what: str, at: float) -> None:
        self.last[what] = max(at, self.last.get(what, 0.0))
        if self.began is None:
            self.began = at

    def tick(self, now: float, after_hours: float) -> list[tuple[Missing, float]]:
        """What has been missing for `after_hours` as of `now`, and since when; each is told once."""
        missing: list[tuple[Missing, float]] = []
        kinds: tuple[Missing, ...] = ("predictions", "feedback")
        for what in kinds:
            last = self.last.get(what, self.began)
            if last is not None and what not in self.blind and now - last > after_hours * HOUR:
                self.blind[what] = last
                missing.append((what, last))
        return missing

    def snapshot(self) -> list[Any]:
        """Plain values; `Sight(*snapshot)` is the same again."""
        return [self.last, self.blind, self.fresh, self.began]
