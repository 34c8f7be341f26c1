"""A step small enough to see through, the records that it counts, and what it must come to.

What an event does to it is written in its prediction_id, up to the first dash:

    ok      it is counted
    urgent  it is counted, and has to go out at once
    forget  the count of its topic and model is gone, section and view
    poison  the step raises, having counted it halfway
    mute    the step takes it, and raises when it is asked for its effects
    left    the step raises where it is given one together with a `right`
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import partial
from hashlib import blake2b
from typing import Any, Literal

from trueup.engine import outbox
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.decoding import Feed
from trueup.engine.isolation import AsRead, NotRead
from trueup.engine.lane import Lane, LaneSetup, StepFailed
from trueup.engine.partitioner import partition_for
from trueup.engine.records import Chunk, Record
from trueup.step import NO_NEEDS, Arrival, Effects, Found, Kept, Needs, Output
from trueup_schemas.codec import Codec
from trueup_schemas.topics import FEEDBACK, PREDICTIONS

PARTITIONS = 2
CODECS = {"predictions": Codec(PREDICTIONS), "feedback": Codec(FEEDBACK)}
#: Two models for each partition.
MODELS = {
    partition: [
        model for model in map("m{}".format, range(20)) if partition_for(model.encode(), PARTITIONS) == partition
    ][:2]
    for partition in range(PARTITIONS)
}
MODEL = MODELS[0][0]


class Poisoned(Exception):
    """The step cannot take this."""


class Counting:
    """Counts events by topic and model, and emits one numbered output for each.

    How many came of each of a few groups by their id is kept in entries, which it holds no longer than it must; what
    was not counted from one tick to the next falls asleep.
    """

    def __init__(self, partition: int, saved: Mapping[str, bytes], *, bad_tick: Callable[[float], bool]) -> None:
        self._bad_tick = bad_tick
        own = json.loads(saved.get("own", b'{"number": 0, "ticks": 0, "time": null}'))
        self._partition = partition
        self._number: int = own["number"]
        self._ticks: int = own["ticks"]
        self._time: float | None = own["time"]
        self._counts = {name: int(value) for name, value in saved.items() if name != "own"}
        self._idle = set(self._counts)
        self._sleepy: set[str] = set()
        self._groups: dict[bytes, int] = {}
        self._changed: set[bytes] = set()
        self._effects = Effects()
        self._mute = False

    def needs(self, topic: str, arrivals: Sequence[Arrival]) -> Needs:
        groups = {group_of(topic, arrival.event) for arrival in arrivals}
        names = {f"{topic}/{arrival.event['model_id']}" for arrival in arrivals}
        return Needs(sorted(groups - set(self._groups)), sorted(names - set(self._counts)))

    def needs_at(self, now: float) -> Needs:  # noqa: ARG002
        return NO_NEEDS

    @property
    def outdated(self) -> Mapping[int, int]:
        return {}

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int], found: Found) -> None:
        assert arrivals, "a step is never called for nothing"
        kinds = {arrival.event["prediction_id"].split("-")[0] for arrival in arrivals}
        if {"left", "right"} <= kinds:
            raise Poisoned("left and right together")
        for arrival in arrivals:
            self._wake(f"{topic}/{arrival.event['model_id']}", found)
            self._count(topic, arrival, positions, found)

    def _wake(self, name: str, found: Found) -> None:
        self._idle.discard(name)
        self._sleepy.discard(name)
        known = name in self._counts or name in self._effects.asleep
        if not known and (held := found.asleep.get(name)) is not None:
            self._counts[name] = int(held)
            self._effects.asleep[name] = None

    def _count(self, topic: str, arrival: Arrival, positions: Mapping[str, int], found: Found) -> None:
        name, kind = arrival.event["prediction_id"], arrival.event["prediction_id"].split("-")[0]
        model, group = arrival.event["model_id"], group_of(topic, arrival.event)
        count = 0 if kind == "forget" else self._counts.get(f"{topic}/{model}", 0) + 1
        self._groups[group] = nth = self._groups.get(group, int(found.entries.get(group, b"0"))) + 1
        self._changed.add(group)
        self._number += 1
        self._time = max(self._time or 0.0, arrival.timestamp)
        self._set(f"{topic}/{model}", count)
        if kind == "poison":
            raise Poisoned(name)
        self._mute = self._mute or kind == "mute"
        self._effects.urgent = self._effects.urgent or kind == "urgent"
        place = [topic, arrival.offset, arrival.place]
        said = {"number": self._number, "id": name, "nth": nth, "place": place, "at": positions}
        value = json.dumps(said, sort_keys=True).encode()
        self._effects.outputs.append(
            Output("signals", model.encode(), value, (("number", b"%d" % self._number),), self._partition)
        )

    def _set(self, name: str, count: int) -> None:
        if count:
            self._counts[name] = count
        else:
            self._counts.pop(name, None)
        value = str(count).encode() if count else None
        self._effects.sections[name] = self._effects.views[name] = value

    def tick(self, now: float, found: Found) -> None:  # noqa: ARG002
        self._ticks += 1
        self._sleepy |= self._idle & set(self._counts)
        self._idle = set(self._counts)
        if self._bad_tick(now):
            raise Poisoned(f"tick {now}")

    @property
    def event_time(self) -> float | None:
        return self._time

    @property
    def urgent(self) -> bool:
        return self._effects.urgent

    def effects(self) -> Effects:
        if self._mute:
            raise Poisoned("nothing to say")
        effects, self._effects = self._effects, Effects()
        for name in self._sleepy:
            effects.sections[name] = None
            effects.asleep[name] = str(self._counts.pop(name)).encode()
        self._sleepy = set()
        effects.entries = {key: Kept(0, 20_000, str(self._groups[key]).encode()) for key in self._changed}
        # What did not change since the effects before is saved, and is read again when it is needed.
        self._groups = {key: self._groups[key] for key in self._changed}
        self._changed = set()
        own = {"number": self._number, "ticks": self._ticks, "time": self._time}
        effects.sections["own"] = json.dumps(own).encode()
        return effects


def group_of(topic: str, event: Mapping[str, Any]) -> bytes:
    """The key of the entry that an event counts in."""
    number = sum(event["prediction_id"].encode()) % 3
    return blake2b(f"{topic}/{event['model_id']}/{number}".encode(), digest_size=16).digest()


def never(_: float) -> bool:
    """No tick is bad."""
    return False


def setup(
    *,
    clock: Literal["wall", "stream"] = "wall",
    bad_tick: Callable[[float], bool] = never,
    partitions: int = PARTITIONS,
) -> LaneSetup:
    """What lanes of a worker that counts predictions and feedback share."""
    feeds = {topic: Feed(codec) for topic, codec in CODECS.items()}
    restore = partial(Counting, bad_tick=bad_tick)
    return LaneSetup(worker="counter", partitions=partitions, feeds=feeds, restore=restore, clock=clock)


def event(name: str, *, model: str = MODEL) -> dict[str, Any]:
    """One event that both topics can hold."""
    return {"prediction_id": name, "model_id": model, "model_version": "1", "prediction": 1, "actual": 1}


def value(*names: str, model: str = MODEL) -> bytes:
    """The value of a record that holds these events: one alone, several as a batch."""
    events = [event(name, model=model) for name in names]
    return json.dumps(events[0] if len(events) == 1 else events).encode()


def chunk(topic: str, offset: int, *values: bytes | None, at: float = 0.0, partition: int = 0, seek: int = 0) -> Chunk:
    """Records with these values, from `offset` on, all with the timestamp `at`."""
    records = [Record(offset + index, at, MODEL.encode(), held) for index, held in enumerate(values)]
    return Chunk(topic, partition, records, seek)


def lane(shared: LaneSetup | None = None, claimed: Claimed | None = None) -> Lane:
    """A lane of partition 0 that begins with nothing."""
    return Lane(0, claimed or Claimed(epoch=1, offsets={}, sections={}, outbox=()), shared or setup())


def after(saves: Iterable[Save], *, epoch: int = 1) -> Claimed:
    """The state of a partition after these saves, as a claim would give it."""
    offsets: dict[str, int] = {}
    sections: dict[str, bytes] = {}
    held_saves = list(saves)
    for save in held_saves:
        offsets.update(save.offsets)
        for name, held in save.sections.items():
            sections.pop(name, None)
            if held is not None:
                sections[name] = held
    return Claimed(epoch=epoch, offsets=offsets, sections=sections, outbox=(), saves=len(held_saves))


def find(saves: Iterable[Save], needs: Needs) -> Found:
    """What a checkpoint that took these saves has of it."""
    entries: dict[bytes, bytes] = {}
    asleep: dict[str, bytes | None] = {}
    for save in saves:
        entries.update({key: kept.value for key, kept in save.entries.items()})
        asleep.update(save.asleep)
    named = {name: asleep.get(name) for name in needs.asleep}
    return Found(
        {key: entries[key] for key in needs.entries if key in entries},
        {name: held for name, held in named.items() if held is not None},
    )


def run(running: Lane, saves: Sequence[Save] = ()) -> list[StepFailed]:
    """Take all that waits, isolating wherever the step raises; the failures. `saves` are what the lane saved so far."""
    failures = []
    while not running.idle:
        try:
            run_next(running, saves)
        except StepFailed as failure:
            failures.append(failure)
            isolate(running, saves)
    return failures


def isolate(running: Lane, saves: Sequence[Save] = (), *, claimed: Claimed | None = None) -> None:
    """Isolate, reading as often as the lane asks for more."""
    read = AsRead()
    while True:
        try:
            running.isolate(claimed or after(saves, epoch=2), read)
            return
        except NotRead as more:
            read.add(more.needs, find(saves, more.needs))


def run_next(running: Lane, saves: Sequence[Save] = ()) -> None:
    """Take the next chunk, and the time that it brings."""
    item = running.next()
    if item is not None:
        running.give(item, find(saves, running.needs(item)))
    if (now := running.tick_by_stream()) is not None:
        running.give(now)


def tick(running: Lane, now: float) -> None:
    """Tell the time."""
    if (item := running.tick(now)) is not None:
        running.give(item)


def outputs(save: Save, topic: str) -> list[Output]:
    """What a save has to say to one topic."""
    return [output for output in map(outbox.decode, save.outbox) if output.topic == topic]


def said(signals: Iterable[Output]) -> list[str]:
    """The events that these outputs tell of, in order."""
    return [json.loads(output.value)["id"] for output in signals]


def taken(save: Save) -> list[dict[str, Any]]:
    """What the journal of a save says was taken."""
    notes: list[dict[str, Any]] = json.loads(outputs(save, "journal")[0].value)["taken"]
    return notes


def counts(save: Save) -> dict[str, int]:
    """Counts by topic and model, as saved."""
    return {
        name: int(held) for name, held in save.sections.items() if name not in ("own", "engine") and held is not None
    }
