"""What faults happen to: an installation under load, on a Kafka and a Redis that may be killed."""

from __future__ import annotations

import random
import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import redis

from benchmarks.faults.fleet import Fleet
from benchmarks.faults.installation import Installation
from benchmarks.faults.load import CONFIG, Load
from benchmarks.faults.pipeline import Pipeline
from trueup.embedded import Stack


@dataclass(slots=True)
class Scene:
    """An installation under load, and what was done to it so far. `folder`: its logs, and room for copies."""

    stack: Stack
    fleet: Fleet
    load: Load
    pipeline: Pipeline
    folder: Path
    rng: random.Random
    #: What was done, by kind.
    done: Counter[str] = field(default_factory=Counter)
    #: Writes that Redis refused to a worker when it went on after a pause, for each pause.
    refused: list[int] = field(default_factory=list)
    _never: threading.Event = field(default_factory=threading.Event)

    def pass_time(self, seconds: float) -> None:
        """Let the load run on for so long."""
        self._never.wait(seconds)

    def end_load(self) -> None:
        """Nothing more comes in.

        Raises:
            Unavailable: Kafka did not take the rest of it.
        """
        self.load.close()
        self.pipeline.close()

    @property
    def client(self) -> redis.Redis:
        """A connection to Redis; close it."""
        return redis.Redis.from_url(self.stack.addresses.redis, socket_timeout=10, decode_responses=True)

    @property
    def saves(self) -> int:
        """Saves of all partitions of the monitor, as Redis has it."""
        settings = self.fleet.here.settings
        keys = [f"{{{settings.redis.key_prefix}:monitor:{part}}}:meta" for part in range(settings.kafka.partitions)]
        with self.client as client:
            return sum(int(client.hget(key, "saves") or 0) for key in keys)


@contextmanager
def under_load(stack: Stack, folder: Path, name: str, *, seed: int, failpoints: str = "") -> Iterator[Scene]:
    """A new installation, every partition of it saved once already; nothing of it is left running.

    Args:
        folder: is made; keeps the logs.
        failpoints: in force in every worker at every start.

    Raises:
        NotInTime: it did not come up.
    """
    folder.mkdir()
    with ExitStack() as leave:
        here = Installation(stack, folder, name, CONFIG)
        leave.callback(here.close)
        fleet = Fleet(here, failpoints)
        leave.callback(fleet.thaw)
        load = Load(here.bootstrap, here.prefix, seed=seed)
        leave.callback(load.abandon)
        pipeline = Pipeline(here.bootstrap, here.prefix)
        leave.callback(pipeline.close)
        fleet.start()
        load.start()
        pipeline.start()
        fleet.settle_in()
        yield Scene(stack, fleet, load, pipeline, folder, random.Random(seed))
