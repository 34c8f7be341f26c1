"""Contender of the house: a real `trueup monitor`, its state saved in Redis, exactly once."""

from __future__ import annotations

import time
from collections.abc import Mapping
from pathlib import Path

import redis
from kafka import TopicPartition
from kafka.admin import KafkaAdminClient

from benchmarks.produce import Filled
from benchmarks.throughput.contender import Result
from benchmarks.worker import Installation, holds_all, measured
from trueup.console.progress import Progress
from trueup.console.status import read_status
from trueup.embedded import Addresses

#: How the worker is set for this job, three ADWINs a model: on errors, on scores and on a feature that is a number. All
#: that is not said here is as it comes.
SETTINGS: Mapping[str, str] = {
    "TRUEUP_MONITOR__DEFAULTS__LOSS_DETECTORS": '["adwin"]',
    "TRUEUP_MONITOR__DEFAULTS__MISTAKE_DETECTORS": "[]",
    "TRUEUP_MONITOR__DEFAULTS__SCORE_DETECTORS": '["adwin"]',
    "TRUEUP_MONITOR__DEFAULTS__WATCH_FEATURES": '["amount"]',
    "TRUEUP_MONITOR__DEFAULTS__MOST_FEATURES": "0",
    "TRUEUP_MONITOR__DEFAULTS__METRICS": "false",
    "TRUEUP_MONITOR__DEFAULTS__ESTIMATES": "false",
    "TRUEUP_MONITOR__DEFAULTS__WATCH_CALLS": "false",
    "TRUEUP_MONITOR__DEFAULTS__PAGES": "false",
}


def consume(
    addresses: Addresses,
    filled: Filled,
    name: str,
    folder: Path,
    *,
    processes: int = 1,
    settings: Mapping[str, str] = SETTINGS,
) -> tuple[Result, float, float]:
    """Let a new worker take all there is: the result, and seconds and CPU seconds of all of it, start and end included.

    The clock starts when the worker has read its first record, in whichever of its processes, and stops when its saved
    state holds the last event.
    """
    where = Installation(addresses, filled.prefix, name, more=settings)
    _forget_journal(where)
    began = time.perf_counter()
    with Progress(where.settings) as progress:
        ends = progress.ends("monitor")
        with measured("monitor", where, folder, processes=processes) as worker:
            worker.wait_for_first_record()
            first = worker.usage()
            worker.wait("it had saved the last event", holds_all(progress, ends))
            last = worker.usage()
        whole = time.perf_counter() - began
        models = read_status(progress)["models"]
    with redis.Redis.from_url(addresses.redis) as client:
        client.flushdb()
    seconds, cpu = first.until(last)
    joined, correct = (sum(model[what] for model in models) for what in ("joined", "correct"))
    return Result(seconds, cpu, joined, correct), whole, last.cpu


def _forget_journal(where: Installation) -> None:
    """Delete what workers before this one noted on the same topics: it would be taken again, and nothing be left."""
    admin = KafkaAdminClient(bootstrap_servers=where.addresses.kafka)
    try:
        admin.delete_records({TopicPartition(f"{where.prefix}journal", at): -1 for at in range(where.partitions)})
    finally:
        admin.close()
