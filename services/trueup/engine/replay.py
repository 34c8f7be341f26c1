"""The topics taken again in the order of their journal: the same bytes come out (design 4.2).

Reads nothing by itself and keeps nothing; skipped events stay skipped.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator

from trueup.engine import outbox
from trueup.engine.checkpoint import Claimed
from trueup.engine.lane import Lane, LaneSetup
from trueup.engine.records import Chunk
from trueup.step import Output
from trueup_schemas.journal import JournalEntry

#: The records `[from_offset, to_offset)` of a topic in one partition.
Read = Callable[[str, int, int], Chunk]


def replay(partition: int, entries: Iterable[JournalEntry], read: Read, setup: LaneSetup) -> Iterator[list[Output]]:
    """The outbox of each save, as it was: the journal's own entry, dead letters, what the step had to say.

    Args:
        entries: those of this partition, by growing `save` from 1 on, each once.
        read: where the records are, as long as Kafka keeps them.
        setup: of the worker that wrote the journal; another one answers "what if".

    Raises:
        ValueError: an entry is missing.
        StepFailed: the step raised on an event that the journal does not skip.
    """
    lane = Lane(partition, Claimed(epoch=0, offsets={}, sections={}, outbox=()), setup)
    for number, entry in enumerate(entries, start=1):
        if entry["save"] != number:
            raise ValueError(f"the journal of partition {partition} goes on at save {entry['save']}, not {number}")
        lane.epoch = entry["epoch"]
        _take(lane, entry, read)
        save = lane.cut()
        lane.saved(save)
        yield [outbox.decode(raw) for raw in save.outbox]


def _take(lane: Lane, entry: JournalEntry, read: Read) -> None:
    for note in entry["taken"]:
        if note["type"] == "skip":
            lane.skip((note["topic"], note["offset"], note["index"]))
        elif note["type"] == "tick":
            lane.tick(note["now"])
        else:
            chunk = read(note["topic"], note["from_offset"], note["to_offset"])
            lane.take(chunk, apart=note.get("apart", False))
