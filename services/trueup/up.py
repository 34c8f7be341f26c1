"""Everything on one machine: the embedded Kafka and Redis, the topics, and the workers, started again when they die.

What `trueup up`, the demo and the flow tests run on. Whatever ends is started again, on the same data and ports: not in
a hurry, and less so each time. The workers wait for Kafka and Redis, and go on by themselves.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from pathlib import Path
from types import TracebackType
from typing import Self

from trueup.connections.kafka_python import kafka_python_arguments
from trueup.embedded import Addresses, ServerFailed, Stack
from trueup.engine import topic_setup
from trueup.errors import InvalidSettings
from trueup.settings import CONFIG_VARIABLE, Settings, config_file, read
from trueup.worker_process import Restarts, WorkerProcess
from trueup.workers.setups import WorkerName, topic_specs


def create_topics(settings: Settings) -> None:
    """Make every topic, as the settings have it.

    Raises:
        Unavailable, InvalidSettings: no broker answers, or a topic is there with another number of partitions.
    """
    kafka = settings.kafka
    security = kafka_python_arguments(kafka.security)
    topic_setup.create(kafka.bootstrap, topic_specs(settings), replication=kafka.replication, security=security)


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
