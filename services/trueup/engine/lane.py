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
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Literal, Protocol

import orjson

from trueup import snapshots
from trueup.engine import outbox
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.journal import Build, Journal
from trueup.engine.partitioner import partition_for
from trueup.engine.records import Chunk, Record
from trueup.step import Arrival, Output, RestoreStep, Step
from trueup_schemas import dead_letter
from trueup_schemas.codec import Decoded
from trueup_schemas.dead_letter import DeadLetterReason, Fault

log = logging.getLogger(__name__)

#: The section and the view in which the engine keeps what it counts itself.
ENGINE = "engine"
ENGINE_VERSION = 1
#: Topic, offset and index in the batch: where an event stands.
Place = tuple[str, int, int]
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


@dataclass(frozen=True, slots=True)
class _Taken:
    """One input as it was given to the step, kept until it is saved."""

    topic: str
    arrivals: list[Arrival]
    #: None: a tick, of `now`.
    chunk: Chunk | None
    now: float = 0.0

    def without(self, skips: set[Place]) -> _Taken:
        """The same input, with some events left out."""
        if not skips or self.chunk is None:
            return self
        kept = [event for event in self.arrivals if (self.topic, event.offset, event.place) not in skips]
        return replace(self, arrivals=kept)

    def singly(self) -> list[_Taken]:
        """The same input, an event at a time."""
        return [replace(self, arrivals=[arrival]) for arrival in self.arrivals] if self.chunk else [self]


class StepFailed(Exception):
    """The step raised; the lane has to be isolated before it goes on."""


