"""Monitor and alerter in memory, fed with a history; what they say is handed to whoever listens.

    chunk ──> monitor's lane ──cut──> signals ──> alerter's lane ──cut──> alerts, audit
                   │ time passes by the events (clock = "stream")

The lanes are those of the workers: the same decoding, the same dead letters, the same steps, the same isolation of an
event that a step cannot take.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import replace
from itertools import groupby

import orjson

from trueup.alerter.config import AlerterConfig, Policy
from trueup.datasets.source import Source
from trueup.datasets.topics import PastTopics
from trueup.engine import outbox
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.isolation import AsRead, NotRead, Taken
from trueup.engine.lane import Lane, LaneSetup, StepFailed
from trueup.engine.records import Chunk, Record
from trueup.engine.replay import Held, replay_saves
from trueup.settings import Settings
from trueup.step import Output
from trueup.workers.setups import WorkerName, lane_setup
from trueup_schemas.journal import JournalEntry

#: What is taken and not cut yet, in bytes of the records: it is held in memory.
MOST_BYTES = 8_388_608
#: And in event time: the alerter hears of it then.
MOST_SECONDS = 604_800.0
#: Nobody approves anything in a backtest, and nothing expires: what would have been asked for is what is shown.
_PATIENCE_HOURS = 24.0 * 365
Listen = Callable[[WorkerName, Save], None]


class Driven:
    """One lane and what it has saved."""

    def __init__(self, partition: int, setup: LaneSetup) -> None:
        self._claimed = Claimed(epoch=1, offsets={}, sections={}, outbox=())
        self._sections: dict[str, bytes] = {}
        self._held = Held()
        self.lane = Lane(partition, self._claimed, setup)

    def take(self, chunk: Chunk) -> None:
        """Fold in a chunk, and the time that it brings."""
        self._give(self.lane.decode(chunk))
        if (tick := self.lane.tick_by_stream()) is not None:
            self._give(tick)

    def cut(self) -> Save:
        """What came of all that was taken since the last cut."""
        while True:
            try:
                save = self.lane.cut()
                break
            except StepFailed:
                self._isolate()
        self._held.keep(save)
        self._held.let_go(self.lane.outdated)
        for name, section in save.sections.items():
            if section is None:
                self._sections.pop(name, None)
            else:
                self._sections[name] = section
        self._claimed = replace(
            self._claimed, offsets=dict(save.offsets), sections=self._sections, saves=self.lane.saves
        )
        return save

    def _give(self, item: Taken) -> None:
        try:
            self.lane.give(item, self._held.find(self.lane.needs(item)))
        except StepFailed:
            self._isolate()

    def _isolate(self) -> None:
        read = AsRead()
        while True:
            try:
                self.lane.isolate(self._claimed, read)
                return
            except NotRead as more:
                read.add(more.needs, self._held.find(more.needs))


class _Alerters:
    """The alerters of all partitions, fed with what the monitors say."""

    def __init__(self, settings: Settings, listen: Listen) -> None:
        self._setup = replace(lane_setup("alerter", settings), clock="stream")
        self._listen = listen
        self._driven: dict[int, Driven] = {}
        self._offsets: dict[int, int] = {}

    def hear(self, partition: int, outputs: Sequence[Output]) -> None:
        """What a monitor said in one cut."""
        signals = [output for output in outputs if output.topic == "signals"]
        if not signals:
            return
        driven = self._driven.setdefault(partition, Driven(partition, self._setup))
        for at, together in groupby(map(_record, signals), key=self._hour):
            del at
            driven.take(Chunk("signals", partition, [self._numbered(partition, record) for record in together]))
        self._listen("alerter", driven.cut())

    def _hour(self, record: Record) -> float:
        return record.timestamp // self._setup.tick_seconds

    def _numbered(self, partition: int, record: Record) -> Record:
        offset = self._offsets.get(partition, 0)
        self._offsets[partition] = offset + 1
        return record._replace(offset=offset)


def _record(output: Output) -> Record:
    return Record(0, float(orjson.loads(output.value)["at"]), output.key, output.value)


def drive(source: Source, settings: Settings, listen: Listen) -> None:
    """All of a history through both steps; `listen` hears of each cut in order.

    `settings` are those of `for_history`.
    """
    setup, partitions = lane_setup("monitor", settings), settings.kafka.partitions
    alerters = _Alerters(settings, listen)
    monitors: dict[int, Driven] = {}
    cut_at: dict[int, float] = {}

    def cut(partition: int) -> None:
        save = monitors[partition].cut()
        listen("monitor", save)
        alerters.hear(partition, said(save))

    for chunk in source.chunks(partitions):
        partition, at = chunk.partition, chunk.records[-1].timestamp
        driven = monitors.setdefault(partition, Driven(partition, setup))
        driven.take(chunk)
        since = cut_at.setdefault(partition, at)
        if at - since >= MOST_SECONDS or driven.lane.unsaved_bytes >= MOST_BYTES:
            cut(partition)
            cut_at[partition] = at
    for partition in sorted(monitors):
        if monitors[partition].lane.dirty:
            cut(partition)


def drive_by_journal(
    past: PastTopics, journals: Mapping[int, Iterable[JournalEntry]], settings: Settings, listen: Listen
) -> None:
    """The topics once more in the order in which the monitor took them, and what it said through the alerter.

    With the settings of the worker that wrote the journal its signals come out byte for byte.

    Raises:
        Unavailable: a record that the journal names is not kept any more.
    """
    setup = lane_setup("monitor", settings)
    alerters = _Alerters(settings, listen)
    for partition, entries in sorted(journals.items()):
        for save in replay_saves(partition, entries, _reader(past, partition), setup):
            listen("monitor", save)
            alerters.hear(partition, said(save))


def _reader(past: PastTopics, partition: int) -> Callable[[str, int, int], Chunk]:
    def read(topic: str, first: int, end: int) -> Chunk:
        return past.read(partition, topic, first, end)

    return read


def said(save: Save) -> list[Output]:
    """What a cut has to say."""
    return [outbox.decode(raw) for raw in save.outbox]


def for_history(settings: Settings, *, tick_seconds: float) -> Settings:
    """These settings with time that passes by the events, and with triggers that wait for an approval for ever."""
    engine = settings.engine.model_copy(update={"clock": "stream", "tick_seconds": tick_seconds})
    return settings.model_copy(update={"engine": engine, "alerter": patient(settings.alerter)})


def patient(config: AlerterConfig) -> AlerterConfig:
    """The alerter's settings, with nothing carried out: what would be done at once waits to be approved."""
    return config.model_copy(
        update={
            "policy": _patient(config.policy),
            "models": {model_id: _patient(config.of(model_id)) for model_id in config.models},
        }
    )


def _patient(policy: Policy) -> Policy:
    modes = {action: "approve" for action in ("retrain", "rollback", "promote") if policy.mode(action) == "auto"}
    return policy.model_copy(update={**modes, "approve_within_hours": _PATIENCE_HOURS})
