"""State that is behind what was published: made good by the journal, before anything new is taken.

Redis that was put back to an older copy, or lost everything, says less than the topics do. The journal says in which
order what came after was taken; taken again, it gives the same state, the same numbers, the same bytes.

    saved          1 ── 2 ── 3
    journal        1 ── 2 ── 3 ── 4 ── 5 ── 6
    taken again                   4 ── 5 ── 6        what 6 said goes out again: it may not have; 4 and 5 surely did

Where the journal or the records do not reach back that far, the partition begins anew with the oldest record there is,
and says nothing of what a predecessor has spoken about.
"""

from __future__ import annotations

import logging
from collections.abc import AsyncIterator, Mapping
from dataclasses import dataclass, field, replace
from typing import cast

import orjson

from trueup.engine.checkpoint import Checkpoint, Claimed, Save
from trueup.engine.failpoints import Failpoints
from trueup.engine.history import History
from trueup.engine.lane import Lane, StepFailed
from trueup.engine.records import Chunk
from trueup.engine.replay import noted
from trueup.step import NOTHING_FOUND
from trueup_schemas.journal import ChunkTaken, JournalEntry

log = logging.getLogger(__name__)

#: Without these a record of the journal is no entry.
_NEEDED = frozenset({"worker", "partition", "epoch", "save", "taken", "settings_hash", "code_version"})


class _Gone(Exception):
    """The journal, or what it names, is not there any more, or does not give what it gave."""


@dataclass(slots=True)
class _Known:
    """What the journal says beyond what is saved."""

    saves: int
    offsets: dict[str, int] = field(default_factory=dict)

    def add(self, entry: JournalEntry) -> None:
        self.saves = max(self.saves, entry["save"])
        for note in entry["taken"]:
            if note["type"] == "chunk":
                self.offsets[note["topic"]] = max(self.offsets.get(note["topic"], 0), note["to_offset"])


