"""What is written."""

from __future__ import annotations

from pathlib import Path

from benchmarks.detection import report
from benchmarks.detection.figures import measure
from benchmarks.detection.plan import FULL, Plan
from benchmarks.table import json_line

#: The tables, beside this package.
INTO = Path(__file__).parent.parent / "detection.md"


def run(plan: Plan = FULL, into: Path = INTO) -> None:
    """Measure, write the tables, print them and one JSON line."""
    figures = measure(plan)
    tables = report.written(figures, plan)
    into.write_text(tables)
    print(tables)
    print(json_line(report.summary(figures)))
