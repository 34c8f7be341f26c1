"""Which entries of a journal hold: those of a save that was lost, and made anew by a later claimant, do not."""

from __future__ import annotations

from trueup_schemas.journal import JournalEntry


class Branches:
    """Which entries are void: a save that the store lost can have its entry come late, when the number was given anew.

    epoch 1    3 ── 4 ──────────── 5 (late, or never read by whoever claimed next)
    epoch 2              └─ 5 ──────── 6 ── 7
    """

    def __init__(self) -> None:
        self._epoch = self._save = 0
        self._forks: list[tuple[int, int]] = []

    def add(self, entry: JournalEntry) -> None:
        """Hear of every entry, before any is asked about."""
        save, epoch = entry["save"], entry["epoch"]
        if epoch > self._epoch:
            if save <= self._save:
                self._forks.append((save, epoch))
            self._epoch, self._save = epoch, save
        elif epoch == self._epoch:
            self._save = max(self._save, save)

    def is_void(self, entry: JournalEntry) -> bool:
        """Whether a later claimant went on without this save."""
        return any(save <= entry["save"] and entry["epoch"] < epoch for save, epoch in self._forks)
