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
from trueup.embedded.ports import free_ports
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
    """One running worker. Build it with `measured`."""

    def __init__(self, process: WorkerProcess, worker: WorkerName, port: int) -> None:
        self._process = process
        self._address = f"http://127.0.0.1:{port}/metrics"
        self._worker = worker
        self._found: psutil.Process | None = None

    @property
    def pid(self) -> int:
        """Of the worker itself, not of its watchdog."""
        return int(self._python().pid)

    def usage(self) -> Usage:
        """What it has used so far."""
        times = self._python().cpu_times()
        return Usage(time.perf_counter(), times.user + times.system)

    def metrics(self) -> dict[str, float]:
        """Each metric, summed over its labels; empty while the worker is still starting."""
        try:
            with urllib.request.urlopen(self._address, timeout=5) as answer:
                text = answer.read().decode()
        except OSError:
            return {}
        found: dict[str, float] = {}
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

    def _python(self) -> psutil.Process:
        if self._found is None:
            children = psutil.Process().children(recursive=True)
            found = [child for child in children if child.cmdline()[-2:] == ["trueup", self._worker]]
            # The watchdog's command line ends alike; the worker is the youngest.
            self._found = max(found, key=lambda child: child.create_time())
        return self._found


@contextmanager
def measured(worker: WorkerName, where: Installation, folder: Path) -> Iterator[MeasuredWorker]:
    """A worker of this installation in a process of its own, until the context is left."""
    [port] = free_ports(1)
    environment = {**where.environment, "TRUEUP_METRICS__PORT": str(port)}
    process = WorkerProcess(worker, environment, folder, f"{worker}-{where.name}")
    try:
        process.start()
        yield MeasuredWorker(process, worker, port)
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
