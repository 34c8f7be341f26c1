"""When the monitor cannot tell: predictions or truths have stopped coming. A state, with a beginning and an end."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any, Literal

Missing = Literal["predictions", "feedback"]
HOUR = 3_600.0


@dataclass(slots=True)
class Sight:
    """What one model was last seen to do, in event time, and for want of what the monitor is blind."""

    last: dict[str, float] = field(default_factory=dict)
    blind: dict[str, float] = field(default_factory=dict)

    def seen(self, what: Missing, at: float) -> bool:
        """One came, of event time `at`; True when that ends a blindness."""
        if at > self.last.get(what, 0.0):
            self.last[what] = at
        return self.blind.pop(what, None) is not None

    def tick(self, now: float, after_hours: float) -> list[tuple[Missing, float]]:
        """What has been missing for `after_hours` as of `now`, and since when; each is told once."""
        missing: list[tuple[Missing, float]] = []
        kinds: tuple[Missing, ...] = ("predictions", "feedback")
        for what in kinds:
            last = self.last.get(what)
            if last is not None and what not in self.blind and now - last > after_hours * HOUR:
                self.blind[what] = last
                missing.append((what, last))
        return missing

    def snapshot(self) -> list[Any]:
        """Plain values; `Sight(*snapshot)` is the same again."""
        return [self.last, self.blind]
