"""Everything on one machine: the embedded Kafka and Redis, the topics, and the workers, started again when they die.

What `trueup up`, the demo and the flow tests run on.
"""

from __future__ import annotations

import logging
import os
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from datetime import timedelta
from pathlib import Path
from types import TracebackType
from typing import Self

from trueup.embedded import Stack
from trueup.embedded.server import Server
from trueup.engine import topic_setup
from trueup.settings import CONFIG_VARIABLE, Settings, read
from trueup.workers.setups import WorkerName

log = logging.getLogger(__name__)

#: A worker that died is started again after so long, doubled each time up to the longest.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0


def create_topics(settings: Settings) -> None:
    """Make every topic, as the settings have it.

    Raises:
        Unavailable, InvalidSettings: no broker answers, or a topic is there with another number of partitions.
    """
    kafka = settings.kafka
    horizon = timedelta(days=settings.monitor.label_horizon_days)
    specs = topic_setup.wanted(kafka.topic_prefix, kafka.partitions, horizon)
    topic_setup.create(kafka.bootstrap, specs, replication=kafka.replication)


class WorkerProcess:
    """One worker in a process of its own, under a watchdog: it does not outlive this process."""

    def __init__(self, worker: WorkerName, environment: dict[str, str], folder: Path, name: str = "") -> None:
        self.worker = worker
        self.log = folder / f"{name or worker}.log"
        self._environment = environment
        self._folder = folder
        self._nothing = os.open(os.devnull, os.O_RDONLY)
        self._server = Server(name or worker, log=self.log, lock=self._nothing)
        self._deaths = 0
        self._again_at = 0.0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._server.running

    def start(self) -> None:
        """Start it; returns at once."""
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        self._server.start(["env", *variables, sys.executable, "-m", "trueup", self.worker], folder=self._folder)

    def supervise(self) -> None:
        """Start it again if it died, but not at once and not in a hurry."""
        if self._server.running:
            return
        now = time.monotonic()
        if self._again_at == 0.0:
            wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**self._deaths)
            self._deaths += 1
            self._again_at = now + wait
            log.warning("%s died and is started again in %.1f s; the end of its log:\n%s", self.worker, wait, self.tail)
        elif now >= self._again_at:
            self._again_at = 0.0
            self.start()

    @property
    def tail(self) -> str:
        """The last lines of its log."""
        return self._server.log_tail()

    def kill(self) -> None:
        """Kill it (`kill -9`), and return when it has gone."""
        self._server.kill()

    def stop(self) -> None:
        """Let it save and stop, and return when it has gone."""
        self._server.stop()

    def close(self) -> None:
        """Stop it for good."""
        self._server.stop()
        os.close(self._nothing)


class Together:
    """A context manager: entered, everything runs; left, nothing is left running.

    Args:
        folder: where the data and the logs are; a later start on it goes on from there.
        config: the settings file, or None.
        workers: which to run; None: all that have anything to do.
    """

    def __init__(
        self,
        folder: Path,
        *,
        config: Path | None = None,
        workers: Sequence[WorkerName] | None = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self._folder = folder.absolute()
        self._config = None if config is None else config.absolute()
        self._names = workers
        self._say = say
        self._leave = ExitStack()
        self.workers: list[WorkerProcess] = []

    def __enter__(self) -> Self:
        with ExitStack() as leave:
            given = read(self._config)
            self.stack = leave.enter_context(Stack(self._folder, partitions=given.kafka.partitions, say=self._say))
            self.environment = {
                "TRUEUP_KAFKA__BOOTSTRAP": self.stack.addresses.kafka,
                "TRUEUP_REDIS__URL": self.stack.addresses.redis,
            }
            if self._config is not None:
                self.environment[CONFIG_VARIABLE] = str(self._config)
            self.settings = _at(given, self.stack)
            create_topics(self.settings)
            for name in self._names or _needed(given):
                worker = WorkerProcess(name, self.environment, self._folder)
                leave.callback(worker.close)
                worker.start()
                self.workers.append(worker)
            self._leave = leave.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._leave.close()

    def supervise(self) -> None:
        """Start again what died. Call it every now and then."""
        for worker in self.workers:
            worker.supervise()


def _needed(settings: Settings) -> tuple[WorkerName, ...]:
    return ("monitor", "alerter", "notifier") if settings.channels.names else ("monitor", "alerter")


def _at(settings: Settings, stack: Stack) -> Settings:
    """The same settings, with the addresses of the embedded servers."""
    kafka = settings.kafka.model_copy(update={"bootstrap": stack.addresses.kafka})
    redis = settings.redis.model_copy(update={"url": stack.addresses.redis})
    return settings.model_copy(update={"kafka": kafka, "redis": redis})
