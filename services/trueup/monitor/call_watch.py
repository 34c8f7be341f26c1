"""What is wrong with the calls of a version: repeated ids, wrong clocks, slowness, failures.

    calls ──> window (an hour of when they came) ──over──> each rule: a fault? ──no──> usual: the most of the last weeks
                                                                │
                                                                └──yes──> kept out of that, until it ends

Windows follow when calls *came*: a clock that is wrong, or old data that is sent again, is an event of then. Where time
passes by the stream, that is the event time, and nothing lies behind it: a year that is read in a minute is no fault.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import msgpack

from trueup.monitor.call_faults import RULES
from trueup.monitor.call_faults.look import Rule, Usual
from trueup.monitor.call_window import CallWindow
from trueup.monitor.features.watch import LEAST_A_WINDOW, Told
from trueup.monitor.windows import DAY, HOUR

#: (arrival, came, event): a prediction, and when it came: by the wall clock the time of its record, by the stream's its
#: own. The event is None where its version had answered the same id before.
Call = tuple[int, float, Mapping[str, Any] | None]
#: Calls that are counted together; the result does not depend on it.
_TOGETHER = 2_000
#: Windows in a row that have to show a fault, and as many that have to be calm for it to have ended.
CONFIRMED_BY = 2
#: What is usual is the most of the last one to two of these.
ERA_DAYS = 14
#: A fault that lasts so long is how it is: it ends, and what is usual is learned anew.
NEW_NORMAL_DAYS = 14


class Course:
    """One rule of one version: what is usual, and the fault that may stand."""

    __slots__ = ("_before", "_calm", "_days", "_eras", "_key", "_last_day", "_length", "_since", "stands")

    def __init__(self) -> None:
        #: The most of each level, of two windows in a row, in this era and in the one before it.
        self._eras: list[dict[str, float]] = [{}, {}]
        #: The levels of the window from which it was learned last.
        self._before: dict[str, float] = {}
        #: Days with windows from which it was learned, and the last of them.
        self._days, self._last_day = 0, -1
        #: Windows in a row that showed the fault, since when, and by which key.
        self._length, self._since, self._key = 0, 0.0, ""
        self.stands = False
        self._calm = 0

    @property
    def usual(self) -> Usual:
        """The most of each level that two windows in a row had so far, as a fault takes two: a bad hour is none."""
        before, now = self._eras
        return {name: max(before.get(name, 0.0), now.get(name, 0.0)) for name in before.keys() | now.keys()}

    def close(self, rule: Rule, window: CallWindow, start: float, days: float) -> tuple[str, float, bool] | None:
        """Take a window that is over; detail, since when, and whether it ended, where a fault began or ended.

        Args:
            days: from how many days it learns what is usual, before it looks.
        """
        if self._days < days or (self._days == days and start // DAY <= self._last_day):
            self._note(rule, window, start)
            return None
        if self.stands:
            return self._while_it_stands(rule, window, start)
        look = rule.look(window, self.usual)
        if look is None:
            self._length = 0
            self._note(rule, window, start)
            return None
        if not self._length or look.key != self._key:
            self._length, self._since, self._key = 0, start, look.key
        self._length += 1
        self.stands = self._length >= CONFIRMED_BY
        return (look.detail, self._since, False) if self.stands else None

    def _while_it_stands(self, rule: Rule, window: CallWindow, start: float) -> tuple[str, float, bool] | None:
        since = self._since
        if start - since >= NEW_NORMAL_DAYS * DAY:
            self._eras, self._before, self._days, self._last_day = [{}, {}], {}, 0, -1
            self._is_over()
            return f"so for {NEW_NORMAL_DAYS} days: this is how it is now", since, True
        self._calm = self._calm + 1 if rule.calm(window, self.usual) else 0
        if self._calm < CONFIRMED_BY:
            return None
        self._is_over()
        return f"back as it was before, since {CONFIRMED_BY} windows", since, True

    def _is_over(self) -> None:
        self.stands, self._calm, self._length = False, 0, 0

    def _note(self, rule: Rule, window: CallWindow, start: float) -> None:
        levels = rule.levels(window)
        if levels is None:
            return
        day = int(start // DAY)
        if day > self._last_day:
            self._last_day = day
            self._days += 1
            if self._days % ERA_DAYS == 1 and self._days > 1:
                self._eras = [self._eras[1], {}]
        era = self._eras[1]
        for name, level in levels.items():
            era[name] = max(min(level, self._before.get(name, 0.0)), era.get(name, 0.0))
        self._before = dict(levels)

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        levels = [sorted(level.items()) for level in (*self._eras, self._before)]
        return [levels, self._days, self._last_day, self._length, self._since, self._key, self.stands, self._calm]

    @classmethod
    def restore(cls, data: Sequence[Any]) -> Course:
        """The same again."""
        found = cls()
        levels, found._days, found._last_day, found._length, found._since, found._key, found.stands, found._calm = data
        *found._eras, found._before = [dict(level) for level in levels]
        return found


class CallWatch:
    """State of one version: the window that is open, and the course of each rule.

    Args:
        days: from how many days what is usual is learned, before anything is held against it.
    """

    __slots__ = ("_closed", "_courses", "_days", "_events", "_start", "_then", "_window", "end")

    def __init__(self, days: float) -> None:
        self._days = days
        self._window = CallWindow()
        #: What is not counted yet, and when it came: there is one for every event, so plain lists, and no tuples.
        self._events: list[Mapping[str, Any]] = []
        self._then: list[float] = []
        self._start = 0.0
        #: With a call that comes then or later the window may be over.
        self.end = -1.0
        self._courses: dict[str, Course] = {}
        #: The courses as they are saved, packed once a window.
        self._closed: bytes | None = None

    def add(self, came: float, event: Mapping[str, Any] | None) -> Sequence[Told]:
        """Take a call; what there is to tell of a window that was over before it."""
        told = self._reach(came) if came >= self.end else ()
        if event is None:
            self._window.repeats += 1
            return told
        self._then.append(came)
        self._events.append(event)
        if len(self._events) >= _TOGETHER:
            self._collect()
        return told

    def add_all(self, calls: Sequence[Call]) -> list[tuple[int, Told]]:
        """Take these, one after the other; what there is to tell, and on which arrival."""
        return [(arrival, told) for arrival, came, event in calls for told in self.add(came, event)]

    def add_within(self, came: Sequence[float], events: Sequence[Mapping[str, Any]], repeats: int) -> None:
        """Take these, all of which came before `end`, and so many repeats that did."""
        self._window.repeats += repeats
        self._then += came
        self._events += events
        if len(self._events) >= _TOGETHER:
            self._collect()

    def _collect(self) -> None:
        """Count what is pending."""
        then, self._then = self._then, []
        events, self._events = self._events, []
        if events:
            self._window.add_all(then, events)

    def _reach(self, came: float) -> Sequence[Told]:
        """A call of a later hour comes: the window is over, where enough came in it."""
        self._collect()
        told: Sequence[Told] = ()
        if self._window.calls >= LEAST_A_WINDOW:
            told = self._close()
        hour = float(came // HOUR * HOUR)
        if not self._window.calls:
            self._start = hour
        self.end = hour + HOUR
        return told

    def _close(self) -> list[Told]:
        window, self._window = self._window, CallWindow()
        self._closed = None
        found: list[Told] = []
        for fault, rule in RULES.items():
            course = self._courses.setdefault(fault, Course())
            turn = course.close(rule, window, self._start, self._days)
            if turn is not None:
                detail, since, ended = turn
                data = {"fault": fault, "detail": detail, "since": since, "ended": ended}
                found.append(Told("data_fault", self.end, data))
        return found

    @property
    def faults(self) -> list[str]:
        """The faults that stand."""
        return [fault for fault, course in self._courses.items() if course.stands]

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """Plain values, for `restore`."""
        self._collect()
        if self._closed is None:
            self._closed = msgpack.packb([[fault, course.snapshot()] for fault, course in self._courses.items()])
        return [self._start, self.end, self._window.snapshot(), self._closed]

    def restore(self, data: Sequence[Any]) -> None:
        """Take back what `snapshot` gave."""
        self._start, self.end, window, courses = data
        self._window = CallWindow.restore(window)
        self._courses = {fault: Course.restore(saved) for fault, saved in msgpack.unpackb(courses) if fault in RULES}
