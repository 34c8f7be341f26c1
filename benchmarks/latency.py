"""From a record in its topic to its alert in the topic `alerts`, through a monitor and an alerter, under traffic.

    feedback appended ──> monitor ──> signal ──> alerter ──> alert appended
    └───────────────────────── measured ──────────────────────────────────┘

Both ends are the broker's own timestamps: for this benchmark `feedback` and `alerts` carry the time of appending. What
is waited for are probes (`benchmarks.probes`), one after the other, while a process of its own produces the traffic.
"""

from __future__ import annotations

import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import orjson
import redis
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from benchmarks.errors import BenchmarkFailed
from benchmarks.probes import Probe, fired_on, percentile, settings
from benchmarks.produce import Stream, flush, producer, producing
from benchmarks.reading import ends, read_between
from benchmarks.table import json_line, table
from benchmarks.worker import Installation, MeasuredWorker, holds_all, measured
from trueup.console.progress import Progress
from trueup.embedded import Addresses, Stack
from trueup.settings import CONFIG_VARIABLE
from trueup.up import create_topics
from trueup_schemas import topics
from trueup_schemas.codec import encode

#: Events a second, and events in a record: at the higher rate they come in batches, as one would send them.
RATES = ((2_000.0, 1), (20_000.0, 200))
LEAST_ALERTS = 100
#: Between two feedbacks of a probe, so that the one that fires does not share a request with those after it.
APART_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Plan:
    """How long, and how many probes."""

    probes: int = 120
    #: Between the first feedback of a probe and that of the next.
    spread_seconds: float = 0.5
    settling_seconds: float = 10.0
    #: Alerts that are not there so long after the last feedback do not come.
    patience_seconds: float = 60.0

    @property
    def traffic_seconds(self) -> float:
        """As long as anything is waited for."""
        return self.settling_seconds + self.probes * self.spread_seconds + self.patience_seconds


@dataclass(frozen=True, slots=True)
class Measured:
    """One rate."""

    rate: float
    per_record: int
    #: How much traffic the monitor had before it when the last probe was sent, in seconds of that traffic.
    behind_seconds: float
    seconds: list[float]


def run(plan: Plan | None = None) -> None:
    """Measure both rates, print the table and one JSON line.

    Raises:
        BenchmarkFailed: a worker failed, or too few alerts came.
    """
    plan = plan or Plan()
    with tempfile.TemporaryDirectory() as name, Stack(Path(name), partitions=4) as stack:
        found = [measure(rate, size, plan, stack.addresses, Path(name)) for rate, size in RATES]
    print(shown(found))
    print(json_line(summary(found)))


def measure(rate: float, per_record: int, plan: Plan, addresses: Addresses, folder: Path) -> Measured:
    """One rate, on topics of its own.

    Raises:
        BenchmarkFailed: a worker failed, or too few alerts came.
    """
    name = f"latency-{rate:.0f}"
    start = int(time.time()) - 86_400
    first, *probes = [Probe(f"probe-{number}", start) for number in range(plan.probes + 1)]
    config = folder / f"{name}.toml"
    config.write_text(settings([first, *probes]))
    where = Installation(addresses, f"{name}.", name, more={CONFIG_VARIABLE: str(config)})
    create_topics(where.settings)
    _stamp_when_appended(addresses, where.prefix)
    traffic = Stream(addresses.kafka, where.prefix, 20, rate, plan.traffic_seconds, per_record, seed=3)
    with ExitStack() as leave:
        progress = leave.enter_context(Progress(where.settings))
        monitor = leave.enter_context(measured("monitor", where, folder))
        leave.enter_context(measured("alerter", where, folder))
        _warm_up(where, monitor, progress, first, probes)
        leave.enter_context(producing(traffic))
        _pass(monitor, plan.settling_seconds)
        _send_feedback(where, probes, plan.spread_seconds)
        behind = sum(progress.lag("monitor", progress.saved("monitor", views=False)).values()) * per_record / rate
        _wait_for_alerts(where, monitor, probes, plan.patience_seconds)
    seconds = latencies(where, probes)
    with redis.Redis.from_url(addresses.redis) as client:
        client.flushdb()
    if len(seconds) < min(plan.probes, LEAST_ALERTS):
        raise BenchmarkFailed(f"{len(seconds)} of {plan.probes} alerts came at {rate:,.0f} events/s")
    return Measured(rate, per_record, behind, seconds)


def _warm_up(
    where: Installation, monitor: MeasuredWorker, progress: Progress, first: Probe, probes: Sequence[Probe]
) -> None:
    """All predictions of the probes are taken, and one alert went the whole way."""
    _send_predictions(where, [first, *probes])
    monitor.wait("it had taken the probes", holds_all(progress, progress.ends("monitor")), every=0.2)
    _send_feedback(where, [first], 0.0)
    monitor.wait("the first alert was there", lambda: bool(_opened(where, [first])), every=0.2)


