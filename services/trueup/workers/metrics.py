"""What Prometheus scrapes of a worker: every metric of this project, in one list."""

from __future__ import annotations

from collections.abc import Iterator

from prometheus_client import CollectorRegistry, start_http_server
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from trueup.engine.loop import Loop
from trueup.settings import MetricsSettings


class LoopCollector:
    """Reads the loop's counts when asked, so that counting costs the loop nothing."""

    def __init__(self, loop: Loop) -> None:
        self._loop = loop

    def collect(self) -> Iterator[Metric]:
        """All metrics of one worker, labelled with its name."""
        counts, worker = self._loop.counts, self._loop.setup.worker
        for name, about, value in (
            ("trueup_records", "Records taken.", counts.records),
            ("trueup_saves", "Atomic saves of a partition.", counts.saves),
            ("trueup_save_seconds", "Seconds spent saving.", counts.save_seconds),
            ("trueup_outputs", "Outputs published.", counts.outputs),
            ("trueup_partitions_lost", "Partitions let go since a write was refused or not answered.", counts.lost),
            ("trueup_step_failures", "Times a step raised and its partition was isolated.", counts.isolated),
        ):
            family = CounterMetricFamily(name, about, labels=["worker"])
            family.add_metric([worker], value)
            yield family
        waiting = GaugeMetricFamily(
            "trueup_waiting_records", "Records read and not taken yet.", labels=["worker", "partition"]
        )
        letters = CounterMetricFamily(
            "trueup_dead_letters", "Dead letters by reason.", labels=["worker", "partition", "reason"]
        )
        for partition, lane in list(self._loop.lanes.items()):
            waiting.add_metric([worker, str(partition)], lane.waiting_records)
            for reason, count in lane.dead_letters.items():
                letters.add_metric([worker, str(partition), reason], count)
        yield waiting
        yield letters


def serve_metrics(settings: MetricsSettings, loop: Loop) -> None:
    """Serve `/metrics` on the configured port; nothing on port 0."""
    if settings.port == 0:
        return
    registry = CollectorRegistry()
    registry.register(LoopCollector(loop))
    start_http_server(settings.port, addr=settings.host, registry=registry)
