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
from typing import Any, Literal

from trueup.engine import outbox
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.lane import Feed, Lane, LaneSetup, StepFailed
from trueup.engine.partitioner import partition_for
from trueup.engine.records import Chunk, Record
from trueup.step import NO_NEEDS, Arrival, Effects, Found, Needs, Output
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
    """Counts events by topic and model, and emits one numbered output for each."""

    def __init__(self, partition: int, saved: Mapping[str, bytes], *, bad_tick: Callable[[float], bool]) -> None:
        self._bad_tick = bad_tick
        own = json.loads(saved.get("own", b'{"number": 0, "ticks": 0, "time": null}'))
        self._partition = partition
        self._number: int = own["number"]
        self._ticks: int = own["ticks"]
        self._time: float | None = own["time"]
        self._counts = {name: int(value) for name, value in saved.items() if name != "own"}
        self._effects = Effects()
        self._mute = False

    def needs(self, topic: str, arrivals: Sequence[Arrival]) -> Needs:  # noqa: ARG002
        return NO_NEEDS

    def needs_at(self, now: float) -> Needs:  # noqa: ARG002
        return NO_NEEDS

    @property
    def outdated(self) -> Mapping[int, int]:
        return {}

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int], found: Found) -> None:  # noqa: ARG002
        assert arrivals, "a step is never called for nothing"
        kinds = {arrival.event["prediction_id"].split("-")[0] for arrival in arrivals}
        if {"left", "right"} <= kinds:
            raise Poisoned("left and right together")
        for arrival in arrivals:
            self._count(topic, arrival, positions)

    def _count(self, topic: str, arrival: Arrival, positions: Mapping[str, int]) -> None:
        name, kind = arrival.event["prediction_id"], arrival.event["prediction_id"].split("-")[0]
        model = arrival.event["model_id"]
        count = 0 if kind == "forget" else self._counts.get(f"{topic}/{model}", 0) + 1
        self._number += 1
        self._time = max(self._time or 0.0, arrival.timestamp)
        self._set(f"{topic}/{model}", count)
        if kind == "poison":
            raise Poisoned(name)
        self._mute = self._mute or kind == "mute"
        self._effects.urgent = self._effects.urgent or kind == "urgent"
        said = {"number": self._number, "id": name, "place": [topic, arrival.offset, arrival.place], "at": positions}
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
        own = {"number": self._number, "ticks": self._ticks, "time": self._time}
        effects.sections["own"] = json.dumps(own).encode()
        return effects


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


def run(running: Lane, claimed: Claimed | None = None) -> list[StepFailed]:
    """Take all that waits, isolating from `claimed` wherever the step raises; the failures."""
    failures = []
    while not running.idle:
        try:
            running.run_next()
        except StepFailed as failure:
            failures.append(failure)
            running.isolate(claimed or Claimed(epoch=2, offsets={}, sections={}, outbox=()))
    return failures


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
