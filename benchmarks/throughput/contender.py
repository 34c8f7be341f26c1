"""What a contender is told when it is started, and the one line that it says at its end."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict, dataclass


@dataclass(frozen=True, slots=True)
class Task:
    """Read `predictions` and `feedback` of this prefix from their start, and stop after so many events."""

    bootstrap: str
    prefix: str
    #: A consumer group that nobody had before.
    group: str
    events: int
    partitions: int = 4

    @property
    def predictions(self) -> str:
        """The topic."""
        return f"{self.prefix}predictions"

    @property
    def feedback(self) -> str:
        """The topic."""
        return f"{self.prefix}feedback"


@dataclass(frozen=True, slots=True)
class Result:
    """What a contender counted, and what it took: from its first record to its last event counted."""

    seconds: float
    cpu_seconds: float
    joined: int
    correct: int


class Stopwatch:
    """Wall and CPU time of this process, all its threads, from the first record on."""

    def __init__(self) -> None:
        self.running = False
        self._began = self._cpu = 0.0

    def start(self) -> None:
        """The first record is here. Later calls do nothing."""
        if not self.running:
            self.running = True
            self._began, self._cpu = time.perf_counter(), time.process_time()

    def stop(self, *, joined: int, correct: int) -> Result:
        """The last event is counted."""
        return Result(time.perf_counter() - self._began, time.process_time() - self._cpu, joined, correct)


def task() -> Task:
    """What this process was told to do."""
    return Task(**json.loads(sys.argv[1]))


def say(result: Result) -> None:
    """Hand the result to whoever started this process: the last line that it prints."""
    print(json.dumps(asdict(result)), flush=True)
