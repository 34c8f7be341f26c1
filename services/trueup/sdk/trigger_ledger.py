"""Which triggers were seen and finished, and how far each partition may be committed. Pure; knows no Kafka.

offset      7          8         9         10
trigger     A          B         (other)   C
            finished   open      skipped   finished      commit 8: B is next after a restart, and only B,
                                                         since C's final update is read back then
"""

from __future__ import annotations

from collections import deque
from typing import NamedTuple


class _Entry(NamedTuple):
    offset: int
    trigger_id: str | None


class TriggerLedger:
    """Holds one id for each trigger ever seen or finished: they are few."""

    def __init__(self) -> None:
        self._seen: set[str] = set()
        self._finished: set[str] = set()
        self._taken_up: set[str] = set()
        self._entries: dict[int, deque[_Entry]] = {}
        self._next_offset: dict[int, int] = {}
        self._committed: dict[int, int] = {}

    def arrive(self, partition: int, offset: int, trigger_id: str | None) -> bool:
        """Note a record of `triggers`; None: it concerns nobody here. Whether it is a trigger to be handed out.

        A record that arrived before is ignored, and so is one of a trigger that was seen or finished before.
        """
        if offset < self._next_offset.get(partition, 0):
            return False
        self._next_offset[partition] = offset + 1
        self._entries.setdefault(partition, deque()).append(_Entry(offset, trigger_id))
        if trigger_id is None or trigger_id in self._seen or trigger_id in self._finished:
            return False
        self._seen.add(trigger_id)
        return True

    def finish(self, trigger_id: str) -> None:
        """The trigger has a final status, here or elsewhere, or came to nobody in time."""
        self._finished.add(trigger_id)

    def take_up(self, trigger_id: str) -> None:
        """A pipeline, here or elsewhere, has accepted the trigger."""
        self._taken_up.add(trigger_id)

    def is_taken_up(self, trigger_id: str) -> bool:
        return trigger_id in self._taken_up

    def is_finished(self, trigger_id: str) -> bool:
        return trigger_id in self._finished

    def to_commit(self) -> dict[int, int]:
        """Partition → the offset of the first trigger that is not finished, where that has moved on."""
        moved: dict[int, int] = {}
        for partition, entries in self._entries.items():
            while entries and (entries[0].trigger_id is None or entries[0].trigger_id in self._finished):
                entries.popleft()
            position = entries[0].offset if entries else self._next_offset[partition]
            if position > self._committed.get(partition, 0):
                moved[partition] = position
        return moved

    def committed(self, offsets: dict[int, int]) -> None:
        """`offsets` are safely with Kafka."""
        self._committed.update(offsets)