def _wait_for_alerts(where: Installation, monitor: MeasuredWorker, probes: Sequence[Probe], patience: float) -> None:
    until = time.monotonic() + patience
    monitor.wait(
        "the alerts were there",
        lambda: len(_opened(where, probes)) == len(probes) or time.monotonic() > until,
        every=1.0,
    )


def _stamp_when_appended(addresses: Addresses, prefix: str) -> None:
    """Let the broker say when a record came into the topic, not its producer when it was made."""
    admin = KafkaAdminClient(bootstrap_servers=addresses.kafka)
    changes = {"message.timestamp.type": "LogAppendTime"}
    names = [f"{prefix}{topic.name}" for topic in (topics.FEEDBACK, topics.ALERTS)]
    admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, name, changes) for name in names])
    admin.close()


def _send_predictions(where: Installation, probes: Sequence[Probe]) -> None:
    out = producer(where.addresses.kafka)
    for probe in probes:
        for event in probe.predictions():
            out.produce(
                where.prefix + topics.PREDICTIONS.name, encode(topics.PREDICTIONS, event), probe.model_id.encode()
            )
    flush(out)


def _send_feedback(where: Installation, probes: Sequence[Probe], spread_seconds: float) -> None:
    """Each probe's feedback at its time."""
    schedule = sorted(
        (at * spread_seconds + number * APART_SECONDS, probe.model_id.encode(), encode(topics.FEEDBACK, event))
        for at, probe in enumerate(probes)
        for number, event in enumerate(probe.feedback())
    )
    out, began = producer(where.addresses.kafka, linger_ms=0), time.monotonic()
    for due, key, value in schedule:
        ahead = due - (time.monotonic() - began)
        if ahead > 0:
            time.sleep(ahead)
        out.produce(where.prefix + topics.FEEDBACK.name, value, key)
        out.poll(0)
    flush(out)


def _pass(worker: MeasuredWorker, seconds: float) -> None:
    until = time.monotonic() + seconds
    worker.wait(f"{seconds:.0f} s were over", lambda: time.monotonic() >= until)


def latencies(where: Installation, probes: Sequence[Probe]) -> list[float]:
    """Seconds from the feedback that made the detector fire to the first record of its alert, of each probe's alert."""
    told = {
        (event["model_id"], int(event["observed_at"])): at for event, at in _read(where, "feedback", holding=b'"probe-')
    }
    return [at - told[place] for place, at in _opened(where, probes).items()]


def _opened(where: Installation, probes: Sequence[Probe]) -> dict[tuple[str, int], float]:
    """Model and label time of the feedback on which its alert was opened, and when that came into the topic."""
    wanted = {probe.model_id for probe in probes}
    return {
        fired_on(alert): at
        for alert, at in _read(where, "alerts")
        if alert["model_id"] in wanted and alert["kind"] == "performance_drop" and alert["revision"] == 1
    }


def _read(where: Installation, topic: str, *, holding: bytes = b"") -> list[tuple[dict[str, Any], float]]:
    """Each single event of a topic whose bytes hold this, and its record's timestamp."""
    bootstrap, name = where.addresses.kafka, where.prefix + topic
    began = dict.fromkeys(range(where.partitions), 0)
    records = read_between(bootstrap, name, began, ends(bootstrap, name, where.partitions))
    return [(orjson.loads(record.value), record.at) for record in records if holding in record.value]


def shown(found: Sequence[Measured]) -> str:
    """The table."""
    head = ("events/s", "a record", "alerts", "p50 ms", "p99 ms", "longest ms", "behind s")
    rows = [
        (
            f"{each.rate:,.0f}",
            str(each.per_record),
            str(len(each.seconds)),
            *(f"{percentile(each.seconds, percent) * 1000:,.0f}" for percent in (50, 99, 100)),
            f"{each.behind_seconds:.2f}",
        )
        for each in found
    ]
    return table(head, rows)


def summary(found: Sequence[Measured]) -> Mapping[str, Any]:
    """The figures by name."""
    rates = [
        {
            "events_per_second": each.rate,
            "events_per_record": each.per_record,
            "alerts": len(each.seconds),
            "p50_seconds": percentile(each.seconds, 50),
            "p99_seconds": percentile(each.seconds, 99),
            "longest_seconds": max(each.seconds),
            "behind_seconds": each.behind_seconds,
        }
        for each in found
    ]
    return {
        "benchmark": "latency",
        **{f"p99_seconds_at_{each.rate:.0f}": percentile(each.seconds, 99) for each in found},
        "rates": rates,
    }
