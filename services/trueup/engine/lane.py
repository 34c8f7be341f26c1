"""One partition in one worker: its waiting chunks, its step, and what happened since the last cut.

    offer ──> waiting, per topic ──> next ──> decode ──> needs? ──> give ──> step
                                                │                            │
                                                └ faults ────────────────────┴──> cut ──> Save (state + offsets + …)

A lane does no input or output: what its step needs of the saved state is read by whoever drives it. When the step
raises, `isolate` starts again from the saved sections and takes the same input without the event at fault, which
becomes a dead letter.
"""

from __future__ import annotations

import logging
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Literal, TypeVar

import orjson

from trueup import snapshots
from trueup.engine import outbox
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.decoding import Decoding, Feed
from trueup.engine.isolation import AsRead, Failure, NotRead, Place, Taken, isolate
from trueup.engine.journal import Build, Journal
from trueup.engine.records import Chunk, Record
from trueup.engine.waiting import Waiting
from trueup.errors import InvalidSettings, StaleWriter, Unavailable
from trueup.step import NO_NEEDS, NOTHING_FOUND, Effects, Found, Needs, Output, RestoreStep, Step
from trueup_schemas import dead_letter
from trueup_schemas.dead_letter import DeadLetterReason, Fault
from trueup_schemas.journal import JournalEntry
from trueup_schemas.json_slices import array_elements

log = logging.getLogger(__name__)
Made = TypeVar("Made")

