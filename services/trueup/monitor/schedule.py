"""When to look at which model again: for blindness, and to put it to rest."""

from __future__ import annotations

import heapq


class Schedule:
    """Looks at models by time. A look may come too early, and finds nothing then; it never comes too late."""

    def __init__(self) -> None:
        self._heap: list[tuple[float, int]] = []
        self._next: dict[int, float] = {}

    def put(self, ordinal: int, at: float | None) -> None:
        """Look at this model at `at`, unless it is looked at earlier anyway."""
        if at is not None and at < self._next.get(ordinal, float("inf")):
            self._next[ordinal] = at
            heapq.heappush(self._heap, (at, ordinal))

    def drop(self, ordinal: int) -> None:
        """Look at this model no more."""
        self._next.pop(ordinal, None)

    def due(self, now: float) -> list[int]:
        """The models to look at now, by their ordinals; they are to be put in again."""
        found = []
        while self._heap and self._heap[0][0] <= now:
            at, ordinal = heapq.heappop(self._heap)
            if self._next.get(ordinal) == at:
                del self._next[ordinal]
                found.append(ordinal)
        return sorted(found)
