"""One column of values of a version: what is known of it, what is wrong with it, whether it drifted."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import msgpack

from trueup.monitor.features import drift
from trueup.monitor.features.faults import RULES
from trueup.monitor.features.faults.look import Known
from trueup.monitor.features.leap import Leaps
from trueup.monitor.features.profile import Profile
from trueup.monitor.features.streak import Streak
from trueup.monitor.features.units import Conversion, distance
from trueup.monitor.windows import DAY

#: Values of the days before, fewer of which are no ground to judge a window on.
LEAST_KNOWN = 200
#: Values of a day, fewer of which are held against nothing: the day goes on.
LEAST_A_DAY = 200
#: Windows in a row that have to be as before for a fault to have ended.
_CALM = 2
#: The days before: those since the last multiple of so many, and as many before them.
_RECENT_DAYS = 3
#: A column drifted where so many days in a row lie further away than any day of the reference by so much.
DAYS_TO_DRIFT, _FURTHER = 2, 1.5
#: Population stability below this is no change to speak of, however sure it is (0.1: the usual rule of thumb).
_LEAST_PSI = 0.1


@dataclass(frozen=True, slots=True)
class ReferenceSize:
    """How much makes a reference."""

    values: int
    days: float


@dataclass(frozen=True, slots=True)
class Window:
    """What a column held over some time."""

    profile: Profile
    start: float
    end: float


@dataclass(frozen=True, slots=True)
class Turn:
    """A fault began, or ended."""

    fault: str
    detail: str
    since: float
    ended: bool


class Column:
    """State of one column.

        windows (hours) ──> rules: a fault? ──no──> day ──over──> held against the reference: drift?
                                 │                   └──────────> recent: the days that windows are held against
                                 └──yes──> kept out of all that, until it ends

    The reference are the first days, until there are enough of them; then it stays.
    """

    def __init__(self, reference_size: ReferenceSize, *, only_drift: bool = False) -> None:
        self._size = reference_size
        #: Whether no fault is looked for: what the model itself gives.
        self._only_drift = only_drift
        self.reference = Profile()
        self._since: float | None = None
        self.learned = False
        self._days = [Profile(), Profile()]
        self._days_in_last = 0
        self._by_day: bytes | None = None
        self._day = Profile()
        #: Whether the day lacks some windows, or has them taken back into an old unit: not the very numbers.
        self._day_is_near = False
        self._day_number: int | None = None
        #: The largest share of missing values, and of the commonest, of any day.
        self._most_missing, self._commonest = 0.0, 0.0
        self._range: tuple[float, float] | None = None
        self._known: Known | None = None
        self._streaks = {name: Streak() for name in RULES}
        self._leaps = Leaps()
        #: The fault that stands: which, since when, how many calm windows and windows there were.
        self.fault: str | None = None
        self.fault_since = 0.0
        self._calm = 0
        self._lasted = 0
        self._conversion: Conversion | None = None
        #: Of the days of the reference: how many were held against those before, the sum of `Distance.size`, the most.
        self._held: list[float] = [0, 0.0, 0.0]
        #: Days in a row that lie too far from the reference, or do not while it counts as drifted.
        self._odd_days = 0
        self.drifted = False
        #: The last day that was over, held against the reference, as signals carry it.
        self.last: dict[str, Any] | None = None

    @property
    def inflation(self) -> float:
        """How much more days vary than independent values would, with what so few days leave open."""
        n, total, _ = self._held
        return max(1.0, total / n * (1 + 2 * (2 / n) ** 0.5)) if n else 1.0

    @property
    def _seasoned(self) -> bool:
        """Whether the days before are so many that what comes can be held against them."""
        return self._days_in_last >= _RECENT_DAYS or self._days[0].n > 0

    # -- windows ----------------------------------------------------------------------------------------------------

    def close(self, window: Window, chance: float) -> Turn | None:
        """Take a window that is over; the fault that began or ended with it.

        Args:
            chance: of being wrong about drift that is accepted, a day and column.
        """
        self._since = window.start if self._since is None else self._since
        day = int((window.end - 1) // DAY)
        if self._day_number is None or (day > self._day_number and self._day.n >= LEAST_A_DAY):
            if self._day_number is not None:
                self._end_day(window.start, chance)
            self._day_number = day
        if self._known is None or self._only_drift or not self._seasoned:
            self._day.merge(window.profile)
            return None
        return self._while_faulty(window, self._known) if self.fault else self._look(window, self._known)

    def _look(self, window: Window, known: Known) -> Turn | None:
        """Whether a fault begins."""
        profile, learning = window.profile, not self.learned
        looks = {name: rule.look(profile, known) for name, rule in RULES.items()}
        for name, look in looks.items():
            self._streaks[name].step(look and look.key, window.start, learning=learning)
        leap = self._leaps.step(profile, known.recent.numbers, start=window.start, end=window.end, learning=learning)
        if isinstance(leap, Conversion):
            self._conversion = leap
            self._take(self._leaps.taken())
            return self._begin("unit_changed", str(leap), self._leaps.since)
        if leap == "unexplained":
            pool = self._leaps.taken()
            if not any(looks.values()):
                self._take(pool)
        if not learning:
            for name, look in looks.items():
                waits = leap == "waiting" and name == "out_of_range"
                if look is not None and self._streaks[name].is_fault and not waits:
                    self._leaps.taken()
                    return self._begin(name, look.detail, self._streaks[name].since)
        if leap == "quiet" and (learning or not any(looks.values())):
            self._take(profile)
        else:
            self._day_is_near = True
        return None

    def _begin(self, fault: str, detail: str, since: float) -> Turn:
        self.fault, self.fault_since, self._calm = fault, since, 0
        self._lasted = self._streaks[fault].length if fault in self._streaks else 0
        return Turn(fault, detail, since, ended=False)

    def _while_faulty(self, window: Window, known: Known) -> Turn | None:
        """Whether the fault that stands has ended."""
        assert self.fault is not None
        fault, profile = self.fault, window.profile
        if self._conversion is not None:
            recent, numbers = known.recent.numbers, profile.numbers
            calm = numbers.n > 0 and distance(recent, numbers) < distance(recent, numbers, self._conversion)
            if not calm and numbers.n:
                self._take(profile)
        else:
            calm = RULES[fault].calm(profile, known)
        self._day_is_near = True
        self._lasted += 1
        self._calm = self._calm + 1 if calm else 0
        if self._calm < _CALM:
            return None
        self.fault, self._conversion = None, None
        self._leaps.taken()
        for name, streak in self._streaks.items():
            streak.ended(self._lasted - _CALM if name == fault else 0)
        return Turn(fault, f"back as it was before, since {_CALM} windows", self.fault_since, ended=True)

    def _take(self, profile: Profile) -> None:
        """Let it into the day; in the old unit, where that changed."""
        if self._conversion is None:
            self._day.merge(profile)
            return
        scale, offset, _ = self._conversion
        as_before = Profile.restore(profile.snapshot())
        as_before.numbers = profile.numbers.mapped(1 / scale, -offset / scale)
        self._day_is_near = True
        self._day.merge(as_before)

    # -- days -------------------------------------------------------------------------------------------------------

    def _end_day(self, end: float, chance: float) -> None:
        day, self._day = self._day, Profile()
        near, self._day_is_near = self._day_is_near, False
        self._by_day = None
        if self.learned and not near:
            self._hold_against_reference(day, chance)
        elif not self.learned:
            self._learn(day, end)
        if self._known is not None and self._seasoned:
            self._leaps.day(day.numbers, self._known.recent.numbers)
        if self._days_in_last >= _RECENT_DAYS:
            self._days = [self._days[1], Profile()]
            self._days_in_last = 0
        self._days[1].merge(day)
        self._days_in_last += 1
        self._most_missing = max(self._most_missing, day.missing_share)
        self._commonest = max(self._commonest, day.largest_share)
        if day.numbers.n:
            low, high = day.numbers.quantiles((0.005, 0.995))
            before = self._range or (low, high)
            self._range = (min(before[0], low), max(before[1], high))
        self._know()

    def _know(self) -> None:
        recent = Profile()
        for profile in self._days:
            recent.merge(profile)
        self._known = None
        if recent.n >= LEAST_KNOWN:
            low, high = self._range or (0.0, 0.0)
            self._known = Known(recent, low, high, self._most_missing, self._commonest, recent.kind)

    def _learn(self, day: Profile, end: float) -> None:
        held = drift.held_against(self.reference, day)
        if held is not None:
            self._held = [self._held[0] + 1, self._held[1] + held.size, max(self._held[2], held.size)]
        self.reference.merge(day)
        long = self._since is not None and end - self._since >= self._size.days * DAY
        self.learned = long and self.reference.n >= self._size.values and self._held[0] > 0

    def _hold_against_reference(self, day: Profile, chance: float) -> None:
        held = drift.held_against(self.reference, day)
        if held is None:
            return
        self.last = drift.told(self.reference, day, held, self.inflation)
        far = held.size > _FURTHER * self._held[2] and self.last["p"] < chance and self.last["psi"] >= _LEAST_PSI
        self._odd_days = self._odd_days + 1 if far != self.drifted else 0
        if self._odd_days >= DAYS_TO_DRIFT:
            self.drifted, self._odd_days = far, 0

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Plain values, for `restore`."""
        return {
            "by_day": self._packed(),
            "since": self._since,
            "learned": self.learned,
            "days_in_last": self._days_in_last,
            "day": self._day.snapshot(),
            "day_is_near": self._day_is_near,
            "day_number": self._day_number,
            "range": self._range,
            "most": [self._most_missing, self._commonest],
            "streaks": {name: streak.snapshot() for name, streak in self._streaks.items()},
            "leaps": self._leaps.snapshot(),
            "fault": [self.fault, self.fault_since, self._calm, self._lasted, self._conversion],
            "held": self._held,
            "drift": [self._odd_days, self.drifted, self.last],
        }

    def _packed(self) -> bytes:
        """The reference and the days before, packed once a day: most of a column, and saved with every window."""
        if self._by_day is None:
            self._by_day = msgpack.packb([profile.snapshot() for profile in (self.reference, *self._days)])
        return self._by_day

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back what `snapshot` gave."""
        reference, *days = [Profile.restore(saved) for saved in msgpack.unpackb(data["by_day"])]
        self.reference, self._days = reference, days
        self._since, self.learned = data["since"], data["learned"]
        self._days_in_last = data["days_in_last"]
        self._day, self._day_number = Profile.restore(data["day"]), data["day_number"]
        self._day_is_near = data["day_is_near"]
        self._range = data["range"] and tuple(data["range"])
        self._most_missing, self._commonest = data["most"]
        self._streaks.update({name: Streak.restore(saved) for name, saved in data["streaks"].items() if name in RULES})
        self._leaps = Leaps.restore(data["leaps"])
        self.fault, self.fault_since, self._calm, self._lasted, conversion = data["fault"]
        self._conversion = None if conversion is None else Conversion(*conversion)
        if self.fault is not None and self.fault not in RULES and self._conversion is None:
            self.fault = None  # of a rule that is no more
        self._held = list(data["held"])
        self._odd_days, self.drifted, self.last = data["drift"]
        self._know()