class Lane:
    """One partition's fold, from a claim to the next. Not safe for threads."""

    def __init__(self, partition: int, claimed: Claimed, setup: LaneSetup) -> None:
        self.partition = partition
        self.setup = setup
        self.epoch = claimed.epoch
        self.offsets: dict[str, int] = dict(claimed.offsets)
        self.waiting_records = 0
        self._waiting: dict[str, deque[Chunk]] = {topic: deque() for topic in setup.feeds}
        self._routes: dict[str, bool] = {}
        self._saves = claimed.saves
        self._start(claimed)

    def _start(self, claimed: Claimed) -> None:
        """From the saved sections, with nothing taken since."""
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
        self._journal = Journal()
        self._taken: list[_Taken] = []
        self._letters: list[Output] = []

    # -- input ------------------------------------------------------------------------------------------------------

    def offer(self, chunk: Chunk) -> None:
        """Queue a chunk. Records that the state already holds are left out."""
        expected = self.offsets.get(chunk.topic, 0)
        queue = self._waiting[chunk.topic]
        if queue:
            expected = queue[-1].next_offset
        records = chunk.records
        if chunk.first_offset < expected:
            records = [record for record in records if record.offset >= expected]
            if not records:
                return
        elif chunk.first_offset > expected:
            log.info(
                "partition %d of %s goes on at %d, not %d", chunk.partition, chunk.topic, chunk.first_offset, expected
            )
        queue.append(Chunk(chunk.topic, chunk.partition, records, chunk.seek))
        self.waiting_records += len(records)

    @property
    def idle(self) -> bool:
        """Whether no chunk waits."""
        return self.waiting_records == 0

    @property
    def dirty(self) -> bool:
        """Whether anything was taken since the last save."""
        return bool(self._taken)

    @property
    def dead_letters(self) -> Mapping[str, int]:
        """Dead letters by reason, since the partition began."""
        return self._counts

    @property
    def urgent(self) -> bool:
        """Whether something must go out at once."""
        return self._step.urgent

    def run_next(self) -> bool:
        """Take the waiting chunk with the earliest record timestamp; False when none waits.

        Raises:
            StepFailed: the step raised; call `isolate`.
        """
        heads = [queue[0] for queue in self._waiting.values() if queue]
        if not heads:
            return False
        chunk = min(heads, key=lambda head: head.records[0].timestamp)
        self._waiting[chunk.topic].popleft()
        self.waiting_records -= len(chunk.records)
        arrivals = self._decode(chunk)
        self.offsets[chunk.topic] = chunk.next_offset
        self._give(_Taken(chunk.topic, arrivals, chunk))
        return True

    def tick(self, now: float) -> None:
        """Tell the step the time, unless it knows.

        Raises:
            StepFailed: the step raised; call `isolate`.
        """
        if now - self._last_tick < self.setup.tick_seconds:
            return
        self._give(_Taken("", [], None, now))

    def _give(self, taken: _Taken) -> None:
        self._taken.append(taken)
        try:
            self._apply(taken)
        except Exception as error:  # design 4.3: whatever a step raises is turned into one dead letter
            log.exception("partition %d: the step failed on %s", self.partition, taken.topic or "a tick")
            raise StepFailed(repr(error)) from error

    def _apply(self, taken: _Taken) -> None:
        if taken.chunk is None:
            self._journal.tick(taken.now)
            self._last_tick = taken.now
            self._step.tick(taken.now)
            return
        self._journal.chunk(taken.topic, taken.chunk.first_offset, taken.chunk.next_offset)
        if taken.arrivals:
            self._step.take(taken.topic, taken.arrivals, self._positions(taken.chunk))
        if self.setup.clock == "stream":
            self._tick_by_stream()

    def _positions(self, chunk: Chunk) -> Mapping[str, int]:
        return {**self.offsets, chunk.topic: chunk.next_offset}

    def _tick_by_stream(self) -> None:
        now = self._step.event_time
        if now is not None and now - self._last_tick >= self.setup.tick_seconds:
            self._last_tick = now
            self._step.tick(now)

    # -- decoding ---------------------------------------------------------------------------------------------------

    def _decode(self, chunk: Chunk) -> list[Arrival]:
        feed = self.setup.feeds[chunk.topic]
        decode, routed_by = feed.decoder.decode, feed.routed_by
        arrivals: list[Arrival] = []
        for record in chunk.records:
            decoded = decode(record.value)
            for fault in decoded.faults:
                self._dead_letter(chunk, record, fault)
            for index, event in decoded.events:
                if self._belongs_here(event.get(routed_by)):
                    arrivals.append(Arrival(record.offset, index, record.timestamp, event))
                else:
                    self._dead_letter(chunk, record, self._misrouted(record, index, routed_by, event[routed_by]))
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

    def _misrouted(self, record: Record, index: int, routed_by: str, key: str) -> Fault:
        right = partition_for(key.encode(), self.setup.partitions)
        detail = (
            f"{routed_by} {key!r} belongs on partition {right}, not {self.partition}: key the record by {routed_by} "
            "and use the murmur2 partitioner (librdkafka: partitioner=murmur2_random)"
        )
        return Fault(DeadLetterReason.MISROUTED, detail, record.value or b"", index)

    def _dead_letter(self, chunk: Chunk, record: Record, fault: Fault) -> None:
        self._counts[fault.reason.value] += 1
        headers = dead_letter.headers(
            fault, topic=self.setup.prefix + chunk.topic, partition=chunk.partition, offset=record.offset
        )
        self._letters.append(Output("dead-letters", record.key, fault.value, tuple(headers), self.partition))

    # -- isolation --------------------------------------------------------------------------------------------------

    def isolate(self, claimed: Claimed) -> None:
        """Go back to the saved state and take everything since again, without what makes the step raise.

        First chunk by chunk; the chunk that raises is then taken event by event to find the one at fault.
        """
        taken, letters, counts = self._taken, self._letters, Counter(self._counts)
        skips: set[Place] = set()
        singly: int | None = None
        self.epoch = claimed.epoch
        while True:
            self._start(claimed)
            failed = self._replay(taken, skips, singly)
            if failed is None:
                break
            at, culprits = failed
            if taken[at].chunk is None:
                del taken[at]
            elif singly == at or len(culprits) == 1:
                skips.update(culprits)
                singly = None
            else:
                singly = at
        self._taken, self._letters, self._counts = taken, letters, counts
        for place in sorted(skips):
            self._bury(place)

    def _replay(self, taken: Sequence[_Taken], skips: set[Place], singly: int | None) -> tuple[int, list[Place]] | None:
        """Take `taken` again without `skips`; where the step raised: which item, and the events it was given."""
        for topic, offset, index in sorted(skips):
            self._journal.skip(topic, offset, index)
        for at, item in enumerate(taken):
            kept = item.without(skips)
            for part in kept.singly() if at == singly else [kept]:
                try:
                    self._apply(part)
                except Exception as error:  # design 4.3, as in `_give`
                    places = [(part.topic, arrival.offset, arrival.place) for arrival in part.arrivals]
                    log.error("partition %d: the step raised %r on %s", self.partition, error, places[:3] or "a tick")
                    return at, places
        return None

    def _bury(self, place: Place) -> None:
        """Make the event at this place, which the step could not take, a dead letter."""
        topic, offset, index = place
        for item in self._taken:
            if item.chunk is None or item.topic != topic:
                continue
            for record in item.chunk.records:
                if record.offset == offset:
                    fault = Fault(DeadLetterReason.STEP_FAILED, "the step raised on it", record.value or b"", index)
                    self._dead_letter(item.chunk, record, fault)
                    return

    # -- output -----------------------------------------------------------------------------------------------------

    def cut(self) -> Save:
        """Everything since the last save as one atomic write. Follow it with `saved`, or drop the lane."""
        effects = self._step.effects()
        engine = {"dead_letters": dict(self._counts), "last_tick": self._last_tick}
        sections = dict(effects.sections)
        sections[ENGINE] = snapshots.pack(ENGINE_VERSION, engine)
        views = dict(effects.views)
        views[ENGINE] = orjson.dumps({"offsets": self.offsets, **engine})
        note = self._journal.output(
            worker=self.setup.worker,
            partition=self.partition,
            epoch=self.epoch,
            save=self._saves + 1,
            build=self.setup.build,
        )
        outputs = [note, *self._letters, *effects.outputs]
        return Save(
            epoch=self.epoch,
            base=self._base,
            offsets=dict(self.offsets),
            sections=sections,
            views=views,
            outbox=[outbox.encode(output) for output in outputs],
        )

    def saved(self, save: Save) -> None:
        """`save` was written: from here on it is where a restart begins."""
        self._base = dict(save.offsets)
        self._saves += 1
        self._clear()
