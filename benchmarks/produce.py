"""Writes a load into Kafka: all at once, or at a rate.

`python -m benchmarks.produce JSON` produces at a rate in a process of its own; `producing` starts and ends it.
"""

from __future__ import annotations

import json
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass

from confluent_kafka import Producer

from benchmarks.errors import BenchmarkFailed
from benchmarks.load import Load, correct_answers, events, messages


@dataclass(frozen=True, slots=True)
class Filled:
    """What lies in the topics, and what whoever counts it has to come to."""

    prefix: str
    records: int
    events: int
    joined: int
    correct: int


def producer(bootstrap: str, *, linger_ms: int = 20) -> Producer:
    """A producer as Trueup wants it: keys on the partitions on which the Java client would put them."""
    return Producer(
        {
            "bootstrap.servers": bootstrap,
            "partitioner": "murmur2_random",
            "linger.ms": linger_ms,
            "queue.buffering.max.messages": 1_000_000,
            "acks": "all",
        }
    )


def fill(bootstrap: str, prefix: str, load: Load, *, per_record: int, events_per_second: float = 5_000.0) -> Filled:
    """Write a load into `predictions` and `feedback` of a prefix.

    The records' timestamps are those that a producer of `events_per_second` would have given them, ending now: so
    prediction and feedback lie as far apart as they do in real traffic, however fast they are written here.
    """
    out = producer(bootstrap)
    began = time.time() - load.events / events_per_second
    sent = records = 0
    for message in messages(events(load), per_record):
        sent += message.events
        records += 1
        stamp = int((began + sent / events_per_second) * 1000)
        out.produce(prefix + message.topic.name, message.value, message.key, timestamp=stamp)
        if records % 1_000 == 0:
            out.poll(0)
    flush(out)
    return Filled(prefix, records, sent, load.predictions, correct_answers(load))


def flush(out: Producer) -> None:
    """Return when all is safe with Kafka.

    Raises:
        BenchmarkFailed: Kafka did not take all of it within a minute.
    """
    left = out.flush(60.0)
    if left:
        raise BenchmarkFailed(f"Kafka did not take {left} records within a minute")


@dataclass(frozen=True, slots=True)
class Stream:
    """A load at a rate, event times from now on."""

    bootstrap: str
    prefix: str
    models: int
    events_per_second: float
    seconds: float
    per_record: int = 1
    #: Between a prediction and its feedback.
    lag_seconds: float = 1.0
    seed: int = 2

    @property
    def load(self) -> Load:
        """The events, from now on."""
        per_second = self.events_per_second / 2
        return Load(
            models=self.models,
            predictions=int(self.seconds * per_second),
            lag=int(self.lag_seconds * per_second),
            seconds_apart=1 / per_second,
            start=time.time(),
            seed=self.seed,
        )


def stream(told: Stream) -> float:
    """Produce it; the events a second that came of it."""
    out, sent, began = producer(told.bootstrap), 0, time.monotonic()
    for message in messages(events(told.load), told.per_record):
        ahead = sent / told.events_per_second - (time.monotonic() - began)
        if ahead > 0.01:
            out.poll(0)
            time.sleep(ahead)
        out.produce(told.prefix + message.topic.name, message.value, message.key)
        sent += message.events
    flush(out)
    return sent / (time.monotonic() - began)


@contextmanager
def producing(told: Stream) -> Iterator[subprocess.Popen[bytes]]:
    """A process that produces it, ended with the context at the latest."""
    process = subprocess.Popen([sys.executable, "-m", "benchmarks.produce", json.dumps(asdict(told))])
    try:
        yield process
    finally:
        process.kill()
        process.wait()


if __name__ == "__main__":
    stream(Stream(**json.loads(sys.argv[1])))
