"""Who runs when, on which load, whether each counted right, and the table."""

from __future__ import annotations

import json
import os
import re
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

from benchmarks.errors import BenchmarkFailed
from benchmarks.load import Load
from benchmarks.produce import Filled, fill
from benchmarks.table import json_line, table
from benchmarks.throughput import fleet, worker
from benchmarks.throughput.contender import Result, Task
from benchmarks.throughput.counts import refuse_wrong_counts
from benchmarks.throughput.fleet import Steady
from benchmarks.worker import Installation
from trueup.embedded import Additions, Addresses, KafkaAdditions, Stack
from trueup.up import create_topics

#: Shape -> events in a record.
SHAPES: Mapping[str, int] = {"single": 1, "batched": 200}
#: Those that are run in turn, so that a slow minute of the machine meets all of them.
WORKER, TWO, LOOP, FLOOR = "trueup monitor", "trueup monitor, 2 processes", "plain loop", "in memory"
#: A group that forms gets its partitions when nobody has joined it for a second: two processes share them out once,
#: before the first record. (The embedded Kafka does not wait otherwise; Kafka's own default are three seconds.)
GATHERING = Additions(KafkaAdditions(properties={"group.initial.rebalance.delay.ms": "1000"}))
#: A contender that has not ended by then has failed.
CONTENDER_SECONDS = 180.0


@dataclass(frozen=True, slots=True)
class Plan:
    """What is run."""

    load: Load = field(default_factory=Load)
    rounds: int = 5
    steady: Steady = field(default_factory=Steady)


@dataclass(frozen=True, slots=True)
class Run:
    """One run of one contender."""

    result: Result
    #: Of the whole process, from its start to its end.
    whole_seconds: float
    whole_cpu_seconds: float


@dataclass(slots=True)
class Row:
    """All runs of one contender on one load."""

    name: str
    filled: Filled
    runs: list[Run] = field(default_factory=list)

    def _median(self, of: Callable[[Run], float]) -> float:
        return statistics.median(of(run) for run in self.runs)

    @property
    def events_per_second(self) -> float:
        return self.filled.events / self._median(lambda run: run.result.seconds)

    @property
    def cpu_us(self) -> float:
        """Microseconds of CPU for each event."""
        return self._median(lambda run: run.result.cpu_seconds) / self.filled.events * 1e6

    @property
    def whole_seconds(self) -> float:
        return self._median(lambda run: run.whole_seconds)

    @property
    def whole_cpu_seconds(self) -> float:
        return self._median(lambda run: run.whole_cpu_seconds)


Contend = Callable[[Addresses, Filled, str, Path], Run]


def program(module: str, python: str = sys.executable) -> Contend:
    """A contender that is a program of this folder, run by this interpreter."""

    def contend(addresses: Addresses, filled: Filled, name: str, folder: Path) -> Run:
        told = Task(addresses.kafka, filled.prefix, name, filled.events)
        command = [python, "-m", f"benchmarks.throughput.{module}", json.dumps(asdict(told))]
        return _run(command, folder / f"{module}.log")

    return contend


def house(processes: int, settings: Mapping[str, str] = worker.SETTINGS) -> Contend:
    """The worker, in so many processes, set like this."""

    def contend(addresses: Addresses, filled: Filled, name: str, folder: Path) -> Run:
        return Run(*worker.consume(addresses, filled, name, folder, processes=processes, settings=settings))

    return contend


CONTENDERS: Mapping[str, Contend] = {
    WORKER: house(1),
    TWO: house(2),
    LOOP: program("plain_loop"),
    FLOOR: program("in_memory"),
}


#: quixstreams has an environment of its own: it wants an older pydantic than ours.
QUIXSTREAMS_PYTHON = str(Path(sys.executable).parent.parent / "quixstreams/bin/python")


@dataclass(frozen=True, slots=True)
class Extra:
    """A contender that is run once, and on fewer events where it is slow: `share` of those of the others."""

    name: str
    package: str
    contend: Contend
    python: str = sys.executable
    share: float = 1.0
    features: int = 6

    @property
    def there(self) -> bool:
        """Whether its package is installed."""
        if not Path(self.python).exists():
            return False
        find = f"import importlib.util, sys; sys.exit(importlib.util.find_spec({self.package!r}) is None)"
        return subprocess.run([self.python, "-c", find], check=False).returncode == 0


EXTRAS = (
    Extra("trueup monitor, everything on, nine features", "trueup", house(1, {}), features=9),
    Extra("bytewax", "bytewax", program("bytewax_flow")),
    Extra("quixstreams", "quixstreams", program("quixstreams_app", QUIXSTREAMS_PYTHON), QUIXSTREAMS_PYTHON, 0.5),
    Extra("Faust with Tables", "faust", program("faust_tables"), share=0.02),
)


def _run(command: list[str], log: Path) -> Run:
    began = time.perf_counter()
    with log.open("ab") as errors:
        process = subprocess.Popen(command, stdout=subprocess.PIPE, stderr=errors)
    assert process.stdout is not None
    deadline = threading.Timer(CONTENDER_SECONDS, process.kill)
    deadline.start()
    output = process.stdout.read()
    _, status, used = os.wait4(process.pid, 0)
    deadline.cancel()
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode != 0:
        raise BenchmarkFailed(f"{' '.join(command)} ended with {process.returncode}:\n{log.read_text()[-4_000:]}")
    # Faust puts signs for a terminal around it.
    said = [line[line.index(b"{") :] for line in output.splitlines() if b"{" in line]
    if not said:
        raise BenchmarkFailed(f"{' '.join(command)} said nothing:\n{log.read_text()[-4_000:]}")
    return Run(Result(**json.loads(said[-1])), time.perf_counter() - began, used.ru_utime + used.ru_stime)


