"""The topics taken again in the order of their journal: the same bytes come out (design 4.2).

Reads nothing by itself and keeps nothing; skipped events stay skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

from trueup.engine import outbox
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.isolation import Taken
from trueup.engine.lane import Lane, LaneSetup
from trueup.engine.memory import is_outdated
from trueup.engine.records import Chunk
from trueup.step import Found, Kept, Needs, Output
from trueup_schemas.journal import ChunkTaken, EventSkipped, JournalEntry, TickTaken

#: The records `[from_offset, to_offset)` of a topic in one partition.
Read = Callable[[str, int, int], Chunk]
#: So many entries may be held before any is looked at.
LEAST_LOOKED_AT = 100_000


class Held:
    """What was saved and the lane does not hold: entries and sleeping sections, in memory."""

    def __init__(self, least_looked_at: int = LEAST_LOOKED_AT) -> None:
        self._entries: dict[bytes, Kept] = {}
        self._asleep: dict[str, bytes | None] = {}
        self._least_looked_at = self._look_at = least_looked_at

    def keep(self, save: Save) -> None:
        """Take over what a save changes."""
        self._entries.update(save.entries)
        self._asleep.update(save.asleep)

    def let_go(self, outdated: Mapping[int, int]) -> None:
        """Forget the entries that are outdated (`Step.outdated`), whenever there are twice as many as were left."""
        if len(self._entries) < self._look_at:
            return
        for key in [key for key, kept in self._entries.items() if is_outdated(kept, outdated)]:
            del self._entries[key]
        self._look_at = max(self._least_looked_at, 2 * len(self._entries))

    def find(self, needs: Needs) -> Found:
        """What is there of it."""
        asleep = {name: self._asleep.get(name) for name in needs.asleep}
        return Found(
            {key: self._entries[key].value for key in needs.entries if key in self._entries},
            {name: value for name, value in asleep.items() if value is not None},
        )


def replay(partition: int, entries: Iterable[JournalEntry], read: Read, setup: LaneSetup) -> Iterator[list[Output]]:
    """The outbox of each save, as it was: the journal's own entry, dead letters, what the step had to say.

    As `replay_saves`.
    """
    for save in replay_saves(partition, entries, read, setup):
        yield [outbox.decode(raw) for raw in save.outbox]


def replay_saves(partition: int, entries: Iterable[JournalEntry], read: Read, setup: LaneSetup) -> Iterator[Save]:
    """Each save, as it was.

    Args:
        entries: those of this partition, by growing `save` from 1 (or one that began `anew`) on, each once.
        read: where the records are, as long as Kafka keeps them.
        setup: of the worker that wrote the journal; another one answers "what if".

    Raises:
        ValueError: an entry is missing.
        StepFailed: the step raised on an event that the journal does not skip.
    """
    lane, held = _beginning(partition, setup, saves=0)
    for entry in entries:
        if entry.get("anew"):
            lane, held = _beginning(partition, setup, saves=entry["save"] - 1)
            lane.quiet_until = entry.get("quiet_until", {})
        if entry["save"] != lane.saves + 1:
            raise ValueError(
                f"the journal of partition {partition} goes on at save {entry['save']}, not {lane.saves + 1}"
            )
        lane.epoch = entry["epoch"]
        lane.begin(entry)
        for note in entry["taken"]:
            item = noted(lane, note, None if note["type"] != "chunk" else read_noted(read, note))
            if item is not None:
                lane.give(item, held.find(lane.needs(item)))
        save = lane.cut()
        held.keep(save)
        yield save


def _beginning(partition: int, setup: LaneSetup, *, saves: int) -> tuple[Lane, Held]:
    return Lane(partition, Claimed(epoch=0, offsets={}, sections={}, outbox=(), saves=saves), setup), Held()


def read_noted(read: Read, note: ChunkTaken) -> Chunk:
    """The records that the journal says were taken."""
    return read(note["topic"], note["from_offset"], note["to_offset"])


def noted(lane: Lane, note: ChunkTaken | TickTaken | EventSkipped, chunk: Chunk | None) -> Taken | None:
    """What the journal says was taken, to be given to the lane; None where it says what was not."""
    if note["type"] == "skip":
        lane.skip((note["topic"], note["offset"], note["index"]))
        return None
    if note["type"] == "tick":
        return Taken("", [], None, note["now"])
    assert chunk is not None
    return lane.decode(chunk, apart=note.get("apart", False))
