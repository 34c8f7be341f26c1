"""The worker as it comes, everything on, at one rate for fleets of different sizes: what an event costs, what a save.

    warm-up as fast as it goes ──> at the rate ──┬── measured ──┬
                                     settling    first          last

CPU for each event is the worker's, from `first` to `last`. Its saves are read from the journal, of which every record
is one save of one partition and says what was taken since the one before: as much as that is read again after a crash.
"""

from __future__ import annotations

import statistics
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any

import orjson
import redis

from benchmarks.load import Load
from benchmarks.produce import Stream, fill, producing
from benchmarks.reading import ends, read_between
from benchmarks.table import table
from benchmarks.worker import Installation, MeasuredWorker, holds_all, measured
from trueup.console.progress import Progress
from trueup.embedded import Addresses
from trueup.up import create_topics

#: Models in the fleet.
SIZES = (1, 100, 10_000)


@dataclass(frozen=True, slots=True)
class Steady:
    """What each fleet is given: single records, so that only the number of models differs."""

    #: Enough for the state of 10,000 models to be there: ten outcomes each.
    warm_up_predictions: int = 100_000
    events_per_second: float = 4_000.0
    settling_seconds: float = 10.0
    seconds: float = 60.0


@dataclass(frozen=True, slots=True)
class SaveNoted:
    """One record of the journal."""

    partition: int
    at: float
    #: Taken since the save before.
    records: int


@dataclass(frozen=True, slots=True)
class Fleet:
    """What was measured of one size."""

    models: int
    seconds: float
    #: Taken within these seconds; fewer than were produced where the worker did not keep up.
    events: int
    rate: float
    cpu_us: float
    saves: Sequence[SaveNoted]

    @property
    def kept_up(self) -> bool:
        """Whether it took what was produced. Where it did not, its saves were fewer and larger than at the rate."""
        return self.events >= 0.95 * self.rate * self.seconds

    @property
    def save_intervals(self) -> list[float]:
        """Seconds between two saves of a partition that had something to save; all of the time where none had two."""
        by_partition: dict[int, list[float]] = {}
        for save in self.saves:
            by_partition.setdefault(save.partition, []).append(save.at)
        found = [later - at for times in by_partition.values() for at, later in pairwise(times)]
        return found or [self.seconds]

    @property
    def replay_events(self) -> int:
        """The most that one partition would have to take again."""
        return max((save.records for save in self.saves), default=self.events)

    @property
    def replay_seconds(self) -> float:
        """What a crash at the worst moment costs: all partitions as far behind as the worst, at the measured CPU."""
        partitions = len({save.partition for save in self.saves}) or 1
        return self.replay_events * partitions * self.cpu_us / 1e6


def measure(models: int, plan: Steady, addresses: Addresses, folder: Path) -> Fleet:
    """One fleet on topics of its own.

    Raises:
        BenchmarkFailed: the worker failed.
    """
    where = Installation(addresses, f"fleet-{models}.", f"fleet-{models}")
    create_topics(where.settings)
    load = Load(models=models, predictions=plan.warm_up_predictions)
    fill(addresses.kafka, where.prefix, load, per_record=1)
    with Progress(where.settings) as progress, measured("monitor", where, folder) as worker:
        worker.wait("it had taken the warm-up", holds_all(progress, progress.ends("monitor")), every=0.2)
        found = _steady(models, plan, where, worker)
    with redis.Redis.from_url(addresses.redis) as client:
        client.flushdb()
    print(f"{models:,} models: {found.cpu_us:.1f} µs of CPU for each of {found.events:,} events", flush=True)
    return found


def _steady(models: int, plan: Steady, where: Installation, worker: MeasuredWorker) -> Fleet:
    bootstrap, journal = where.addresses.kafka, f"{where.prefix}journal"
    seconds = plan.settling_seconds + plan.seconds + 5.0
    with producing(Stream(bootstrap, where.prefix, models, plan.events_per_second, seconds)):
        _pass(worker, plan.settling_seconds)
        first, taken, began = worker.usage(), _taken(worker), ends(bootstrap, journal, where.partitions)
        _pass(worker, plan.seconds)
        last, taken_later, ended = worker.usage(), _taken(worker), ends(bootstrap, journal, where.partitions)
    events = taken_later - taken
    elapsed, cpu = first.until(last)
    saves = [
        SaveNoted(record.partition, record.at, _records(orjson.loads(record.value)))
        for record in read_between(bootstrap, journal, began, ended)
    ]
    return Fleet(
        models, elapsed, events, plan.events_per_second, cpu / events * 1e6, [save for save in saves if save.records]
    )


def _pass(worker: MeasuredWorker, seconds: float) -> None:
    until = time.monotonic() + seconds
    worker.wait(f"{seconds:.0f} s were over", lambda: time.monotonic() >= until)


def _taken(worker: MeasuredWorker) -> int:
    return int(worker.metrics()["trueup_records_total"])


def _records(entry: Mapping[str, Any]) -> int:
    return sum(item["to_offset"] - item["from_offset"] for item in entry["taken"] if item["type"] == "chunk")


def shown(fleets: Sequence[Fleet]) -> str:
    """The table."""
    head = (
        "models",
        "events/s",
        "CPU µs/event",
        "of one model",
        "save every s",
        "at most s",
        "replay events",
        "replay s",
    )
    rows = [
        (
            f"{fleet.models:,}",
            f"{fleet.events / fleet.seconds:,.0f}" + ("" if fleet.kept_up else " (behind)"),
            f"{fleet.cpu_us:.1f}",
            f"{fleet.cpu_us / fleets[0].cpu_us:.2f}",
            f"{statistics.fmean(fleet.save_intervals):.2f}",
            f"{max(fleet.save_intervals):.2f}",
            f"{fleet.replay_events:,}",
            f"{fleet.replay_seconds:.2f}",
        )
        for fleet in fleets
    ]
    return table(head, rows)


def summary(fleets: Sequence[Fleet]) -> dict[str, Any]:
    """The figures by name."""
    one = fleets[0]
    return {
        **{f"growth_{fleet.models}": fleet.cpu_us / one.cpu_us for fleet in fleets[1:]},
        "fleets": [
            {
                "models": fleet.models,
                "kept_up": fleet.kept_up,
                "events_per_second": fleet.events / fleet.seconds,
                "cpu_us_per_event": fleet.cpu_us,
                "save_interval_seconds": statistics.fmean(fleet.save_intervals),
                "longest_save_interval_seconds": max(fleet.save_intervals),
                "replay_events": fleet.replay_events,
                "replay_seconds": fleet.replay_seconds,
            }
            for fleet in fleets
        ],
    }
