"""Kafka and Redis together, in one folder: the one way to get a broker on a laptop, in the demo and in the tests.

    with Stack(Path("data"), partitions=4) as stack:
        ...  # stack.addresses.kafka, stack.addresses.redis

The folder keeps the data: a later stack on it goes on from there, on the same ports where they are still free.
"""

from collections.abc import Callable, Mapping
from contextlib import ExitStack
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from trueup.embedded.errors import ServerFailed
from trueup.embedded.folder import Folder
from trueup.embedded.kafka_server import KafkaAdditions, KafkaHome, kafka_answers, kafka_program
from trueup.embedded.ports import HOST, free_ports, is_free
from trueup.embedded.redis_server import redis_answers, redis_command, redis_program
from trueup.embedded.server import Server

_TRIES = 5
# What a server logs when somebody else took its port between the choice and the start.
_PORT_TAKEN = "already in use"


@dataclass(frozen=True)
class Addresses:
    """Where the servers listen, in the form that clients want."""

    kafka: str
    """For `bootstrap_servers`: `127.0.0.1:PORT`."""
    redis: str
    """A URL: `redis://127.0.0.1:PORT/0`."""


@dataclass(frozen=True)
class Additions:
    """What the servers have beyond their plain loopback ports, which stay: TLS, users, rights. Nothing by default."""

    kafka: KafkaAdditions = field(default_factory=KafkaAdditions)
    redis: Mapping[str, str] = field(default_factory=dict)
    """More options of redis-server, by name: `tls-port`, ..."""


@dataclass(frozen=True)
class _Ports:
    kafka: int
    controller: int
    redis: int


class Stack:
    """A running Kafka and Redis, as a context manager.

    On entering: downloads what the cache lacks, starts both, returns when both answer. On leaving, or when this process
    ends in any way, `kill -9` included, both are stopped. Ctrl-C reaches this process alone, not the servers.
    `say` is given a line whenever there is something to wait for.

    Entering raises `DownloadFailed`, `FolderInUse` or `ServerFailed`, with nothing left running.
    """

    def __init__(
        self,
        folder: Path,
        *,
        partitions: int = 4,
        say: Callable[[str], None] = print,
        additions: Additions | None = None,
    ) -> None:
        if partitions < 1:
            raise ValueError(f"a topic needs at least one partition, not {partitions}")
        self._path = folder.expanduser().absolute()
        self._partitions = partitions
        self._say = say
        self._additions = additions or Additions()
        self._leave = ExitStack()

    def __enter__(self) -> Self:
        self._kafka_program = kafka_program(self._say)
        self._redis_program = redis_program(self._say)
        with ExitStack() as leave:
            folder = Folder(self._path)
            lock = folder.take()
            leave.callback(folder.release)
            self._kafka_home = KafkaHome(self._path / "kafka", self._additions.kafka)
            self._redis_home = self._path / "redis"
            self._redis_home.mkdir(exist_ok=True)
            self._kafka = Server("Kafka", log=self._path / "kafka.log", lock=lock)
            self._redis = Server("Redis", log=self._path / "redis.log", lock=lock)
            leave.callback(self._stop)
            self._say(f"Starting Kafka and Redis in {self._path}")
            self._ports = self._start(folder)
            self._leave = leave.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._leave.close()

    @property
    def addresses(self) -> Addresses:
        """Where the servers listen; the same for as long as the stack runs."""
        return Addresses(kafka=f"{HOST}:{self._ports.kafka}", redis=f"redis://{HOST}:{self._ports.redis}/0")

    @property
    def ended(self) -> list[str]:
        """Which of `Kafka` and `Redis` ended by themselves, or were killed."""
        return [server.name for server in (self._redis, self._kafka) if not server.running]

    def restart(self, name: str) -> None:
        """Start `Kafka` or `Redis` again.

        Raises:
            ServerFailed: it did not start.
        """
        (self.restart_kafka if name == "Kafka" else self.restart_redis)()

    def log_of(self, name: str) -> Path:
        """Where that server says what it does."""
        return self._path / f"{name.lower()}.log"

    def kill_kafka(self) -> None:
        """Kill Kafka (`kill -9`); returns when it has gone."""
        self._kafka.kill()

    def restart_kafka(self) -> None:
        """Start Kafka again on the same port and data, stopping it first if it runs; returns when it answers.

        Raises:
            ServerFailed: it did not start.
        """
        self._kafka.stop()
        self._start_kafka(self._ports)
        self._wait_for_kafka(self._ports)

    def kill_redis(self) -> None:
        """Kill Redis (`kill -9`); returns when it has gone."""
        self._redis.kill()

    def restart_redis(self) -> None:
        """Start Redis again on the same port and data, stopping it first if it runs; returns when it answers.

        Raises:
            ServerFailed: it did not start.
        """
        self._redis.stop()
        self._start_redis(self._ports)
        self._wait_for_redis(self._ports)

    def _start(self, folder: Folder) -> _Ports:
        """Start both on ports of their own, and on others when somebody was quicker."""
        ports = _ports(folder.last_ports())
        for tries_left in reversed(range(_TRIES)):
            self._start_redis(ports)
            self._start_kafka(ports)
            try:
                self._wait_for_redis(ports)
                self._wait_for_kafka(ports)
            except ServerFailed as error:
                self._stop()
                if tries_left == 0 or _PORT_TAKEN not in str(error):
                    raise
                ports = _ports({})
            else:
                folder.keep_ports(vars(ports))
                return ports
        raise AssertionError("unreachable")

    def _start_kafka(self, ports: _Ports) -> None:
        home = self._kafka_home
        home.write_settings(port=ports.kafka, controller_port=ports.controller, partitions=self._partitions)
        home.format_once(self._kafka_program)
        self._kafka.start(home.command(self._kafka_program), folder=home.path)

    def _start_redis(self, ports: _Ports) -> None:
        command = redis_command(self._redis_program, port=ports.redis, more=self._additions.redis)
        self._redis.start(command, folder=self._redis_home)

    def _wait_for_kafka(self, ports: _Ports) -> None:
        self._kafka.wait_until(lambda: kafka_answers(self._kafka_home, ports.kafka))

    def _wait_for_redis(self, ports: _Ports) -> None:
        self._redis.wait_until(lambda: redis_answers(self._redis_home, ports.redis))

    def _stop(self) -> None:
        for server in (self._kafka, self._redis):
            server.ask_to_stop()
        for server in (self._kafka, self._redis):
            server.stop()


def _ports(last: dict[str, int]) -> _Ports:
    """Return the ports of the last run where all of them are known and free, else others."""
    if last.keys() == {"kafka", "controller", "redis"} and all(is_free(port) for port in last.values()):
        return _Ports(**last)
    kafka, controller, redis = free_ports(3)
    return _Ports(kafka=kafka, controller=controller, redis=redis)
