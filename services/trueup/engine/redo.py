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
from collections.abc import AsyncIterator, Callable
from dataclasses import dataclass, field, replace

from pydantic import TypeAdapter, ValidationError

from trueup.engine.branches import Branches
from trueup.engine.checkpoint import Checkpoint, Claimed, Save
from trueup.engine.failpoints import Failpoints
from trueup.engine.history import History
from trueup.engine.lane import Lane, StepFailed
from trueup.engine.records import Chunk
from trueup.engine.replay import noted
from trueup.step import NOTHING_FOUND
from trueup_schemas.journal import ChunkTaken, JournalEntry

log = logging.getLogger(__name__)

_ENTRY = TypeAdapter(JournalEntry)


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

    def __init__(
        self, lane: Lane, checkpoint: Checkpoint, history: History, points: Failpoints, saved: Callable[[], None]
    ) -> None:
        """`saved` is called after each save: it may take long, and is not stuck."""
        self._lane = lane
        self._checkpoint = checkpoint
        self._history = history
        self._points = points
        self._saved = saved
        #: As claimed, whatever of it was of use; the journal's entries come to it, and the lane is made of no more.
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
        first, branches = saves + 1, Branches()
        async for entry in self._own(journal_at):
            branches.add(entry)
            if entry.get("anew"):
                first = max(first, entry["save"])
        async for entry in self._own(journal_at):
            if entry["save"] <= saves or entry["save"] < first or branches.is_void(entry):
                continue
            if entry["save"] != saves + 1 and not entry.get("anew"):
                raise _Gone(f"the journal goes on at save {entry['save']}, not {saves + 1}")
            saves = entry["save"]
            yield entry

    async def _own(self, journal_at: int) -> AsyncIterator[JournalEntry]:
        lane = self._lane
        async for raw in self._history.journal(lane.partition, journal_at):
            entry = self._parsed(raw)
            if entry is not None and (entry["worker"], entry["partition"]) == (lane.setup.worker, lane.partition):
                yield entry

    def _parsed(self, raw: bytes) -> JournalEntry | None:
        """None: it is no entry. Where one of ours is missing for it, that shows in the numbers."""
        try:
            return _ENTRY.validate_json(raw)
        except ValidationError as error:
            log.error("the journal of partition %d has a record that is no entry: %s", self._lane.partition, error)
            return None

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
        lane = self._lane
        if topic not in lane.setup.feeds:
            raise _Gone(f"{topic} is not read any more")
        at = lane.offsets.get(topic, 0)
        # Where the state is not the one that the entry goes on from, records would be lost, or counted twice.
        if first < at or (first > at and await self._history.records(topic, lane.partition, at, first) is not None):
            raise _Gone(f"the journal goes on at {first} of {topic}, and the state at {at}")
        chunk = await self._history.records(topic, lane.partition, first, end)
        if chunk is None or (chunk.first_offset, chunk.next_offset) != (first, end):
            raise _Gone(f"records {first} to {end} of {topic} are not all there any more")
        return chunk

    async def _save(self, save: Save) -> None:
        await self._checkpoint.save(self._lane.partition, save)
        self._saved()
        self._points.hit("redo.after")

    async def _forget(self, entry: JournalEntry) -> None:
        """A predecessor began anew here."""
        saves = entry["save"] - 1
        await self._checkpoint.begin_anew(self._lane.partition, self._lane.epoch, saves)
        self._lane.begin_anew(saves=saves, quiet_until=entry.get("quiet_until", {}))

    async def _begin_anew(self, journal_at: int, reason: str) -> None:
        lane, known = self._lane, self._known
        async for entry in self._own(journal_at):
            known.add(entry)
        log.error("partition %d begins anew with the oldest records that are kept: %s", lane.partition, reason)
        spoken = await self._spoken_about(known)
        await self._checkpoint.begin_anew(lane.partition, lane.epoch, known.saves)
        lane.begin_anew(saves=known.saves, quiet_until=spoken)

    async def _spoken_about(self, known: _Known) -> dict[str, int]:
        """How far predecessors had come; nowhere, where the topics are not those that they read but made anew.

        Of a topic that is kept longer than the journal they may have taken all there is, and no entry says so.
        """
        spoken, ends = known.offsets, dict[str, int]()
        for topic in self._lane.setup.feeds:
            ends[topic] = await self._history.end(topic, self._lane.partition)
            if ends[topic] < spoken.get(topic, 0):
                return {}
        return {topic: at for topic, end in ends.items() if (at := spoken.get(topic, end))}
