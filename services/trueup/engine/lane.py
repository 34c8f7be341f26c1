"""One partition in one worker: its waiting chunks, its step, and what happened since the last save.

    offer ──> waiting, per topic ──> run_next ──> decode ──> step
                                                    │          │
                                                    └ faults ──┴──> cut ──> Save (state + offsets + views + outbox)

A lane does no input or output. When the step raises, `isolate` starts again from the saved sections and takes the
same input without the event at fault, which becomes a dead letter.
"""

from __future__ import annotations

import logging
from collections import Counter, deque
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, Protocol, TypeVar

import orjson

from trueup import snapshots
from trueup.engine import outbox
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.isolation import Failure, Place, Taken, isolate
from trueup.engine.journal import Build, Journal
from trueup.engine.partitioner import partition_for
from trueup.engine.records import Chunk, Record
from trueup.errors import StaleWriter, Unavailable
from trueup.step import NOTHING_FOUND, Arrival, Effects, Output, RestoreStep, Step
from trueup_schemas import dead_letter
from trueup_schemas.codec import Decoded
from trueup_schemas.dead_letter import DeadLetterReason, Fault
from trueup_schemas.json_slices import array_elements

log = logging.getLogger(__name__)
Made = TypeVar("Made")

#: The section and the view in which the engine keeps what it counts itself.
ENGINE = "engine"
ENGINE_VERSION = 1
#: What is taken in one go: a larger chunk is taken in parts, so that no other lane has to wait for long.
MOST_BYTES_AT_ONCE = 262_144
#: Model ids of which a lane remembers that they belong here.
ROUTES_KEPT = 10_000


class Decoder(Protocol):
    """Bytes of one record to events and faults; never raises."""

    def decode(self, value: bytes | None) -> Decoded: ...


@dataclass(frozen=True, slots=True)
class Feed:
    """One input topic: how its records are read, and the field of an event that decides its partition."""

    decoder: Decoder
    routed_by: str = "model_id"


@dataclass(frozen=True, slots=True)
class LaneSetup:
    """What all lanes of a worker share."""

    worker: str
    partitions: int
    #: Topic without prefix -> how its records are read; the order breaks ties between equal timestamps.
    feeds: Mapping[str, Feed]
    restore: RestoreStep
    #: "wall": ticks come from outside; "stream": from the event time that the step has seen.
    clock: Literal["wall", "stream"] = "wall"
    tick_seconds: float = 1.0
    build: Build = field(default_factory=Build)
    #: Prefix of topic names as others see them, written into dead letters.
    prefix: str = "trueup."


class StepFailed(Exception):
    """The step raised; the lane has to be isolated before it goes on."""


