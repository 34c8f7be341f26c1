"""The windows of each value of the segments that a team named, at most so many; the rest is `__other__`.

A segment is a name that predictions carry ("carrier"), or a pair of them ("carrier x origin").
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from trueup.monitor.config import MonitorConfig
from trueup.monitor.outcome import Outcome
from trueup.monitor.windows import Windows

#: What is beyond a cap: values of a segment, versions of a model, models.
OTHER = "__other__"
#: Between the two names of a pair, and between their values.
BY = " x "


@lru_cache(1_000)
def names_in(segments: tuple[str, ...]) -> tuple[str, ...]:
    """The names that predictions carry, of which these segments are made.

    >>> names_in(("carrier", "carrier x origin"))
    ('carrier', 'origin')
    """
    return tuple(dict.fromkeys(name for segment in segments for name in segment.split(BY)))


def value_in(segment: str, given: Mapping[str, str] | None) -> str | None:
    """The value that a prediction has of a segment, None where it lacks it.

    >>> value_in("carrier x origin", {"carrier": "AA", "origin": "JFK"})
    'AA x JFK'
    """
    if not given:
        return None
    if BY not in segment:
        return given.get(segment)
    values = [given.get(name) for name in segment.split(BY)]
    return None if None in values else BY.join([str(value) for value in values])


def named(segment: str, value: str) -> dict[str, str]:
    """A value as an alert names it: by each of the names that it is made of.

    >>> named("carrier x origin", "AA x JFK")
    {'carrier': 'AA', 'origin': 'JFK'}
    """
    names = segment.split(BY)
    values = value.split(BY)
    return dict(zip(names, values, strict=True)) if len(names) == len(values) else {segment: value}


class Segments:
    """Segment name -> value -> windows, of one version. A save writes only the values that changed."""

    __slots__ = ("_changed", "_fleet", "by_name")

    def __init__(self, names: Sequence[str], fleet: MonitorConfig) -> None:
        self._fleet = fleet
        self.by_name: dict[str, dict[str, Windows]] = {name: {} for name in names}
        self._changed: set[tuple[str, str]] = set()

    def __bool__(self) -> bool:
        return bool(self.by_name)

    def add_all(
        self, segments: Sequence[Mapping[str, str] | None], outcomes: Sequence[Outcome], observed_at: Sequence[float]
    ) -> None:
        """Let outcomes into the windows of their segments, one after the other."""
        for segment, outcome, at in zip(segments, outcomes, observed_at, strict=True):
            if not segment:
                continue
            for name, values in self.by_name.items():
                value = value_in(name, segment)
                if value is not None:
                    self._windows(name, values, value).add(outcome, at)

    def _windows(self, name: str, values: dict[str, Windows], value: str) -> Windows:
        if value not in values:
            if len(values) >= self._fleet.segment_values:
                value = OTHER
            if value not in values:
                values[value] = Windows(self._fleet.last_outcomes)
        self._changed.add((name, value))
        return values[value]

    def touch(self) -> None:
        """All of it is to be saved."""
        self._changed |= {(name, value) for name, values in self.by_name.items() for value in values}

    def changes(self) -> dict[tuple[str, str], list[Any]]:
        """(name, value) -> plain values and their place in the order, for those changed since the last call."""
        changed, self._changed = sorted(self._changed), set()
        found = {}
        for name, value in changed:
            windows = self.by_name[name][value]
            place = list(self.by_name[name]).index(value)
            found[name, value] = [place, windows.snapshot(), windows.label_time.closed_snapshot()]
        return found

    def restore(self, saved: Mapping[tuple[str, str], Sequence[Any]]) -> None:
        """Take back what `changes` gave, of the names that are still configured."""
        for (name, value), (_, snapshot, closed) in sorted(saved.items(), key=lambda item: (item[0][0], item[1][0])):
            if name in self.by_name:
                windows = self.by_name[name][value] = Windows(self._fleet.last_outcomes)
                windows.restore(snapshot)
                windows.label_time.restore_closed(closed)
