"""What an app feels of the Emitter at 5,000 calls a second: Kafka up, away from the start, killed and started again.

The app is a process of its own that calls `emit_prediction` at an even pace and measures each call alone; the sender's
thread and kafka-python share the interpreter with it, as in production. This process holds the real Kafka, kills it
with -9 and starts it again. The counts are compared with the app's own at every 50th call, and at the end with what
truly lies in the topic. Printed: one JSON line for each scenario and size of event, and whether all was as wanted.

    up       calls ........................ close
    down     calls, with nothing listening  close
    killed   calls ... kill -9 ... start ... calls ... close
"""

from __future__ import annotations

import json
import random
import subprocess
import sys
import tempfile
import time
from array import array
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from trueup.embedded import Stack
from trueup.embedded.ports import HOST, free_ports
from trueup.sdk import Counts, Emitter

CALLS_PER_S = 5_000
#: Long enough that without Kafka the queue is full at the end.
RUN_S = 12
#: The killed Kafka: how long it had run, how long it stays away, how long the app goes on after it answers again.
BEFORE_S, AWAY_S, AFTER_S = 4, 2, 5
WARM_UP_CALLS, SAMPLE_EVERY, MODELS, PARTITIONS = 500, 50, 4, 4
CLOSE_S = 60.0
WANTED_P50_US, WANTED_P99_US = 20.0, 100.0
SIZES = (8, 20)


@dataclass(frozen=True)
class Felt:
    """What the app saw: its own count of the calls, what the emitter says, and how long the calls took."""

    calls: int
    seconds: float
    p50_us: float
    p99_us: float
    max_us: float
    counts: Counts
    delivered_at_mark: int
    balance_held: bool


def run() -> None:
    """Measure, and print one JSON line for each scenario, and a last one."""
    rows = [row for features in SIZES for row in _scenarios(features)]
    met = all(row["met"] for row in rows)
    slowest = {name: max(row[name] for row in rows) for name in ("p50_us", "p99_us", "max_us")}
    print(json.dumps({"benchmark": "emitter", **slowest, "met": met}))


def _scenarios(features: int) -> Iterator[dict[str, Any]]:
    with tempfile.TemporaryDirectory() as folder:
        with Stack(Path(folder), partitions=PARTITIONS, say=_quiet) as stack:
            yield _row("up", features, _up(stack, features), _arrived(stack, "up."))
            yield _row("killed", features, _killed(stack, features), _arrived(stack, "killed."))
        yield _row("down", features, _down(features), 0)


def _up(stack: Stack, features: int) -> Felt:
    _create_topic(stack, "up.")
    with _app(stack.addresses.kafka, "up.", features) as app:
        time.sleep(RUN_S)
        return _stopped(app)


def _down(features: int) -> Felt:
    with _app(f"{HOST}:{free_ports(1)[0]}", "down.", features) as app:
        time.sleep(RUN_S)
        return _stopped(app)


def _killed(stack: Stack, features: int) -> Felt:
    _create_topic(stack, "killed.")
    with _app(stack.addresses.kafka, "killed.", features) as app:
        time.sleep(BEFORE_S)
        stack.kill_kafka()
        time.sleep(AWAY_S)
        _say(app, "mark")
        stack.restart_kafka()
        time.sleep(AFTER_S)
        return _stopped(app)


def _row(scenario: str, features: int, felt: Felt, arrived: int) -> dict[str, Any]:
    """The line of one scenario, printed. Dropping is no miss while Kafka is away; saying what is not true always is."""
    counts = felt.counts
    resumed = counts.delivered > felt.delivered_at_mark
    true = counts.delivered <= arrived <= counts.delivered + counts.failed and not counts.pending
    lively = {"up": arrived == felt.calls, "killed": resumed, "down": arrived == 0}[scenario]
    fast = felt.p50_us < WANTED_P50_US and felt.p99_us < WANTED_P99_US
    row = {
        "benchmark": "emitter",
        "scenario": scenario,
        "features": features,
        "calls_per_s": round((felt.calls - WARM_UP_CALLS) / felt.seconds),
        "p50_us": felt.p50_us,
        "p99_us": felt.p99_us,
        "max_us": felt.max_us,
        **asdict(counts),
        "arrived": arrived,
        "balance_held": felt.balance_held,
        "resumed": None if scenario == "down" else resumed,
        "met": fast and felt.balance_held and true and lively,
    }
    print(json.dumps(row), flush=True)
    return row


# -- the Kafka ---------------------------------------------------------------------------------------------------------


def _create_topic(stack: Stack, prefix: str) -> None:
    from kafka.admin import KafkaAdminClient, NewTopic

    admin = KafkaAdminClient(bootstrap_servers=stack.addresses.kafka)
    try:
        admin.create_topics([NewTopic(f"{prefix}predictions", PARTITIONS, 1)])
    finally:
        admin.close()