class Lane:
    """One partition's fold, from a claim to the next. Not safe for threads."""

    def __init__(self, partition: int, claimed: Claimed, setup: LaneSetup) -> None:
        self.partition = partition
        self.setup = setup
        self.epoch = claimed.epoch
        self.waiting_records = 0
        self.waiting_bytes = 0
        self._waiting: dict[str, deque[Chunk]] = {topic: deque() for topic in setup.feeds}
        self._routes: dict[str, bool] = {}
        self._saves = claimed.saves
        self._start(claimed)

    def _start(self, claimed: Claimed) -> None:
        """From the saved sections, with nothing taken since."""
        self.offsets: dict[str, int] = dict(claimed.offsets)
        self._base: dict[str, int] = dict(claimed.offsets)
        sections = dict(claimed.sections)
        engine = sections.pop(ENGINE, None)
        self._counts: Counter[str] = Counter()
        self._last_tick = 0.0
        if engine is not None:
            _, data = snapshots.unpack(engine, known=[ENGINE_VERSION], what=f"partition {self.partition}")
            self._counts.update(data["dead_letters"])
            self._last_tick = data["last_tick"]
        self._step: Step = self.setup.restore(self.partition, sections)
        self._clear()

    def _clear(self) -> None:
        self._taken: list[Taken] = []
        self._skipped: list[Place] = []
        self._letters: list[Output] = []
        self._cut_failed = False

    # -- input ------------------------------------------------------------------------------------------------------

    def offer(self, chunk: Chunk) -> bool:
        """Queue a chunk; False, and nothing queued, where records before it were read and did not come here.

        Records that the state already holds are left out.
        """
        queue = self._waiting[chunk.topic]
        known = bool(queue) or chunk.topic in self.offsets
        expected = queue[-1].next_offset if queue else self.offsets.get(chunk.topic, 0)
        if known and chunk.follows is not None and chunk.follows > expected:
            return False
        records = chunk.records
        if chunk.first_offset < expected:
            records = [record for record in records if record.offset >= expected]
            if not records:
                return True
        elif chunk.first_offset > expected:
            log.info(
                "partition %d of %s goes on at %d, not %d", chunk.partition, chunk.topic, chunk.first_offset, expected
            )
        self._queue(Chunk(chunk.topic, chunk.partition, records, chunk.seek))
        return True

    def _queue(self, chunk: Chunk, *, first: bool = False) -> None:
        queue = self._waiting[chunk.topic]
        (queue.appendleft if first else queue.append)(chunk)
        self.waiting_records += len(chunk.records)
        self.waiting_bytes += chunk.size_bytes

    @property
    def idle(self) -> bool:
        """Whether no chunk waits."""
        return self.waiting_records == 0

    @property
    def dirty(self) -> bool:
        """Whether anything was taken since the last save."""
        return bool(self._taken)

    @property
    def only_ticks(self) -> bool:
        """Whether all that was taken since the last save is the time."""
        return all(item.chunk is None for item in self._taken)

    @property
    def saved_offsets(self) -> Mapping[str, int]:
        """The next offset per topic as last saved."""
        return self._base

    @property
    def dead_letters(self) -> Mapping[str, int]:
        """Dead letters by reason, since the partition began."""
        return self._counts

    @property
    def urgent(self) -> bool:
        """Whether something must go out at once."""
        return self._step.urgent

    def run_next(self) -> bool:
        """Take the waiting chunk with the earliest record timestamp, or its first part; False when none waits.

        Raises:
            StepFailed: the step raised; call `isolate`.
        """
        heads = [queue[0] for queue in self._waiting.values() if queue]
        if not heads:
            return False
        chunk = min(heads, key=lambda head: head.records[0].timestamp)
        self._waiting[chunk.topic].popleft()
        self.waiting_records -= len(chunk.records)
        self.waiting_bytes -= chunk.size_bytes
        part, rest = _split(chunk)
        if rest is not None:
            self._queue(rest, first=True)
        self.take(part)
        if (now := self._due_by_stream()) is not None:
            self._give(Taken("", [], None, now))
        return True

    def take(self, chunk: Chunk, *, apart: bool = False) -> None:
        """Give this chunk to the step, without the events that were skipped; `apart`: event by event.

        Raises:
            StepFailed: the step raised; call `isolate`.
        """
        item = Taken(chunk.topic, self._decode(chunk), chunk, apart=apart)
        self._give(item.without(set(self._skipped)) if self._skipped else item)

    def skip(self, place: Place) -> None:
        """Leave out this event, of a chunk that is still to come: the step cannot take it."""
        self._skipped.append(place)

    def tick(self, now: float) -> None:
        """Tell the step the time, unless it knows.

        Raises:
            StepFailed: the step raised; call `isolate`.
        """
        if now - self._last_tick >= self.setup.tick_seconds:
            self._give(Taken("", [], None, now))

    def _give(self, item: Taken) -> None:
        self._taken.append(item)
        for part in item.parts():
            self._guard(partial(self._apply, part), on=item.topic or "a tick")

    def _guard(self, call: Callable[[], Made], *, on: str) -> Made:
        try:
            return call()
        except (Unavailable, MemoryError):
            raise
        except Exception as error:  # design 4.3: whatever a step raises is turned into one dead letter
            log.exception("partition %d: the step raised on %s", self.partition, on)
            raise StepFailed(repr(error)) from error

    def _apply(self, item: Taken) -> None:
        if item.chunk is None:
            self._last_tick = item.now
            if not item.dropped:
                self._step.tick(item.now, NOTHING_FOUND)
            return
        self.offsets[item.topic] = item.chunk.next_offset
        if item.arrivals:
            self._step.take(item.topic, item.arrivals, dict(self.offsets), NOTHING_FOUND)

    def _due_by_stream(self) -> float | None:
        """The time to tell the step, where the data drives the clock and has moved it far enough."""
        now = self._step.event_time if self.setup.clock == "stream" else None
        return now if now is not None and now - self._last_tick >= self.setup.tick_seconds else None

    # -- decoding ---------------------------------------------------------------------------------------------------

    def _decode(self, chunk: Chunk) -> list[Arrival]:
        feed = self.setup.feeds[chunk.topic]
        decode, routed_by = feed.decoder.decode, feed.routed_by
        arrivals: list[Arrival] = []
        for record in chunk.records:
            decoded = decode(record.value)
            # All events of a record are of one model, so the first one says where they belong.
            key = decoded.events[0][1].get(routed_by) if decoded.events else None
            if not self._belongs_here(key):
                self._letters.append(self._letter(chunk, record, self._misrouted(record, routed_by, str(key))))
                continue
            self._letters.extend(self._letter(chunk, record, fault) for fault in decoded.faults)
            for index, event in decoded.events:
                arrivals.append(Arrival(record.offset, index, record.timestamp, event))
        return arrivals

    def _belongs_here(self, key: str | None) -> bool:
        if key is None:
            return True
        belongs = self._routes.get(key)
        if belongs is None:
            if len(self._routes) >= ROUTES_KEPT:
                self._routes.clear()
            belongs = partition_for(key.encode(), self.setup.partitions) == self.partition
            self._routes[key] = belongs
        return belongs

    def _misrouted(self, record: Record, routed_by: str, key: str) -> Fault:
        right = partition_for(key.encode(), self.setup.partitions)
        detail = (
            f"{routed_by} {key!r} belongs on partition {right}, not {self.partition}: key the record by {routed_by} "
            "and use the murmur2 partitioner (librdkafka: partitioner=murmur2_random)"
        )
        return Fault(DeadLetterReason.MISROUTED, detail, record.value or b"")

    def _letter(self, chunk: Chunk, record: Record, fault: Fault) -> Output:
        self._counts[fault.reason.value] += 1
        headers = dead_letter.headers(
            fault, topic=self.setup.prefix + chunk.topic, partition=chunk.partition, offset=record.offset
        )
        return Output("dead-letters", record.key, fault.value, tuple(headers), self.partition)

    # -- isolation --------------------------------------------------------------------------------------------------

    def isolate(self, saved: Claimed) -> None:
        """Go back to the saved state and take everything since again, without what makes the step raise.

        Raises:
            StaleWriter: the state is not the one that this lane saved last: drop the lane.
        """
        if saved.saves != self._saves or saved.offsets != self._base:
            raise StaleWriter(f"partition {self.partition} is not as this worker saved it last")
        letters, counts, skipped = self._letters, self._counts, self._skipped
        attempt = partial(self._attempt, saved, cutting=self._cut_failed)
        taken, culprits = isolate(self._taken, attempt)
        while (now := self._due_by_stream()) is not None:
            taken, more = isolate([*taken, Taken("", [], None, now)], attempt)
            culprits += more
        self._taken, self._letters, self._counts = taken, letters, counts
        self._skipped = skipped + culprits

    def _attempt(self, saved: Claimed, taken: Sequence[Taken], *, cutting: bool) -> Failure | None:
        """Take it all from the saved state on; `cutting`: see first whether it can be cut."""
        self._start(saved)
        for at, item in enumerate(taken):
            for part in item.parts():
                try:
                    self._guard(partial(self._apply, part), on=f"{part.places[:3] or 'a tick'} once more")
                except StepFailed:
                    return Failure(at, part.places)
        if not cutting:
            return None
        try:
            self._guard(self._step.effects, on="a cut once more")
        except StepFailed:
            return Failure(len(taken))
        # A cut takes the effects out of the step: they are made once more.
        return self._attempt(saved, taken, cutting=False)

    def _buried(self, place: Place) -> Output:
        """The dead letter of the event at this place, which the step could not take."""
        topic, offset, index = place
        chunks = [item.chunk for item in self._taken if item.chunk is not None and item.topic == topic]
        chunk, record = next((c, record) for c in chunks for record in c.records if record.offset == offset)
        value = record.value or b""
        elements = array_elements(value) if value.lstrip()[:1] == b"[" else None
        own = value if elements is None else elements[index]
        fault = Fault(DeadLetterReason.STEP_FAILED, "the step raised on it", own, None if elements is None else index)
        return self._letter(chunk, record, fault)

    # -- output -----------------------------------------------------------------------------------------------------

    def cut(self) -> Save:
        """Everything since the last save as one atomic write. Follow it with `saved`, or drop the lane.

        Raises:
            StepFailed: the step raised; call `isolate`.
        """
        effects = self._effects()
        letters = [*self._letters, *map(self._buried, self._skipped)]
        engine = {"dead_letters": dict(sorted(self._counts.items())), "last_tick": self._last_tick}
        sections = dict(effects.sections)
        sections[ENGINE] = snapshots.pack(ENGINE_VERSION, engine)
        views = dict(effects.views)
        views[ENGINE] = orjson.dumps({"offsets": self.offsets, **engine})
        note = self._journal().output(
            worker=self.setup.worker,
            partition=self.partition,
            epoch=self.epoch,
            save=self._saves + 1,
            build=self.setup.build,
        )
        outputs = [note, *letters, *effects.outputs]
        return Save(
            epoch=self.epoch,
            base=self._base,
            saves=self._saves,
            offsets=dict(self.offsets),
            sections=sections,
            views=views,
            outbox=[outbox.encode(output) for output in outputs],
        )

    def _effects(self) -> Effects:
        try:
            return self._guard(self._step.effects, on="a cut")
        except StepFailed:
            self._cut_failed = True
            raise

    def _journal(self) -> Journal:
        journal = Journal()
        for topic, offset, index in self._skipped:
            journal.skip(topic, offset, index)
        for item in self._taken:
            if item.chunk is not None:
                journal.chunk(item.topic, item.chunk.first_offset, item.chunk.next_offset, apart=item.apart)
            elif not item.dropped:
                journal.tick(item.now)
        return journal

    def saved(self, save: Save) -> None:
        """`save` was written: from here on it is where a restart begins."""
        self._base = dict(save.offsets)
        self._saves += 1
        self._clear()


def _split(chunk: Chunk) -> tuple[Chunk, Chunk | None]:
    """The first records of a chunk, at least one and at most some bytes of them, and the rest."""
    size = 0
    for at, record in enumerate(chunk.records):
        size += len(record.value or b"")
        if size > MOST_BYTES_AT_ONCE and at:
            return replace(chunk, records=chunk.records[:at]), replace(chunk, records=chunk.records[at:])
    return chunk, None
