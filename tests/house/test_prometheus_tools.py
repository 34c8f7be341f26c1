"""What Prometheus' own tool says of our configuration and of our metrics. Left out where there is no promtool."""

from __future__ import annotations

import subprocess
from pathlib import Path

from prometheus_client import generate_latest

from trueup.workers.deliveries import DeliveryCounts
from trueup.workers.metrics import metrics_registry
from workers.loops import busy_loop


def promtool(*arguments: str, given: bytes = b"") -> str:
    """Run it; it fails where it finds anything. What it said."""
    done = subprocess.run(["promtool", *arguments], input=given, capture_output=True, timeout=30, check=False)
    said = (done.stdout + done.stderr).decode()
    assert done.returncode == 0, said
    return said


def test_prometheus_takes_our_configuration(root: Path) -> None:
    assert "SUCCESS" in promtool("check", "config", str(root / "deploy/prometheus.yml"))


def test_each_rule_fires_where_it_should_and_only_there(root: Path) -> None:
    assert "SUCCESS" in promtool("test", "rules", str(root / "tests/house/rules_test.yml"))


def test_prometheus_finds_nothing_to_say_about_our_metrics() -> None:
    rendered = generate_latest(metrics_registry(busy_loop(), DeliveryCounts()))
    assert b"trueup_next_offset{" in rendered
    assert promtool("check", "metrics", given=rendered) == ""