def _arrived(stack: Stack, prefix: str) -> int:
    """How many different events lie in the topic: one that was sent twice after a broken connection is one."""
    from kafka import KafkaConsumer, TopicPartition

    consumer = KafkaConsumer(bootstrap_servers=stack.addresses.kafka, enable_auto_commit=False)
    try:
        partitions = [TopicPartition(f"{prefix}predictions", number) for number in range(PARTITIONS)]
        consumer.assign(partitions)
        consumer.seek_to_beginning(*partitions)
        ends = consumer.end_offsets(partitions)
        ids: set[str] = set()
        while any(consumer.position(partition) < ends[partition] for partition in partitions):
            for records in consumer.poll(500).values():
                ids.update(event["prediction_id"] for record in records for event in _events(record.value))
        return len(ids)
    finally:
        consumer.close()


def _events(value: bytes) -> list[dict[str, Any]]:
    held = json.loads(value)
    return held if isinstance(held, list) else [held]


def _quiet(line: str) -> None:
    print(line, file=sys.stderr)


# -- the app, in a process of its own ----------------------------------------------------------------------------------


@contextmanager
def _app(servers: str, prefix: str, features: int) -> Iterator[subprocess.Popen[str]]:
    command = [sys.executable, "-m", "benchmarks.emitter", servers, prefix, str(features)]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as app:
        try:
            assert app.stdout is not None
            app.stdout.readline()  # It is warm, and has begun.
            yield app
        finally:
            app.kill()


def _say(app: subprocess.Popen[str], word: str) -> None:
    assert app.stdin is not None
    app.stdin.write(word + "\n")
    app.stdin.flush()


def _stopped(app: subprocess.Popen[str]) -> Felt:
    _say(app, "stop")
    assert app.stdout is not None
    felt = json.loads(app.stdout.readline())
    return Felt(**{**felt, "counts": Counts(**felt["counts"])})


class _App:
    """Serves, and listens to what its parent says: `mark` (the count of the moment is kept), `stop`."""

    def __init__(self, servers: str, prefix: str, features: int) -> None:
        self.emitter = Emitter(servers, topic_prefix=prefix)
        self._rng = random.Random(1)
        self._features = features
        self._took_ns = array("q")
        self._calls = 0
        self._balance_held = True
        self._delivered_at_mark = 0
        self._stopped = False

    def listen(self) -> None:
        for line in sys.stdin:
            if line.strip() == "mark":
                self._delivered_at_mark = self.emitter.counts.delivered
            else:
                break
        self._stopped = True

    def serve(self, calls: int | None = None) -> float:
        """Call at an even pace, `calls` times or until stopped; how many seconds that took.

        Where a call comes late (the machine was busy), the next ones follow at once until the pace is kept again.
        """
        begin = time.perf_counter()
        done = 0
        while done != calls and not self._stopped:
            ahead_s = begin + done / CALLS_PER_S - time.perf_counter()
            if ahead_s > 0:
                time.sleep(ahead_s)
            self._call()
            done += 1
        return time.perf_counter() - begin

    def forget_times(self) -> None:
        del self._took_ns[:]

    def felt(self, seconds: float, counts: Counts) -> Felt:
        took = sorted(self._took_ns)
        self._check(counts)
        return Felt(
            calls=self._calls,
            seconds=seconds,
            p50_us=took[len(took) // 2] / 1_000,
            p99_us=took[len(took) * 99 // 100] / 1_000,
            max_us=took[-1] / 1_000,
            counts=counts,
            delivered_at_mark=self._delivered_at_mark,
            balance_held=self._balance_held,
        )

    def _call(self) -> None:
        number, rng = self._calls, self._rng
        features = {f"feature_{place:02d}": _value(rng, place) for place in range(self._features)}
        prediction_id, model_id = f"request-{number:08d}", f"model-{number % MODELS}"
        share = rng.random()
        before = time.perf_counter_ns()
        self.emitter.emit_prediction(
            prediction_id=prediction_id,
            model_id=model_id,
            model_version="2024-05-01",
            prediction=int(share > 0.5),
            probability=share,
            features=features,
            segment={"country": "nl"},
            latency_ms=share * 20,
        )
        self._took_ns.append(time.perf_counter_ns() - before)
        self._calls = number + 1
        if self._calls % SAMPLE_EVERY == 0:
            self._check(self.emitter.counts)

    def _check(self, counts: Counts) -> None:
        settled = counts.delivered + counts.dropped + counts.failed
        self._balance_held &= counts.offered == self._calls == settled + counts.pending


def _value(rng: random.Random, place: int) -> float | int | str | bool:
    match place % 4:
        case 0 | 1:
            return rng.random() * 1_000
        case 2:
            return rng.randrange(1_000)
        case _:
            return rng.choice(("red", "green", "blue"))


def _serve(servers: str, prefix: str, features: int) -> None:
    from threading import Thread

    app = _App(servers, prefix, features)
    app.serve(WARM_UP_CALLS)
    app.forget_times()
    print("begun", flush=True)
    Thread(target=app.listen, daemon=True).start()
    seconds = app.serve()
    counts = app.emitter.close(CLOSE_S if "down" not in prefix else 0.0)
    print(json.dumps(asdict(app.felt(seconds, counts))), flush=True)


if __name__ == "__main__":
    _serve(sys.argv[1], sys.argv[2], int(sys.argv[3]))
