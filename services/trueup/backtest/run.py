"""One backtest from its source to its report."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from trueup.backtest.changes import known_changes
from trueup.backtest.drive import Listen, drive, drive_by_journal, for_history, patient
from trueup.backtest.report import Report, make_report
from trueup.backtest.story import Story
from trueup.connections.aiokafka import aiokafka_arguments
from trueup.datasets import falls
from trueup.datasets.falls import Fall, Tolerance
from trueup.datasets.json_lines import JsonLines
from trueup.datasets.source import Source
from trueup.datasets.topics import PastTopics
from trueup.errors import InvalidSettings
from trueup.settings import Settings
from trueup.workers.setups import INPUTS
from trueup_schemas.journal import JournalEntry

#: In place of a file: what lies in the topics of the settings.
TOPICS = "topics"
TABLES = (".parquet", ".csv")
LINES = (".jsonl", ".ndjson", ".json")


@dataclass(frozen=True, slots=True)
class Asked:
    """What a backtest is asked for."""

    source: str
    #: Fields and columns of a table, `FIELD=COLUMN`; see `datasets.tables.Reading` for the rest.
    columns: tuple[str, ...] = ()
    segments: tuple[str, ...] = ()
    model_id: str | None = None
    model_version: str = "v1"
    delay_hours: float = 0.0
    tick_seconds: float = 3_600.0
    changes: str | None = None
    inject: str | None = None
    #: Topics: by the time of the records even where there is a journal.
    by_time: bool = False


def backtest(asked: Asked, settings: Settings, *, overhear: Listen | None = None) -> Report:
    """What would have fired. `overhear` is told of each cut of a step too.

    Raises:
        InvalidSettings: something that was asked for makes no sense, or the source cannot be read.
        Unavailable: Kafka does not answer, or does not hold any more what its journal names.
    """
    fall = None if asked.inject is None else falls.parse(asked.inject)
    changes = known_changes(asked.changes, fall)
    story = Story(overhear)
    if asked.source == TOPICS:
        about = _topics(asked, fall, settings, story)
    else:
        source = _file(asked, fall, settings)
        drive(source, for_history(settings, tick_seconds=asked.tick_seconds), story.listen)
        about = _about(asked, source, "by the times of its events")
    return make_report(story, changes, about=about)


def _about(asked: Asked, source: Source, order: str) -> dict[str, Any]:
    refused = {why: count for why, count in source.refused.items() if count}
    return {"source": asked.source, "order": order, "inject": asked.inject, "refused": refused}


def _file(asked: Asked, fall: Fall | None, settings: Settings) -> Source:
    path, tolerance = Path(asked.source), _tolerance(settings)
    if not path.is_file():
        raise InvalidSettings(f"there is no file {path}; for what lies in Kafka write {TOPICS!r}")
    if path.suffix in LINES:
        return JsonLines(path, slice_seconds=asked.tick_seconds, fall=fall, tolerance=tolerance)
    if path.suffix in TABLES:
        return _table(path, asked, fall, tolerance)
    raise InvalidSettings(f"{path}: a history ends in one of {', '.join(TABLES + LINES)}, or is {TOPICS!r}")


def _table(path: Path, asked: Asked, fall: Fall | None, tolerance: Tolerance) -> Source:
    try:
        from trueup.datasets import tables
    except ModuleNotFoundError as error:
        raise InvalidSettings(f"Parquet and CSV need pyarrow: pip install 'trueup[backtest]' ({error})") from error
    reading = tables.Reading(
        mapped=tables.mapped(asked.columns),
        model_id=asked.model_id,
        model_version=asked.model_version,
        delay_hours=asked.delay_hours,
        segments=asked.segments,
        slice_seconds=asked.tick_seconds,
    )
    return tables.Table(tables.read(path), reading, fall=fall, tolerance=tolerance)


def _tolerance(settings: Settings) -> Tolerance:
    def of(model_id: str) -> float | None:
        return settings.monitor.of(model_id).tolerance

    return of


def _topics(asked: Asked, fall: Fall | None, settings: Settings, story: Story) -> dict[str, Any]:
    kafka = settings.kafka
    past = PastTopics(
        kafka.bootstrap,
        prefix=kafka.topic_prefix,
        topics=[topic.name for topic in INPUTS["monitor"]],
        security=aiokafka_arguments(kafka.security),
    )
    with ExitStack() as open_things:
        open_things.enter_context(past)
        journals = {} if asked.by_time else _journals(past, kafka.partitions)
        if fall is not None:
            past.plant(fall, _tolerance(settings), kafka.partitions)
        if not journals:
            drive(past, for_history(settings, tick_seconds=asked.tick_seconds), story.listen)
            return _about(asked, past, "by the times of the records")
        as_set = settings.model_copy(update={"alerter": patient(settings.alerter)})
        drive_by_journal(past, journals, as_set, story.listen)
        return _about(asked, past, "in the order of the journal" + _other_settings(journals, settings))


def _journals(past: PastTopics, partitions: int) -> Mapping[int, list[JournalEntry]]:
    """Of each partition; none at all where one does not reach back to its beginning."""
    found: dict[int, list[JournalEntry]] = {}
    for partition in range(partitions):
        entries = past.journal("monitor", partition)
        if entries is None:
            return {}
        if entries:
            found[partition] = entries
    return found


def _other_settings(journals: Mapping[int, list[JournalEntry]], settings: Settings) -> str:
    hashes = {entry["settings_hash"] for entries in journals.values() for entry in entries}
    own = settings.fingerprint()
    return "" if hashes <= {own} else ", with other settings than those of the workers that wrote it"
