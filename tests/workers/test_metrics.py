"""What Prometheus scrapes of a worker."""

from __future__ import annotations

import re
from pathlib import Path

import yaml
from prometheus_client import generate_latest

from trueup.workers.deliveries import DeliveryCounts
from trueup.workers.metrics import METRICS, metrics_registry
from workers.loops import busy_loop

RULES = Path(__file__).parents[2] / "deploy" / "rules.yml"


def test_what_is_rendered_is_the_closed_list() -> None:
    families = list(metrics_registry(busy_loop(), DeliveryCounts()).collect())
    assert [(family.name, family.type) for family in families] == [(each.name, each.kind) for each in METRICS]
    labels = {
        sample.name.removesuffix("_total"): tuple(sample.labels) for family in families for sample in family.samples
    }
    assert labels == {each.name: ("worker", *each.labels) for each in METRICS}


def test_the_next_offset_of_each_topic_and_partition_tells_the_lag() -> None:
    """Three records were taken, from offset 7 on; what waits is not taken."""
    lines = generate_latest(metrics_registry(busy_loop(), DeliveryCounts())).decode().splitlines()
    offsets = [line for line in lines if line.startswith("trueup_next_offset{")]
    assert offsets == ['trueup_next_offset{partition="0",topic="predictions",worker="counter"} 10.0']


def test_counts_are_those_of_the_loop() -> None:
    loop = busy_loop()
    registry = metrics_registry(loop, DeliveryCounts())
    assert registry.get_sample_value("trueup_records_total", {"worker": "counter"}) == loop.counts.records == 3
    assert registry.get_sample_value("trueup_waiting_records", {"worker": "counter", "partition": "0"}) == 1
    letters = {"worker": "counter", "partition": "0", "reason": "not_json"}
    assert registry.get_sample_value("trueup_dead_letters_total", letters) == 1


def test_the_rules_of_prometheus_speak_of_metrics_that_there_are() -> None:
    (group,) = yaml.safe_load(RULES.read_text())["groups"]
    spoken_of = {name for rule in group["rules"] for name in re.findall(r"trueup_\w+", rule["expr"])}

    assert spoken_of <= {each.name + ("_total" if each.kind == "counter" else "") for each in METRICS}
    assert len(spoken_of) == 5
