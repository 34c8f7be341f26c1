"""Ten million predictions that wait for their truth, in one worker: what they take, and whether truths still find them.

    10,000,000 predictions ──> worker ──> Redis           memory of the worker and of Redis, sampled all the while
       100,000 of them      <── feedback                  all joined? how many a second?

The feedback is for predictions drawn from all of them, so that nearly all have to be read back from Redis.
"""

from __future__ import annotations

import json
import os
import random
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import redis

from benchmarks.errors import BenchmarkFailed
from benchmarks.produce import flush, producer
from benchmarks.reading import ends
from benchmarks.worker import Installation, MeasuredWorker, holds_all, measured
from trueup.console.progress import Progress
from trueup.embedded import Stack
from trueup.up import create_topics
from trueup_schemas import topics
from trueup_schemas.codec import encode_batch

#: Another number, for a look: TRUEUP_BENCH_PENDING=200000.
PREDICTIONS = int(os.environ.get("TRUEUP_BENCH_PENDING", "10000000"))
FEEDBACK = min(100_000, PREDICTIONS // 10)
MODELS, PER_RECORD, PARTITIONS = 20, 200, 4
#: Event times, of one day each 1,000,000 predictions.
START, SECONDS_APART = 1_735_689_600.0, 0.0864
GIBIBYTE = 1024**3


def run() -> None:
    """Measure, and print one JSON line."""
    with tempfile.TemporaryDirectory(prefix="trueup-bench-") as name:
        folder = Path(name)
        with Stack(folder, partitions=PARTITIONS) as stack:
            print(json.dumps(_measured(stack, folder)))


def _measured(stack: Stack, folder: Path) -> dict[str, Any]:
    where = Installation(stack.addresses, "pending.", "pending", PARTITIONS)
    create_topics(where.settings)
    client = redis.Redis.from_url(stack.addresses.redis)
    empty = _used(client)
    began = time.perf_counter()
    _produce_predictions(stack.addresses.kafka, where.prefix)
    print(f"{PREDICTIONS:,} predictions written in {time.perf_counter() - began:.0f} s")
    with Progress(where.settings) as progress, measured("monitor", where, folder) as worker:
        worker.wait_for_first_record()
        with _most_memory(worker) as most:
            taken = _until_held(worker, progress, where, topics.PREDICTIONS.name)
            waiting = _used(client) - empty
            print(f"taken and saved in {taken:.0f} s; worker {most[0] / 2**20:.0f} MiB at most")
            _produce_feedback(stack.addresses.kafka, where.prefix)
            joining = _until_held(worker, progress, where, topics.FEEDBACK.name)
        views = [view for part in progress.saved("monitor").values() for view in part.views.values()]
    joined, pending = (sum(view[what] for view in views if "model_id" in view) for what in ("joined", "pending"))
    if (joined, pending) != (FEEDBACK, PREDICTIONS - FEEDBACK):
        raise BenchmarkFailed(f"{joined} joined and {pending} pending, not {FEEDBACK} and {PREDICTIONS - FEEDBACK}")
    return {
        "benchmark": "pending",
        "predictions": PREDICTIONS,
        "joined": joined,
        "pending": pending,
        "worker_mib": round(most[0] / 2**20),
        "under_one_gib": most[0] < GIBIBYTE,
        "redis_bytes_per_pending": round(waiting / PREDICTIONS, 1),
        "predictions_per_second": round(PREDICTIONS / taken),
        "joins_per_second": round(FEEDBACK / joining),
    }


def _until_held(worker: MeasuredWorker, progress: Progress, where: Installation, topic: str) -> float:
    """Seconds until all of a topic is in the saved state."""
    began = time.perf_counter()
    end = {topic: ends(where.addresses.kafka, where.prefix + topic, PARTITIONS)}
    worker.wait(f"{topic} was in the saved state", holds_all(progress, end), every=0.2)
    return time.perf_counter() - began


@contextmanager
def _most_memory(worker: MeasuredWorker) -> Iterator[list[int]]:
    """The largest resident set of the worker, looked at five times a second; valid at any moment."""
    process, most, over = psutil.Process(worker.pid), [0], threading.Event()

    def look() -> None:
        while not over.wait(0.2):
            most[0] = max(most[0], process.memory_info().rss)

    watching = threading.Thread(target=look, daemon=True)
    watching.start()
    try:
        yield most
    finally:
        over.set()
        watching.join()


def _used(client: redis.Redis) -> int:
    found: Any = client.info("memory")
    return int(found["used_memory"])


def _model(number: int) -> str:
    return f"model-{number // PER_RECORD % MODELS}"


def _id(number: int) -> str:
    """As long as a UUID without its dashes."""
    return f"{number:032x}"


def _produce_predictions(bootstrap: str, prefix: str) -> None:
    out = producer(bootstrap)
    for first in range(0, PREDICTIONS, PER_RECORD):
        model = _model(first)
        batch = [
            {
                "prediction_id": _id(number),
                "model_id": model,
                "model_version": "2025-01-01",
                "prediction": number % 2,
                "probability": number % 997 / 997,
                "predicted_at": START + number * SECONDS_APART,
            }
            for number in range(first, first + PER_RECORD)
        ]
        _send(out, prefix + topics.PREDICTIONS.name, model, encode_batch(topics.PREDICTIONS, batch))
    flush(out)


def _produce_feedback(bootstrap: str, prefix: str) -> None:
    out = producer(bootstrap)
    by_model: dict[str, list[dict[str, Any]]] = {}
    for number in sorted(random.Random(1).sample(range(PREDICTIONS), FEEDBACK)):
        by_model.setdefault(_model(number), []).append(
            {
                "prediction_id": _id(number),
                "model_id": _model(number),
                "actual": number % 2,
                "observed_at": START + PREDICTIONS * SECONDS_APART,
            }
        )
    for model, events in by_model.items():
        for first in range(0, len(events), PER_RECORD):
            batch = events[first : first + PER_RECORD]
            _send(out, prefix + topics.FEEDBACK.name, model, encode_batch(topics.FEEDBACK, batch))
    flush(out)


def _send(out: Any, topic: str, model: str, value: bytes) -> None:
    while True:
        try:
            out.produce(topic, value, model.encode())
            out.poll(0)
            return
        except BufferError:
            out.poll(0.1)
