"""The detectors on one stream of numbers, fed a run of values at a time."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any, NamedTuple

from trueup.monitor.trend import Direction, Trend
from trueup.snapshots import pack_river, unpack_river


class Fired(NamedTuple):
    """A detector fired on the value at this place of the run."""

    at: int
    detector: str
    direction: Direction


class Detectors:
    """Some detectors of River on the same values, and how they are saved, made anew once they were fed."""

    __slots__ = ("_by_name", "_packed")

    def __init__(self, table: Mapping[str, Callable[[], Any]], names: Sequence[str]) -> None:
        self._by_name: dict[str, Any] = {name: make() for name, make in table.items() if name in names}
        self._packed: dict[str, Any] | None = None

    def __len__(self) -> int:
        return len(self._by_name)

    def feed(self, values: Sequence[float]) -> list[tuple[int, str]]:
        """Who fired at which place, by detector, in the order of the table."""
        fired: list[tuple[int, str]] = []
        for name, detector in self._by_name.items():
            update = detector.update
            for at, x in enumerate(values):
                update(x)
                if detector.drift_detected:
                    fired.append((at, name))
        self._packed = None
        return fired

    def feed_one(self, x: float) -> list[tuple[int, str]]:
        """`feed` of a single value."""
        self._packed = None
        fired: list[tuple[int, str]] = []
        for name, detector in self._by_name.items():
            detector.update(x)
            if detector.drift_detected:
                fired.append((0, name))
        return fired

    def snapshot(self) -> dict[str, Any]:
        """Name -> what `pack_detector` gives, for `restore`."""
        if self._packed is None:
            self._packed = {name: pack_detector(detector) for name, detector in self._by_name.items()}
        return self._packed

    def restore(self, packed: Mapping[str, Any]) -> None:
        """Take back what was saved; a detector that was not there then starts new."""
        self._packed = None
        for name, detector in self._by_name.items():
            if name in packed:
                self._by_name[name] = unpack_detector(packed[name], type(detector))


def pack_detector(detector: Any) -> Any:
    """A detector as it is saved: those of ours in plain values, those of River as bytes that only River reads."""
    return detector.snapshot() if hasattr(detector, "snapshot") else pack_river(detector)


def unpack_detector(packed: Any, kind: Any) -> Any:
    """The detector of this kind again; continues exactly where it was.

    Raises:
        UnknownSnapshot: the bytes hold no such detector.
    """
    return kind.restore(packed) if hasattr(kind, "restore") else unpack_river(packed, kind)


class StreamWatch:
    """Detectors on one stream that inform, with the direction in which it moved."""

    __slots__ = ("_detectors", "_trend")

    def __init__(self, table: Mapping[str, Callable[[], Any]], names: Sequence[str]) -> None:
        self._detectors = Detectors(table, names)
        self._trend = Trend()

    def feed(self, values: Sequence[float]) -> list[Fired]:
        """Take these, one after the other; who fired, in the order of the values and of the table."""
        return directed(self._trend, values, self._detectors.feed(values))

    def feed_one(self, x: float) -> Sequence[Fired]:
        """`feed` of a single value."""
        fired = self._detectors.feed_one(x)
        if fired:
            return directed(self._trend, (x,), fired)
        self._trend.update(x)
        return ()

    def snapshot(self) -> list[Any]:
        """Plain values and bytes, for `restore`."""
        return [self._detectors.snapshot(), self._trend.snapshot()]

    def restore(self, packed: Mapping[str, Any], trend: Sequence[float]) -> None:
        """Take back what was saved."""
        self._detectors.restore(packed)
        self._trend = Trend(int(trend[0]), trend[1], trend[2])


def directed(trend: Trend, values: Sequence[float], fired: list[tuple[int, str]]) -> list[Fired]:
    """Move the trend over these values, and say of each that fired there which way the stream moved."""
    if not fired:
        trend.update_all(values)
        return []
    by_place: dict[int, list[str]] = {}
    for at, name in fired:
        by_place.setdefault(at, []).append(name)
    found: list[Fired] = []
    start = 0
    for at in sorted(by_place):
        trend.update_all(values[start : at + 1])
        found += [Fired(at, name, trend.direction) for name in by_place[at]]
        trend.start_anew()
        start = at + 1
    trend.update_all(values[start:])
    return found
