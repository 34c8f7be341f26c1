"""Everything on one machine: the embedded Kafka and Redis, the topics, and the workers, started again when they die.

What `trueup up`, the demo and the flow tests run on. Whatever ends is started again, on the same data and ports: not in
a hurry, and less so each time. The workers wait for Kafka and Redis, and go on by themselves.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from trueup.connections.kafka_python import kafka_python_arguments
from trueup.embedded import Addresses, ServerFailed, Stack
from trueup.embedded.server import Server
from trueup.engine import topic_setup
from trueup.errors import InvalidSettings
from trueup.settings import CONFIG_VARIABLE, Settings, config_file, read
from trueup.workers.ending import MEND
from trueup.workers.setups import WorkerName, topic_specs

log = logging.getLogger(__name__)

#: What died is started again after so long, doubled each time up to the longest.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
#: One that lived for so long before it died is started again as if it had never died.
HEALTHY_SECONDS = 60.0


def create_topics(settings: Settings) -> None:
    """Make every topic, as the settings have it.

    Raises:
        Unavailable, InvalidSettings: no broker answers, or a topic is there with another number of partitions.
    """
    kafka = settings.kafka
    security = kafka_python_arguments(kafka.security)
    topic_setup.create(kafka.bootstrap, topic_specs(settings), replication=kafka.replication, security=security)


@dataclass(slots=True)
class Restarts:
    """How long to wait before a process that died is started again: longer with each death soon after a start."""

    next_seconds: float = FIRST_WAIT_SECONDS

    def wait(self, lived_seconds: float, *, to_mend: bool = False) -> float:
        """It died after so long: the seconds until its next start. `to_mend`: only after somebody did something."""
        if lived_seconds >= HEALTHY_SECONDS:
            self.next_seconds = FIRST_WAIT_SECONDS
        if to_mend:
            self.next_seconds = LONGEST_WAIT_SECONDS
        wait, self.next_seconds = self.next_seconds, min(LONGEST_WAIT_SECONDS, self.next_seconds * 2)
        return wait


class WorkerProcess:
    """One worker in a process of its own, under a watchdog: it does not outlive this process."""

    def __init__(self, worker: WorkerName, environment: dict[str, str], folder: Path, name: str = "") -> None:
        self.worker = worker
        self.log = folder / f"{name or worker}.log"
        self._environment = environment
        self._folder = folder
        self._nothing = os.open(os.devnull, os.O_RDONLY)
        self._server = Server(name or worker, log=self.log, lock=self._nothing)
        self._restarts = Restarts()
        self._started_at = 0.0
        self._again_at = 0.0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._server.running

    def start(self) -> None:
        """Start it; returns at once."""
        self._started_at = time.monotonic()
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        self._server.start(["env", *variables, sys.executable, "-m", "trueup", self.worker], folder=self._folder)

    def supervise(self) -> None:
        """Start it again if it died, but not at once and not in a hurry."""
        if self._server.running:
            return
        now = time.monotonic()
        if self._again_at == 0.0:
            wait = self._restarts.wait(now - self._started_at, to_mend=self.exit_code == MEND)
            self._again_at = now + wait
            log.warning("%s; it is started again in %.1f s (%s)", self.how_it_ended, wait, self.log)
        elif now >= self._again_at:
            self._again_at = 0.0
            self.start()

    @property
    def exit_code(self) -> int | None:
        """How it ended: negative, the signal that killed it; None while it runs."""
        return self._server.exit_code

    @property
    def how_it_ended(self) -> str:
        """The sentence with which it ended, and its exit code."""
        code, lines = self.exit_code, self.tail.splitlines()
        if code is not None and code < 0:
            return f"{self.worker} was killed ({signal.Signals(-code).name})"
        said = next((line for line in reversed(lines) if line.startswith(f"trueup {self.worker} ends: ")), "")
        return f"{said or f'{self.worker} ended without a word'}, exit code {code}"

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
        config: the settings file; None: the one that `settings.read` finds from here, for the workers too.
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
        self._config = config
        self._names = workers
        self._say = say
        self._leave = ExitStack()
        self.workers: list[WorkerProcess] = []
        self._servers: dict[str, _ServerAgain] = {}

    def __enter__(self) -> Self:
        with ExitStack() as leave:
            file = config_file(self._config)
            given = read(file)
            _refuse_security(given)
            self._began = time.monotonic()
            self.stack = leave.enter_context(Stack(self._folder, partitions=given.kafka.partitions, say=self._say))
            self.environment = _environment(self.stack.addresses, file)
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
        """Start again what died, Kafka and Redis included. Call it every now and then.

        A server that is started again is waited for.
        """
        for name in self.stack.ended:
            again = self._servers.setdefault(name, _ServerAgain(name, self.stack, self._say, self._began))
            again.supervise(time.monotonic())
        for worker in self.workers:
            worker.supervise()


class _ServerAgain:
    """Kafka or Redis, started again when it ended."""

    def __init__(self, name: str, stack: Stack, say: Callable[[str], None], started_at: float) -> None:
        self._name = name
        self._stack = stack
        self._say = say
        self._restarts = Restarts()
        self._started_at = started_at
        self._again_at: float | None = None

    def supervise(self, now: float) -> None:
        """It does not run now."""
        if self._again_at is None:
            self._wait(now, f"{self._name} has ended ({self._stack.log_of(self._name)} may say why)")
        elif now >= self._again_at:
            try:
                self._stack.restart(self._name)
            except ServerFailed as error:
                self._wait(time.monotonic(), str(error).rstrip())
            else:
                self._started_at, self._again_at = time.monotonic(), None
                self._say(f"{self._name} runs again, on the same data")

    def _wait(self, now: float, why: str) -> None:
        wait = self._restarts.wait(now - self._started_at)
        self._started_at, self._again_at = now, now + wait
        self._say(f"{why}; it is started again in {wait:.1f} s")


def _environment(addresses: Addresses, file: Path | None) -> dict[str, str]:
    """What a process in any folder needs to have the same settings."""
    found = {"TRUEUP_KAFKA__BOOTSTRAP": addresses.kafka, "TRUEUP_REDIS__URL": addresses.redis}
    return found if file is None else {**found, CONFIG_VARIABLE: str(file)}


def _refuse_security(settings: Settings) -> None:
    """The embedded servers speak plain text on loopback: what was asked for is not left out in silence."""
    kafka, redis = settings.kafka.security, settings.redis
    if kafka.protocol != "PLAINTEXT" or redis.tls or redis.password is not None or redis.password_file is not None:
        raise InvalidSettings(
            "the settings ask for TLS or passwords, and this runs a Kafka and a Redis of its own, on loopback without "
            "either: leave [kafka.security] and those of [redis] out, or run the workers alone (`trueup monitor`, ...)"
        )


def _needed(settings: Settings) -> tuple[WorkerName, ...]:
    return ("monitor", "alerter", "notifier") if settings.channels.names else ("monitor", "alerter")


def _at(settings: Settings, stack: Stack) -> Settings:
    """The same settings, with the addresses of the embedded servers."""
    kafka = settings.kafka.model_copy(update={"bootstrap": stack.addresses.kafka})
    redis = settings.redis.model_copy(update={"url": stack.addresses.redis})
    return settings.model_copy(update={"kafka": kafka, "redis": redis})