class Redo:
    """Brings one lane, just claimed, up to what its predecessors published."""

    def __init__(self, lane: Lane, checkpoint: Checkpoint, history: History, points: Failpoints) -> None:
        self._lane = lane
        self._checkpoint = checkpoint
        self._history = history
        self._points = points
        #: As claimed, whatever of it was of use.
        self._known = _Known(0)

    async def run(self, claimed: Claimed) -> list[bytes]:
        """Take again what the journal has beyond the saved state; what of the outbox may not have gone out.

        Raises:
            StaleWriter, Unavailable: drop the lane.
        """
        self._known = _Known(claimed.saves, dict(claimed.offsets))
        claimed = await self._whole(claimed)
        lane, first, journal_at = self._lane, self._lane.saves, claimed.journal_at
        last: Save | None = None
        try:
            async for entry in self._beyond(journal_at, lane.saves):
                if last is None:
                    self._warn()
                else:
                    await self._save(replace(last, outbox=[]))
                if entry.get("anew"):
                    await self._forget(entry)
                last = await self._again(entry)
        except _Gone as reason:
            await self._begin_anew(journal_at, str(reason))
            return []
        if last is None:
            # Every save has a section of the engine's own.
            if self._known.saves and not claimed.sections:
                await self._begin_anew(journal_at, "a predecessor was about to, and ended")
            return list(claimed.outbox)
        await self._save(last)
        log.error("partition %d: saves %d to %d were taken again", lane.partition, first + 1, lane.saves)
        return [*claimed.outbox, *last.outbox]

    async def _whole(self, claimed: Claimed) -> Claimed:
        """What was claimed; nothing, where the state is there and not how far it had come, or the other way round.

        One without the other would count twice, or forget in silence.
        """
        has_state, has_offsets = bool(claimed.sections), bool(claimed.saves if claimed.sections else claimed.offsets)
        if has_state == has_offsets:
            return claimed
        lane = self._lane
        what = "how far its state had come" if has_state else "its state"
        log.error("partition %d: Redis has lost %s: the rest is of no use without", lane.partition, what)
        await self._checkpoint.begin_anew(lane.partition, lane.epoch, 0)
        lane.begin_anew(saves=0, quiet_until={})
        return Claimed(claimed.epoch, {}, {}, ())

    def _warn(self) -> None:
        log.error(
            "partition %d: the journal knows more than Redis, which was put back to %s: it is taken again",
            self._lane.partition,
            f"save {self._lane.saves}" if self._lane.saves else "nothing",
        )

    async def _beyond(self, journal_at: int, saves: int) -> AsyncIterator[JournalEntry]:
        """The entries of this worker and partition after this save, each once, in order.

        From the last one on that began anew, where there is one: what was before it is not in its state.

        Raises:
            _Gone: one is missing.
        """
        first = saves + 1
        async for entry in self._own(journal_at):
            if entry.get("anew"):
                first = max(first, entry["save"])
        async for entry in self._own(journal_at):
            if entry["save"] <= saves or entry["save"] < first:
                continue
            if entry["save"] != saves + 1 and not entry.get("anew"):
                raise _Gone(f"the journal goes on at save {entry['save']}, not {saves + 1}")
            saves = entry["save"]
            yield entry

    async def _own(self, journal_at: int) -> AsyncIterator[JournalEntry]:
        lane = self._lane
        async for raw in self._history.journal(lane.partition, journal_at):
            entry = _entry(raw)
            if entry is None:
                log.error("partition %d: the journal holds a record that is no entry: passed over", lane.partition)
            elif (entry["worker"], entry["partition"]) == (lane.setup.worker, lane.partition):
                yield entry

    async def _again(self, entry: JournalEntry) -> Save:
        lane = self._lane
        try:
            lane.begin(entry)
            for note in entry["taken"]:
                chunk = await self._read(note) if note["type"] == "chunk" else None
                item = noted(lane, note, chunk)
                if item is not None:
                    needs = lane.needs(item)
                    found = await self._checkpoint.read(lane.partition, needs) if needs else NOTHING_FOUND
                    lane.give(item, found)
            return lane.cut(noted=entry)
        except StepFailed as error:
            raise _Gone(f"save {entry['save']} cannot be taken again: {error}") from error

    async def _read(self, note: ChunkTaken) -> Chunk:
        topic, first, end = note["topic"], note["from_offset"], note["to_offset"]
        chunk = await self._history.records(topic, self._lane.partition, first, end)
        if chunk is None or (chunk.first_offset, chunk.next_offset) != (first, end):
            raise _Gone(f"records {first} to {end} of {topic} are not all there any more")
        return chunk

    async def _save(self, save: Save) -> None:
        await self._checkpoint.save(self._lane.partition, save)
        self._points.hit("redo.after")

    async def _forget(self, entry: JournalEntry) -> None:
        """A predecessor began anew here."""
        saves = entry["save"] - 1
        await self._checkpoint.begin_anew(self._lane.partition, self._lane.epoch, saves)
        self._lane.begin_anew(saves=saves, quiet_until=entry.get("quiet_until", {}))

    async def _begin_anew(self, journal_at: int, reason: str) -> None:
        lane = self._lane
        known = self._known
        known.saves = max(known.saves, lane.saves)
        async for entry in self._own(journal_at):
            known.add(entry)
        log.error("partition %d begins anew with the oldest records that are kept: %s", lane.partition, reason)
        spoken = await self._spoken_about(known)
        await self._checkpoint.begin_anew(lane.partition, lane.epoch, known.saves)
        lane.begin_anew(saves=known.saves, quiet_until=spoken)

    async def _spoken_about(self, known: _Known) -> dict[str, int]:
        """How far predecessors had come; nowhere, where the topics are not those that they read but made anew."""
        spoken = _furthest(self._lane.offsets, known.offsets)
        for topic, at in spoken.items():
            if await self._history.end(topic, self._lane.partition) < at:
                return {}
        return spoken


def _entry(raw: bytes) -> JournalEntry | None:
    """The entry; None where somebody else wrote something else."""
    try:
        read = orjson.loads(raw)
    except ValueError:
        return None
    return cast(JournalEntry, read) if isinstance(read, dict) and read.keys() >= _NEEDED else None


def _furthest(saved: Mapping[str, int], known: Mapping[str, int]) -> dict[str, int]:
    return {topic: max(saved.get(topic, 0), known.get(topic, 0)) for topic in {*saved, *known}}
