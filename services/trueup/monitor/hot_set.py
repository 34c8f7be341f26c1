"""Which entries stay in memory: a bounded set, from which those go first whose last change was saved longest ago."""

from __future__ import annotations

from collections import deque

from trueup.monitor.join import Waiting


class HotSet:
    """Bounds the hot entries of all models of a partition together.

    An entry leaves in the `effects` after those that saved its last change, and never earlier: the engine goes on
    while it saves. So there may be as many more as two saves hold.

        written   save 7: a b c     save 8: d b     save 9: e
                  └ leave first (b was written again: not with 7)
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._written: deque[tuple[int, Waiting, list[str]]] = deque()
        self._queued = 0

    def __len__(self) -> int:
        return self._size

    def count(self, waiting: Waiting) -> None:
        """Its hot entries became more or fewer."""
        self._size += len(waiting.hot) - waiting.counted
        waiting.counted = len(waiting.hot)

    def saved(self, waiting: Waiting, number: int) -> None:
        """The entries that changed are written with this save; a further change is one of the next."""
        if waiting.changed:
            self._written.append((number, waiting, list(waiting.changed)))
            self._queued += len(waiting.changed)
            waiting.changed = {}

    def let_go(self) -> None:
        """Bring the set down to its bound, as far as entries were saved by now and did not change since."""
        while self._size > self._most and self._written:
            number, waiting, ids = self._written.popleft()
            self._queued -= len(ids)
            hot, changed = waiting.hot, waiting.changed
            for prediction_id in ids:
                entry = hot.get(prediction_id)
                if entry is not None and entry.saved == number and prediction_id not in changed:
                    del hot[prediction_id]
                    waiting.complete = False
            self.count(waiting)
        if self._queued > 2 * self._most + 1_000:
            self._compact()

    def drop(self, waiting: Waiting) -> None:
        """All entries of a model leave, which are all saved."""
        waiting.hot.clear()
        waiting.complete = False
        self.count(waiting)

    def _compact(self) -> None:
        """Forget the saves of entries that were written again or are gone."""
        live: deque[tuple[int, Waiting, list[str]]] = deque()
        for number, waiting, ids in self._written:
            hot = waiting.hot
            kept = [key for key in ids if (entry := hot.get(key)) is not None and entry.saved == number]
            if kept:
                live.append((number, waiting, kept))
        self._written = live
        self._queued = sum(len(ids) for _, _, ids in live)