def run(plan: Plan | None = None) -> None:
    """Measure, print the table and one JSON line.

    Raises:
        BenchmarkFailed: a contender failed, or counted wrong.
    """
    plan = plan or Plan()
    with tempfile.TemporaryDirectory() as name, Stack(Path(name), partitions=4, additions=GATHERING) as stack:
        rows = {shape: measure(plan, shape, stack.addresses, Path(name)) for shape in SHAPES}
        fleets = [fleet.measure(size, plan.steady, stack.addresses, Path(name)) for size in fleet.SIZES]
    print(shown(rows))
    print()
    print(fleet.shown(fleets))
    print(json_line({**summary(rows), **fleet.summary(fleets)}))


def measure(plan: Plan, shape: str, addresses: Addresses, folder: Path) -> dict[str, Row]:
    """All rows of one shape."""
    filled = _filled(addresses, f"{shape}.", plan.load, SHAPES[shape])
    rows = {name: Row(name, filled) for name in CONTENDERS}
    for number in range(plan.rounds):
        for name, contend in CONTENDERS.items():
            _one(rows[name], contend, addresses, f"{shape}-{number}", folder)
    for extra in EXTRAS:
        if extra.there:
            try:
                rows[extra.name] = _extra(extra, plan, shape, filled, addresses, folder)
            except BenchmarkFailed as error:  # one of the extras is no reason to have no figures of the others
                print(f"{extra.name} is not measured: {error}", flush=True)
    return rows


def _extra(extra: Extra, plan: Plan, shape: str, filled: Filled, addresses: Addresses, folder: Path) -> Row:
    """One run; on topics of its own where it is not given what the others are."""
    load = replace(plan.load, predictions=int(plan.load.predictions * extra.share), features=extra.features)
    if load != plan.load:
        prefix = f"{shape}-{extra.package}."
        filled = _filled(addresses, prefix, load, SHAPES[shape])
    row = Row(extra.name, filled)
    _one(row, extra.contend, addresses, f"{shape}-once", folder)
    return row


def _one(row: Row, contend: Contend, addresses: Addresses, run_name: str, folder: Path) -> None:
    found = contend(addresses, row.filled, f"{re.sub(r'[, ]+', '-', row.name)}-{run_name}", folder)
    refuse_wrong_counts(row.name, found.result, joined=row.filled.joined, correct=row.filled.correct)
    row.runs.append(found)
    print(f"{run_name}: {row.name} {row.filled.events / found.result.seconds:,.0f} events/s", flush=True)


def _filled(addresses: Addresses, prefix: str, load: Load, per_record: int) -> Filled:
    print(f"Writing {load.events:,} events, {per_record} a record", flush=True)
    create_topics(Installation(addresses, prefix, "fill").settings)
    return fill(addresses.kafka, prefix, load, per_record=per_record)


def shown(rows: Mapping[str, Mapping[str, Row]]) -> str:
    """The table."""
    head = (
        "contender",
        "events a record",
        "events",
        "runs",
        "events/s",
        "of loop",
        "of floor",
        "CPU µs/event",
        "whole s",
        "whole CPU s",
    )
    lines = []
    for shape, by_name in rows.items():
        loop, floor = by_name[LOOP].events_per_second, by_name[FLOOR].events_per_second
        lines += [
            (
                row.name,
                str(SHAPES[shape]),
                f"{row.filled.events:,}",
                str(len(row.runs)),
                f"{row.events_per_second:,.0f}",
                f"{row.events_per_second / loop:.2f}",
                f"{row.events_per_second / floor:.2f}",
                f"{row.cpu_us:.2f}",
                f"{row.whole_seconds:.1f}",
                f"{row.whole_cpu_seconds:.1f}",
            )
            for row in by_name.values()
        ]
    missing = sorted({extra.name for extra in EXTRAS for by_name in rows.values() if extra.name not in by_name})
    return table(head, lines) + "".join(
        f"\nnot measured, its package is missing or it failed: {name}" for name in missing
    )


def summary(rows: Mapping[str, Mapping[str, Row]]) -> dict[str, Any]:
    """The figures by name."""
    found: dict[str, Any] = {"benchmark": "throughput"}
    for shape, by_name in rows.items():
        house_row, loop, floor = by_name[WORKER], by_name[LOOP], by_name[FLOOR]
        found[f"ratio_{shape}"] = house_row.events_per_second / loop.events_per_second
        found[f"ratio_{shape}_2_processes"] = by_name[TWO].events_per_second / loop.events_per_second
        found[f"cpu_ratio_{shape}"] = loop.cpu_us / house_row.cpu_us
        found[f"share_of_floor_{shape}"] = house_row.events_per_second / floor.events_per_second
        found[f"events_per_second_{shape}"] = {row.name: round(row.events_per_second) for row in by_name.values()}
        found[f"not_measured_{shape}"] = [extra.name for extra in EXTRAS if extra.name not in by_name]
        found[f"cpu_us_per_event_{shape}"] = {row.name: row.cpu_us for row in by_name.values()}
    return found