#: The section and the view in which the engine keeps what it counts itself.
ENGINE = "engine"
ENGINE_VERSION = 1


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
        self._waiting = Waiting(setup.feeds)
        self._decoding = Decoding(partition, setup.partitions, setup.feeds)
        self.saves = claimed.saves
        #: How far a predecessor had come whose state was lost: what is said up to there was said before.
        self.quiet_until: Mapping[str, int] = {}
        self._anew = self._quiet = False
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
            self.quiet_until = data.get("quiet_until", {})
            self._refuse_other_partitions(data.get("partitions"))
        self._step: Step = self.setup.restore(self.partition, sections)
        self._clear()

    def _refuse_other_partitions(self, saved: int | None) -> None:
        if saved is not None and saved != self.setup.partitions:
            raise InvalidSettings(
                f"the saved state of the {self.setup.worker} is of topics with {saved} partitions, and "
                f"kafka.partitions is {self.setup.partitions}: a model would be looked for where its state is not. "
                f"Set kafka.partitions back to {saved}, or begin anew with another kafka.topic_prefix and "
                "redis.key_prefix"
            )

    def _clear(self) -> None:
        self.unsaved_bytes = 0
        self._taken: list[Taken] = []
        self._skipped: list[Place] = []
        self._letters: list[Output] = []
        self._cut_failed = False

    # -- input ------------------------------------------------------------------------------------------------------

    def offer(self, chunk: Chunk) -> bool:
        """Queue a chunk; False, and nothing queued, where records before it were read and did not come here.

        Records that the state already holds are left out.
        """
        return self._waiting.offer(chunk, self.offsets)

    @property
    def waiting_records(self) -> int:
        """How many records wait."""
        return self._waiting.records

    @property
    def waiting_bytes(self) -> int:
        """What their values take in memory."""
        return self._waiting.size_bytes

    def full(self, records: int, size_bytes: int) -> list[str]:
        """The topics of which too much waits, where so much may wait of all."""
        return self._waiting.full(records, size_bytes)

    @property
    def held(self) -> bool:
        """Whether what waits is held back: it is far ahead of another topic, of which more is about to come."""
        return self._waiting.held

    def go_ahead(self) -> None:
        """Hold nothing back any longer: what was about to come does not."""
        self._waiting.go_ahead()

    @property
    def idle(self) -> bool:
        """Whether no chunk waits."""
        return self._waiting.records == 0

    @property
    def dirty(self) -> bool:
        """Whether anything was taken since the last cut."""
        return bool(self._taken)

    @property
    def only_ticks(self) -> bool:
        """Whether all that was taken since the last cut is the time."""
        return all(item.chunk is None for item in self._taken)

    @property
    def outdated(self) -> Mapping[int, int]:
        """Which entries may be deleted (`Step.outdated`)."""
        return self._step.outdated

    @property
    def dead_letters(self) -> Mapping[str, int]:
        """Dead letters by reason, since the partition began."""
        return self._counts

    @property
    def urgent(self) -> bool:
        """Whether something must go out at once."""
        return self._step.urgent

    def next(self) -> Taken | None:
        """The waiting chunk with the earliest record timestamp, or its first part; None: none waits, or it is held."""
        chunk = self._waiting.next()
        return None if chunk is None else self.decode(chunk)

    def decode(self, chunk: Chunk, *, apart: bool = False) -> Taken:
        """This chunk to be given, without the events that are skipped; `apart`: event by event."""
        arrivals, rejected = self._decoding.events(chunk)
        self._letters.extend(self._letter(chunk, record, fault) for record, fault in rejected)
        item = Taken(chunk.topic, arrivals, chunk, apart=apart)
        return item.without(set(self._skipped)) if self._skipped else item

    def tick(self, now: float) -> Taken | None:
        """The time to be given; None where the step knows it."""
        return Taken("", [], None, now) if now - self._last_tick >= self.setup.tick_seconds else None

    def tick_by_stream(self) -> Taken | None:
        """The time to be given where the data drives the clock and has moved it far enough."""
        now = self._step.event_time if self.setup.clock == "stream" else None
        return None if now is None else self.tick(now)

    def begin_anew(self, *, saves: int, quiet_until: Mapping[str, int]) -> None:
        """From nothing, once more: the state was lost, and what lies in the topics is taken again.

        `saves`: as many are named in the journal already. Up to `quiet_until` nothing is said again.
        """
        self.saves, self.quiet_until, self._anew, self._quiet = saves, quiet_until, True, False
        self._start(Claimed(self.epoch, {}, {}, (), saves=saves))

    def begin(self, entry: JournalEntry) -> None:
        """What is taken next was taken before, and this is its entry in the journal."""
        self._anew, self._quiet = entry.get("anew", False), entry.get("quiet", False)

    def skip(self, place: Place) -> None:
        """Leave out this event, of a chunk that is still to come: the step cannot take it."""
        self._skipped.append(place)

    def needs(self, item: Taken) -> Needs:
        """What has to be read before this can be given.

        Raises:
            StepFailed: the step raised, and the lane has this as taken; call `isolate`.
        """
        try:
            return self._needs(item)
        except StepFailed:
            self._keep(item)
            raise

    def _needs(self, item: Taken) -> Needs:
        step = self._step
        if item.chunk is None:
            return self._guard(lambda: step.needs_at(item.now), on="a tick")
        if not item.arrivals:
            return NO_NEEDS
        return self._guard(lambda: step.needs(item.topic, item.arrivals), on=item.topic)

    def give(self, item: Taken, found: Found = NOTHING_FOUND) -> None:
        """Give this to the step.

        Raises:
            StepFailed: the step raised; call `isolate`.
        """
        self._keep(item)
        for part in item.parts():
            self._guard(partial(self._apply, part, found), on=item.topic or "a tick")

    def _keep(self, item: Taken) -> None:
        """Until it is saved: without its events, which are large, and are decoded again where they are needed again."""
        self._taken.append(item.without_events())
        if item.chunk is not None:
            self.unsaved_bytes += item.chunk.size_bytes

    def _guard(self, call: Callable[[], Made], *, on: str) -> Made:
        try:
            return call()
        except (Unavailable, MemoryError):
            raise
        except Exception as error:  # design 4.3: whatever a step raises is turned into one dead letter
            log.exception("partition %d: the step raised on %s", self.partition, on)
            raise StepFailed(repr(error)) from error

    def _apply(self, item: Taken, found: Found) -> None:
        if item.chunk is None:
            self._last_tick = item.now
            if not item.dropped:
                self._step.tick(item.now, found)
            return
        self.offsets[item.topic] = item.chunk.next_offset
        if item.arrivals:
            self._step.take(item.topic, item.arrivals, dict(self.offsets), found)

    def _letter(self, chunk: Chunk, record: Record, fault: Fault) -> Output:
        self._counts[fault.reason.value] += 1
        headers = dead_letter.headers(
            fault, topic=self.setup.prefix + chunk.topic, partition=chunk.partition, offset=record.offset
        )
        return Output("dead-letters", record.key, fault.value, tuple(headers), self.partition)

    # -- isolation --------------------------------------------------------------------------------------------------

    def isolate(self, saved: Claimed, read: AsRead | None = None) -> None:
        """Go back to the saved state and take everything since again, without what makes the step raise.

        Raises:
            NotRead: more of the saved state has to be read; then call it again.
            StaleWriter: the state is not the one that this lane saved last: drop the lane.
        """
        if saved.saves != self.saves or saved.offsets != self._base:
            raise StaleWriter(f"partition {self.partition} is not as this worker saved it last")
        kept = self._taken, self._letters, self._counts, self._skipped, self._cut_failed, self.unsaved_bytes
        try:
            taken, culprits = self._without_culprits(saved, read or AsRead())
        except NotRead:
            self._taken, self._letters, self._counts, self._skipped, self._cut_failed, self.unsaved_bytes = kept
            raise
        _, self._letters, self._counts, skipped, _, self.unsaved_bytes = kept
        self._taken = [item.without_events() for item in taken]
        self._skipped = skipped + culprits

    def _without_culprits(self, saved: Claimed, read: AsRead) -> tuple[list[Taken], list[Place]]:
        again = [self._decoded_again(item) for item in self._taken]
        attempt = partial(self._attempt, saved, read, cutting=self._cut_failed)
        if read.found is NOTHING_FOUND:
            self._ask_at_once(saved, again)
        taken, culprits = isolate(again, attempt)
        while (tick := self.tick_by_stream()) is not None:
            taken, more = isolate([*taken, tick], attempt)
            culprits += more
        return taken, culprits

    def _decoded_again(self, item: Taken) -> Taken:
        if item.chunk is None:
            return item
        arrivals, _ = self._decoding.events(item.chunk)
        return replace(item, arrivals=arrivals).without(set(self._skipped))

    def _ask_at_once(self, saved: Claimed, taken: Sequence[Taken]) -> None:
        """For all that is needed from the saved state on; what turns out to be missing is asked for then."""
        self._start(saved)
        entries, asleep = dict[bytes, None](), dict[str, None]()
        for item in taken:
            with suppress(StepFailed):
                needs = self._needs(item)
                entries.update(dict.fromkeys(needs.entries))
                asleep.update(dict.fromkeys(needs.asleep))
        if entries or asleep:
            raise NotRead(Needs(list(entries), list(asleep)))

    def _attempt(self, saved: Claimed, read: AsRead, taken: Sequence[Taken], *, cutting: bool) -> Failure | None:
        """Take it all from the saved state on; `cutting`: see first whether it can be cut."""
        self._start(saved)
        for at, item in enumerate(taken):
            for part in item.parts():
                try:
                    self._give_again(part, read)
                except StepFailed:
                    return Failure(at, part.places)
        if not cutting:
            return None
        try:
            self._guard(self._step.effects, on="a cut once more")
        except StepFailed:
            return Failure(len(taken))
        # A cut takes the effects out of the step: they are made once more.
        return self._attempt(saved, read, taken, cutting=False)

    def _give_again(self, part: Taken, read: AsRead) -> None:
        if missing := read.missing(self._needs(part)):
            raise NotRead(missing)
        self._guard(partial(self._apply, part, read.found), on=f"{part.places[:3] or 'a tick'} once more")

    def _buried(self, place: Place) -> Output:
        """The dead letter of the event at this place, which the step could not take."""
        topic, offset, index = place
        chunks = [item.chunk for item in self._taken if item.chunk is not None and item.topic == topic]
        chunk, record = next((held, record) for held in chunks for record in held.records if record.offset == offset)
        value = record.value or b""
        elements = array_elements(value) if value.lstrip()[:1] == b"[" else None
        own = value if elements is None else elements[index]
        fault = Fault(DeadLetterReason.STEP_FAILED, "the step raised on it", own, None if elements is None else index)
        return self._letter(chunk, record, fault)

    # -- output -----------------------------------------------------------------------------------------------------

    def cut(self, *, noted: JournalEntry | None = None) -> Save:
        """Everything since the last cut as one atomic write: save it before the next, or drop the lane.

        `noted`: what is cut was taken from the journal again, and this is its entry there.

        Raises:
            StepFailed: the step raised; call `isolate`.
        """
        effects = self._effects()
        letters = [*self._letters, *map(self._buried, self._skipped)]
        engine = {"dead_letters": dict(sorted(self._counts.items())), "last_tick": self._last_tick}
        quiet = self._is_quiet()
        own = {**engine, "partitions": self.setup.partitions}
        if quiet and self.quiet_until:
            own["quiet_until"] = dict(self.quiet_until)
        sections = dict(effects.sections)
        sections[ENGINE] = snapshots.pack(ENGINE_VERSION, own)
        views = dict(effects.views)
        views[ENGINE] = orjson.dumps({"offsets": self.offsets, **engine})
        said = [] if quiet else [*letters, *effects.outputs]
        outputs = [self._note(noted), *said]
        save = Save(
            epoch=self.epoch,
            base=self._base,
            saves=self.saves,
            offsets=dict(self.offsets),
            sections=sections,
            asleep=effects.asleep,
            entries=effects.entries,
            views=views,
            outbox=[outbox.encode(output) for output in outputs],
        )
        self._base = dict(save.offsets)
        self.saves += 1
        if not quiet:
            self.quiet_until = {}
        self._anew = self._quiet = False
        self._clear()
        return save

    def _is_quiet(self) -> bool:
        until = self.quiet_until
        self._quiet = self._quiet or (
            bool(until) and all(at <= until.get(topic, 0) for topic, at in self.offsets.items())
        )
        return self._quiet

    def _note(self, noted: JournalEntry | None) -> Output:
        journal, build, epoch = self._journal(), self.setup.build, self.epoch
        if noted is not None:
            build, epoch = Build(noted["settings_hash"], noted["code_version"]), noted["epoch"]
        return journal.output(
            worker=self.setup.worker, partition=self.partition, epoch=epoch, save=self.saves + 1, build=build
        )

    def _effects(self) -> Effects:
        try:
            return self._guard(self._step.effects, on="a cut")
        except StepFailed:
            self._cut_failed = True
            raise

    def _journal(self) -> Journal:
        journal = Journal(anew=self._anew, quiet=self._quiet, quiet_until=self.quiet_until)
        for topic, offset, index in self._skipped:
            journal.skip(topic, offset, index)
        for item in self._taken:
            if item.chunk is not None:
                journal.chunk(item.topic, item.chunk.first_offset, item.chunk.next_offset, apart=item.apart)
            elif not item.dropped:
                journal.tick(item.now)
        return journal
