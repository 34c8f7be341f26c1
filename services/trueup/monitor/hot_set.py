"""Which entries stay in memory: a bounded set, from which those go first whose last change was saved longest ago."""

from __future__ import annotations

from collections import deque

from trueup.monitor.join import Entry, Waiting


class HotSet:
    """Bounds the hot entries of all models of a partition together.

    An entry leaves in the `effects` after those that saved its last change, and never earlier: the engine goes on
    while it saves. So there may be as many more as two saves hold.

        written   save 7: a b c     save 8: d b     save 9: e
                  └ a and c leave first; b was written again

    An entry is replaced where it changes: it is still as it was saved where it is the very same.
    """

    def __init__(self, most: int) -> None:
        self._most = most
        self._size = 0
        self._written: deque[tuple[Waiting, dict[str, Entry]]] = deque()
        self._queued = 0

    def __len__(self) -> int:
        return self._size

    def count(self, waiting: Waiting) -> None:
        """Its hot entries became more or fewer."""
        self._size += len(waiting.hot) - waiting.counted
        waiting.counted = len(waiting.hot)

    def saved(self, waiting: Waiting) -> None:
        """The entries that changed are written with this save; a further change is one of the next."""
        if waiting.changed:
            self._written.append((waiting, waiting.changed))
            self._queued += len(waiting.changed)
            waiting.changed = {}

    def let_go(self) -> None:
        """Bring the set down to its bound, as far as entries were saved by now and did not change since."""
        while self._size > self._most and self._written:
            waiting, saved = self._written.popleft()
            self._queued -= len(saved)
            hot = waiting.hot
            for prediction_id, entry in saved.items():
                if hot.get(prediction_id) is entry:
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
        live: deque[tuple[Waiting, dict[str, Entry]]] = deque()
        for waiting, saved in self._written:
            kept = {key: entry for key, entry in saved.items() if waiting.hot.get(key) is entry}
            if kept:
                live.append((waiting, kept))
        self._written = live
        self._queued = sum(len(saved) for _, saved in live)
