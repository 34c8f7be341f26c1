"""What Prometheus scrapes of a worker: every metric of this project, in one list."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import asdict, dataclass
from typing import Literal

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from trueup.engine.loop import Loop
from trueup.settings import MetricsSettings
from trueup.workers.deliveries import DeliveryCounts


@dataclass(frozen=True, slots=True)
class Definition:
    """One metric. Each carries the label `worker`; `labels` are those besides it."""

    kind: Literal["counter", "gauge"]
    name: str
    about: str
    labels: tuple[str, ...] = ()

    def family(self, worker: str, samples: Iterable[tuple[tuple[str, ...], float]]) -> Metric:
        """The metric as Prometheus wants it: (values of `labels`, value) of each sample."""
        make = CounterMetricFamily if self.kind == "counter" else GaugeMetricFamily
        family = make(self.name, self.about, labels=["worker", *self.labels])
        for values, value in samples:
            family.add_metric([worker, *values], value)
        return family


# The closed list of what `/metrics` holds; a counter ends in `_total` there. No label takes what an event says:
# workers, topics and reasons are closed sets, partitions are as many as configured.

# Its rate is the throughput; none while trueup_waiting_records is not 0: the worker hangs.
RECORDS = Definition("counter", "trueup_records", "Records taken.")
# With trueup_save_seconds: what one save costs.
SAVES = Definition("counter", "trueup_saves", "Atomic saves of a partition.")
SAVE_SECONDS = Definition("counter", "trueup_save_seconds", "Seconds spent saving.")
OUTPUTS = Definition("counter", "trueup_outputs", "Outputs published.")
# Grows by a few in a rebalance; growing on, it says that Redis or Kafka refuses or does not answer.
LOST = Definition("counter", "trueup_partitions_lost", "Partitions let go since a write was refused or not answered.")
# Each is a write of this worker after another had claimed the partition: a pause, a slow rebalance. Nothing was harmed.
REFUSED = Definition("counter", "trueup_writes_refused", "Writes refused since another worker holds the partition.")
# None for long, though ids are let go: Redis keeps what no one will ask for.
SWEPT = Definition("counter", "trueup_entries_swept", "Entries deleted since they are older than what is kept.")
# Each is an event that no step could take, or a fault of ours: a reason to read the log.
STEP_FAILURES = Definition("counter", "trueup_step_failures", "Times a step raised and its partition was isolated.")
# Against kafka_topic_partition_current_offset of Kafka's exporters: the lag. It runs ahead of the saved state by what
# was taken since the last save. None for a partition: this worker does not hold it.
NEXT_OFFSET = Definition(
    "gauge", "trueup_next_offset", "The offset after the last record taken of a topic.", ("topic", "partition")
)
WAITING_RECORDS = Definition("gauge", "trueup_waiting_records", "Records read and not taken yet.", ("partition",))
# A reason to page from a minute on: nothing of this partition is saved, or nothing of it goes out.
BEHIND = Definition(
    "gauge", "trueup_behind_seconds", "How long work has waited to be saved and published.", ("partition",)
)
# Of the notifier: `delivered`, `failed` (and tried again), `given_up`.
DELIVERIES = Definition("counter", "trueup_deliveries", "Tries to deliver an alert, by result.", ("result",))
# Since the partition began, restarts included.
DEAD_LETTERS = Definition("counter", "trueup_dead_letters", "Dead letters by reason.", ("partition", "reason"))

METRICS = (
    RECORDS,
    SAVES,
    SAVE_SECONDS,
    OUTPUTS,
    LOST,
    REFUSED,
    SWEPT,
    STEP_FAILURES,
    NEXT_OFFSET,
    WAITING_RECORDS,
    BEHIND,
    DELIVERIES,
    DEAD_LETTERS,
)


class LoopCollector:
    """Reads the loop's counts when asked, so that counting costs the loop nothing.

    Asked by the server's thread while the loop runs: each mapping is copied in one step before it is gone through.
    """

    def __init__(self, loop: Loop, deliveries: DeliveryCounts) -> None:
        self._loop = loop
        self._deliveries = deliveries

    def collect(self) -> Iterator[Metric]:
        """All metrics of one worker, labelled with its name."""
        counts, worker = self._loop.counts, self._loop.setup.worker
        for definition, value in (
            (RECORDS, counts.records),
            (SAVES, counts.saves),
            (SAVE_SECONDS, counts.save_seconds),
            (OUTPUTS, counts.outputs),
            (LOST, counts.lost),
            (REFUSED, counts.refused),
            (SWEPT, counts.swept),
            (STEP_FAILURES, counts.isolated),
        ):
            yield definition.family(worker, [((), value)])
        lanes = [(str(partition), lane) for partition, lane in dict(self._loop.lanes).items()]
        yield NEXT_OFFSET.family(
            worker,
            [((topic, name), offset) for name, lane in lanes for topic, offset in dict(lane.offsets).items()],
        )
        yield WAITING_RECORDS.family(worker, [((name,), lane.waiting_records) for name, lane in lanes])
        behind = self._loop.behind_seconds().items()
        yield BEHIND.family(worker, [((str(partition),), seconds) for partition, seconds in behind])
        yield DELIVERIES.family(worker, [((name,), count) for name, count in asdict(self._deliveries).items()])
        yield DEAD_LETTERS.family(
            worker,
            [((name, reason), count) for name, lane in lanes for reason, count in dict(lane.dead_letters).items()],
        )


def metrics_registry(loop: Loop, deliveries: DeliveryCounts) -> CollectorRegistry:
    """What `/metrics` of a worker is rendered from."""
    registry = CollectorRegistry()
    registry.register(LoopCollector(loop, deliveries))
    return registry


def serve_metrics(settings: MetricsSettings, loop: Loop, deliveries: DeliveryCounts) -> None:
    """Serve `/metrics` on the configured port; nothing on port 0."""
    if settings.port == 0:
        return
    start_http_server(settings.port, addr=settings.host, registry=metrics_registry(loop, deliveries))
