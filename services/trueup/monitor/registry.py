"""All models of a partition, in the order in which they appeared: those awake, and a line for each that is at rest."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from trueup.monitor.due_days import DueDays
from trueup.monitor.segments import OTHER

#: A save writes the groups of models in which anything changed.
GROUP = 100


class Registry:
    """Which models there are and which of them rest.

    A model at rest is its name, the day of its oldest id (`due_days`), how many ids it has, and, where that is later
    than the horizon, the day before which its ids were let go.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._changed: set[int] = set()
        self.names: list[str] = []
        self.ordinals: dict[str, int] = {}
        #: Ordinal -> ids kept, of the models at rest.
        self.resting: dict[int, int] = {}
        #: Ordinal -> the day before which ids were let go since there were too many, where the horizon is behind it.
        self.moved: dict[int, int] = {}
        self.due = DueDays()

    def counted_as(self, model_id: str) -> str:
        """The model under which events of this one are counted: its own, or beyond the cap that of the rest."""
        if model_id in self.ordinals or len(self.names) < self._most:
            return model_id
        return OTHER

    def register(self, model_id: str) -> int:
        """The ordinal of a new model."""
        ordinal = self.ordinals[model_id] = len(self.names)
        self.names.append(model_id)
        self._changed.add(ordinal // GROUP)
        return ordinal

    def rest(self, ordinal: int, ids: int) -> None:
        """The model leaves memory."""
        self.resting[ordinal] = ids
        self._changed.add(ordinal // GROUP)

    def wake(self, ordinal: int) -> None:
        """The model is in memory again."""
        del self.resting[ordinal]
        self._changed.add(ordinal // GROUP)

    def refile(self, ordinal: int, day: int | None, let_go_before: int, horizon_day: int) -> None:
        """Note the day of the oldest id of a model that is awake, and the one before which ids were let go."""
        self.due.put(ordinal, day)
        if let_go_before > horizon_day:
            self.moved[ordinal] = let_go_before

    def pass_horizon(self, horizon_day: int) -> None:
        """The horizon catches up with what was let go before it."""
        for ordinal in [ordinal for ordinal, day in self.moved.items() if day <= horizon_day]:
            del self.moved[ordinal]

    def touch(self) -> None:
        """All of it is to be saved."""
        self._changed |= set(range((len(self.names) + GROUP - 1) // GROUP))

    def changes(self) -> dict[int, list[Any]]:
        """Group -> its rows, for those changed since the last call."""
        changed, self._changed = sorted(self._changed), set()
        return {group: [self._row(ordinal) for ordinal in self._group(group)] for group in changed}

    def _group(self, group: int) -> Iterable[int]:
        return range(group * GROUP, min((group + 1) * GROUP, len(self.names)))

    def _row(self, ordinal: int) -> list[Any]:
        if ordinal not in self.resting:
            return [self.names[ordinal]]
        return [
            self.names[ordinal],
            self.resting[ordinal],
            self.due.of(ordinal),
            self.moved.get(ordinal, 0),
        ]

    def restore(self, groups: Sequence[list[Any]]) -> None:
        """Take back all groups, in their order."""
        for rows in groups:
            for row in rows:
                ordinal = self.register(row[0])
                if len(row) > 1:
                    _, self.resting[ordinal], due, moved = row
                    self.due.put(ordinal, due)
                    if moved:
                        self.moved[ordinal] = moved
        self._changed.clear()
