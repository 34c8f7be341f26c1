"""A real worker process under measurement: its settings, its CPU time, how far it is, what it saved."""

from __future__ import annotations

import time
import urllib.request
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

import psutil
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.errors import BenchmarkFailed
from trueup.console.progress import Progress
from trueup.embedded import Addresses
from trueup.embedded.ports import free_ports, is_free
from trueup.settings import Settings
from trueup.worker_process import WorkerProcess
from trueup.workers.setups import WorkerName

#: A worker that does not get on for so long has failed.
DEADLINE_SECONDS = 300.0


@dataclass(frozen=True, slots=True)
class Installation:
    """Topics and keys of one run, apart from those of every other."""

    addresses: Addresses
    #: Of the topics.
    prefix: str
    #: Of the keys in Redis and of the consumer groups.
    name: str
    partitions: int = 4
    #: Further settings, as they stand in the environment.
    more: Mapping[str, str] | None = None

    @property
    def environment(self) -> dict[str, str]:
        """What a worker needs to have these settings, whatever stands in a `trueup.toml`."""
        return {
            "TRUEUP_KAFKA__BOOTSTRAP": self.addresses.kafka,
            "TRUEUP_KAFKA__TOPIC_PREFIX": self.prefix,
            "TRUEUP_KAFKA__GROUP_PREFIX": self.name,
            "TRUEUP_KAFKA__PARTITIONS": str(self.partitions),
            "TRUEUP_REDIS__URL": self.addresses.redis,
            "TRUEUP_REDIS__KEY_PREFIX": self.name,
            **(self.more or {}),
        }

    @property
    def settings(self) -> Settings:
        """Those of `environment` that say where everything is."""
        return Settings.model_validate(
            {
                "kafka": {
                    "bootstrap": self.addresses.kafka,
                    "topic_prefix": self.prefix,
                    "group_prefix": self.name,
                    "partitions": self.partitions,
                },
                "redis": {"url": self.addresses.redis, "key_prefix": self.name},
            }
        )


@dataclass(frozen=True, slots=True)
class Usage:
    """Clock and CPU time of a process at one moment."""

    at: float
    cpu: float

    def until(self, later: Usage) -> tuple[float, float]:
        """Seconds by the clock, and seconds of CPU."""
        return later.at - self.at, later.cpu - self.cpu


class MeasuredWorker:
    """One running worker, of one process or several. Build it with `measured`."""

    def __init__(self, process: WorkerProcess, worker: WorkerName, ports: range) -> None:
        self._process = process
        self._addresses = [f"http://127.0.0.1:{port}/metrics" for port in ports]
        self._worker = worker
        self._found: psutil.Process | None = None

    @property
    def pid(self) -> int:
        """Of the worker itself, not of its watchdog; of several processes, of the one that started the others."""
        return int(self._root().pid)

    def usage(self) -> Usage:
        """What it has used so far, and all that it started."""
        root = self._root()
        times = [process.cpu_times() for process in (root, *root.children(recursive=True))]
        return Usage(time.perf_counter(), sum(each.user + each.system for each in times))

    def metrics(self) -> dict[str, float]:
        """Each metric, summed over its labels and the processes; empty while the worker is still starting."""
        found: dict[str, float] = {}
        for address in self._addresses:
            try:
                with urllib.request.urlopen(address, timeout=5) as answer:
                    text = answer.read().decode()
            except OSError:
                continue
            for family in text_string_to_metric_families(text):
                for sample in family.samples:
                    found[sample.name] = found.get(sample.name, 0.0) + sample.value
        return found

    def wait(self, what: str, happened: Callable[[], bool], *, every: float = 0.02) -> None:
        """Return when it happened.

        Raises:
            BenchmarkFailed: the worker ended, or the deadline passed.
        """
        deadline = time.monotonic() + DEADLINE_SECONDS
        while not happened():
            if not self._process.running:
                raise BenchmarkFailed(f"{self._worker} ended before {what}:\n{self._process.tail}")
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{what}: not within {DEADLINE_SECONDS:.0f} s\n{self._process.tail}")
            time.sleep(every)

    def wait_for_first_record(self) -> None:
        """Return when it has read a record."""
        self.wait("it had read a record", self._has_read, every=0.01)

    def _has_read(self) -> bool:
        found = self.metrics()
        return found.get("trueup_waiting_records", 0.0) + found.get("trueup_records_total", 0.0) > 0

    def _root(self) -> psutil.Process:
        if self._found is None:
            self._found = processes_of(self._worker)[0]
        return self._found


def processes_of(worker: WorkerName) -> list[psutil.Process]:
    """The processes of this kind of worker that this process started, without watchdogs; the oldest is the first."""
    found = [child for child in psutil.Process().children(recursive=True) if _is(worker, child)]
    return sorted(found, key=lambda child: float(child.create_time()))


def _is(worker: WorkerName, process: psutil.Process) -> bool:
    try:
        words = process.cmdline()
    except psutil.Error:  # It has just ended.
        return False
    # A watchdog's own command line comes before that of its worker.
    return words[-2:] == ["trueup", worker] and not any(word.endswith("/watchdog.py") for word in words)


def free_row(count: int) -> int:
    """The first of so many ports, one after the other, that were free a moment ago."""
    return next(port for port in free_ports(50) if all(is_free(port + number) for number in range(count)))


@contextmanager
def measured(worker: WorkerName, where: Installation, folder: Path, *, processes: int = 1) -> Iterator[MeasuredWorker]:
    """A worker of this installation in so many processes of its own, until the context is left."""
    port = free_row(processes)
    environment = {
        **where.environment,
        "TRUEUP_METRICS__PORT": str(port),
        "TRUEUP_ENGINE__PROCESSES": str(processes),
    }
    process = WorkerProcess(worker, environment, folder, f"{worker}-{where.name}")
    try:
        process.start()
        yield MeasuredWorker(process, worker, range(port, port + processes))
    finally:
        process.close()


def holds_all(progress: Progress, ends: Mapping[str, Mapping[int, int]]) -> Callable[[], bool]:
    """Whether the monitor's saved state holds all records up to these ends."""

    def happened() -> bool:
        saved = progress.saved("monitor", views=False)
        return all(
            saved[partition].offsets.get(topic, 0) >= end
            for topic, by_partition in ends.items()
            for partition, end in by_partition.items()
        )

    return happened
