"""What a version's predictions were made from and what they were, by windows of event time."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from trueup.monitor.features.column import DAYS_TO_DRIFT, Column, ReferenceSize, Turn, Window
from trueup.monitor.features.profile import Profile, shortened
from trueup.monitor.join import PREDICTED_AT, PREDICTION, PROBABILITY, Answer
from trueup.monitor.windows import HOUR

#: A window is an hour, or as many as it takes until so many predictions are in it.
LEAST_A_WINDOW = 200
#: Predictions that are counted together; the result does not depend on it.
_TOGETHER = 2_000
#: Of a window, so many are counted or none, and saved as they came until then: counting a few costs more than that.
_FEW = 32
#: So many features with the same fault from the same window on are one fault.
_TOGETHER_A_FAULT = 3
#: The mean number of days between two false words about drift, of all columns of a version together.
DAYS_A_FALSE_DRIFT = 1_000.0
#: Features that a signal names.
MOST_NAMED = 20
FEATURE = "feature:"
#: What is looked at of the answer itself.
ANSWERS: Mapping[str, int] = {"prediction": PREDICTION, "score": PROBABILITY}
#: (arrival, answer, event), as `version.Made`.
Made = tuple[int, Answer, Mapping[str, Any]]


@dataclass(frozen=True, slots=True)
class Told:
    """Something that is to be signalled: the type, at which event time, and what is particular to it."""

    type: str
    at: float
    data: Mapping[str, Any]


@dataclass(slots=True)
class _Group:
    """Features that have one fault together: those that still have it, and all."""

    fault: str
    since: float
    left: list[str]
    names: list[str]


class FeatureWatch:
    """State of one version: its columns, found by themselves, and the window that is open."""

    def __init__(self, reference_size: ReferenceSize, most_features: int) -> None:
        self._size = reference_size
        self._most = most_features
        #: `prediction`, `score`, and `feature:` with a name; features in the order in which they first came.
        self.columns: dict[str, Column] = {name: Column(reference_size, only_drift=True) for name in ANSWERS}
        #: The features among them.
        self._names: set[str] = set()
        self._not_looked_at = 0
        self._open: dict[str, Profile] = {}
        self._pending: list[Made] = []
        self._start: float | None = None
        self._end = -1.0
        self._n = 0
        self._groups: list[_Group] = []
        #: Whether anything of the window that is open changed since it was saved; of what is closed.
        self.open_changed = False
        self.closed_changed = False

    # -- predictions ------------------------------------------------------------------------------------------------

    def add(self, made: Made) -> Sequence[Told]:
        """Take a prediction; what there is to tell of a window that was over before it."""
        at = made[1][PREDICTED_AT]
        told = self._reach(at) if at >= self._end else ()
        self._put((made,))
        self.open_changed = True
        return told

    def add_all(self, made: Sequence[Made]) -> list[tuple[int, Told]]:
        """Take these, one after the other; what there is to tell, and before which of them."""
        found: list[tuple[int, Told]] = []
        start = 0
        if max([answer[PREDICTED_AT] for _, answer, _ in made]) >= self._end:
            for place, (_, answer, _) in enumerate(made):
                if answer[PREDICTED_AT] >= self._end:
                    self._put(made[start:place])
                    start = place
                    found += [(place, told) for told in self._reach(answer[PREDICTED_AT])]
        self._put(made[start:] if start else made)
        self.open_changed = True
        return found

    def _put(self, made: Sequence[Made]) -> None:
        features = [event.get("features") or () for _, _, event in made]
        if all(map(self._names.issuperset, features)):
            self._wait(made)
            return
        for one, names in zip(made, features, strict=True):
            if not self._names.issuperset(names):
                self._find(names)
            self._wait((one,))

    def _wait(self, made: Sequence[Made]) -> None:
        self._pending += made
        self._n += len(made)
        if len(self._pending) >= _TOGETHER:
            self._collect(len(self._pending) - self._n % _FEW)

    def _find(self, names: Iterable[str]) -> None:
        """Make columns of features that are new, as far as there is room; what is pending came without them."""
        new = [name for name in names if name not in self._names]
        room = max(0, self._most - len(self._names))
        self._not_looked_at += len(new[room:])
        if not room:
            return
        self._collect()
        for name in new[:room]:
            self.columns[FEATURE + name] = Column(self._size)
            self._names.add(name)
        self.closed_changed = True

    def _reach(self, at: float) -> Sequence[Told]:
        """A prediction of a later hour comes: the window is over, where enough came in it."""
        told: Sequence[Told] = ()
        if self._n >= LEAST_A_WINDOW:
            self._collect()
            told = self._close()
        hour = float(at // HOUR * HOUR)
        if self._start is None or not self._n:
            self._start = hour
        self._end = hour + HOUR
        return told

    def _collect(self, most: int | None = None) -> None:
        """Count what is pending, or the first so many of it, column by column."""
        pending, self._pending = self._pending[:most], [] if most is None else self._pending[most:]
        if not pending:
            return
        # A call that failed may come without features: nothing is missing then.
        calls = [event for _, _, event in pending if event.get("features") or not event.get("error")]
        features: list[Mapping[str, Any]] = [event.get("features") or {} for event in calls]
        if features:
            for key in self.columns:
                if key not in ANSWERS:
                    name = key[len(FEATURE) :]
                    self._profile(key).add_all([found.get(name) for found in features])
        for name, place in ANSWERS.items():
            values = [value for _, answer, _ in pending if (value := answer[place]) is not None]
            if values:
                self._profile(name).add_all(values)

    def _profile(self, key: str) -> Profile:
        """The column in the window that is open."""
        profile = self._open.get(key)
        if profile is None:
            profile = self._open[key] = Profile()
        return profile

    # -- windows ----------------------------------------------------------------------------------------------------

    def _close(self) -> list[Told]:
        assert self._start is not None
        start, end = self._start, self._end
        chance = 1 / (DAYS_A_FALSE_DRIFT * max(1, len(self.columns)))
        drifted = {key for key, column in self.columns.items() if column.drifted}
        turns: list[tuple[str, Turn]] = []
        for key, column in self.columns.items():
            if key not in self._open:
                continue
            turn = column.close(Window(self._open[key], start, end), chance)
            if turn is not None:
                turns.append((key[len(FEATURE) :], turn))
        self._open, self._n = {}, 0
        self.closed_changed = True
        return [Told("data_fault", end, data) for data in self._faults(turns)] + self._drift(drifted, end)

    def _faults(self, turns: Sequence[tuple[str, Turn]]) -> list[dict[str, Any]]:
        """What began and ended with this window: where the same befell several features at once, as one."""
        found: list[dict[str, Any]] = []
        began: dict[str, list[tuple[str, Turn]]] = {}
        for name, turn in turns:
            if turn.ended:
                found += self._ended(name, turn)
            else:
                began.setdefault(turn.fault, []).append((name, turn))
        for fault, several in began.items():
            if len(several) < _TOGETHER_A_FAULT:
                found += [_fault([name], fault, turn.detail, turn.since) for name, turn in several]
                continue
            names = [name for name, _ in several]
            since = min([turn.since for _, turn in several])
            self._groups.append(_Group(fault, since, list(names), names))
            detail = f"{len(names)} features at once; {names[0]}: {several[0][1].detail}"
            found.append(_fault(names, fault, detail, since))
        return found

    def _ended(self, name: str, turn: Turn) -> list[dict[str, Any]]:
        group = next((one for one in self._groups if one.fault == turn.fault and name in one.left), None)
        if group is None:
            return [_fault([name], turn.fault, turn.detail, turn.since, ended=True)]
        group.left.remove(name)
        if group.left:
            return []
        self._groups.remove(group)
        return [_fault(group.names, group.fault, turn.detail, group.since, ended=True)]

    def _drift(self, before: set[str], at: float) -> list[Told]:
        """The columns that count as drifted, where there are more of them than before, the furthest first."""
        if not {key for key, column in self.columns.items() if column.drifted} - before:
            return []
        drifted = self.worst(MOST_NAMED, drifted=True)
        return [Told("features_drifted", at, {"drifted": drifted, "days": DAYS_TO_DRIFT})]

    def worst(self, most: int, *, drifted: bool = False) -> list[dict[str, Any]]:
        """The columns that lie furthest from their reference (`drifted`: that count as drifted), by PSI."""
        found = [
            {"stream": key, **column.last}
            for key, column in self.columns.items()
            if column.last is not None and (column.drifted or not drifted)
        ]
        return sorted(found, key=lambda one: (-one["psi"], one["stream"]))[:most]

    @property
    def not_looked_at(self) -> int:
        """Values of features beyond the cap."""
        return self._not_looked_at

    @property
    def features(self) -> int:
        """How many features are looked at."""
        return len(self._names)

    @property
    def faults(self) -> dict[str, str]:
        """Feature -> its fault that stands."""
        return {key[len(FEATURE) :]: column.fault for key, column in self.columns.items() if column.fault}

    # -- saving -----------------------------------------------------------------------------------------------------

    def touch(self) -> None:
        """All of it is to be saved."""
        self.open_changed = self.closed_changed = True

    def open_snapshot(self) -> dict[str, Any]:
        """The window that is open."""
        self._collect(max(0, len(self._pending) - self._n % _FEW))
        self.open_changed = False
        return {
            "start": self._start,
            "end": self._end,
            "n": self._n,
            "not_looked_at": self._not_looked_at,
            "pending": [self._as_it_came(made) for made in self._pending],
            "open": [[key, self._open[key].snapshot()] for key in self.columns if key in self._open],
        }

    def _as_it_came(self, made: Made) -> list[Any]:
        """What is counted of a prediction, in plain values."""
        _, answer, event = made
        names, given = self._names, event.get("features") or {}
        features = {name: shortened(value) for name, value in given.items() if name in names}
        failed = not given and bool(event.get("error"))
        return [features, failed, *[answer[place] for place in ANSWERS.values()]]

    def closed_snapshot(self) -> dict[str, Any]:
        """What changes when a window is over, or a feature is new."""
        self.closed_changed = False
        return {
            "columns": [[key, column.snapshot()] for key, column in self.columns.items()],
            "groups": [[group.fault, group.since, group.left, group.names] for group in self._groups],
        }

    def restore_open(self, data: Mapping[str, Any]) -> None:
        """Take back what `open_snapshot` gave."""
        self._start, self._end, self._n = data["start"], data["end"], data["n"]
        self._not_looked_at = data["not_looked_at"]
        self._open = {key: Profile.restore(saved) for key, saved in data["open"]}
        self._pending = [_made(saved) for saved in data.get("pending", ())]

    def restore_closed(self, data: Mapping[str, Any]) -> None:
        """Take back what `closed_snapshot` gave."""
        for key, saved in data["columns"]:
            column = self.columns[key] = Column(self._size, only_drift=key in ANSWERS)
            column.restore(saved)
        self._names = {key[len(FEATURE) :] for key in self.columns if key not in ANSWERS}
        self._groups = [_Group(*saved) for saved in data["groups"]]


def _made(saved: Sequence[Any]) -> Made:
    """The same again, as far as it is counted."""
    features, failed, prediction, score = saved
    return 0, ("", prediction, score, 0.0, None, None, None), {"features": features, "error": failed}


def _fault(names: Sequence[str], fault: str, detail: str, since: float, *, ended: bool = False) -> dict[str, Any]:
    which = {"feature": names[0]} if len(names) == 1 else {"features": list(names[:MOST_NAMED])}
    return {**which, "fault": fault, "detail": detail, "since": since, "ended": ended}
