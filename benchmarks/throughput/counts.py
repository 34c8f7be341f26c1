"""Whether a contender counted right."""

from __future__ import annotations

from benchmarks.errors import BenchmarkFailed
from benchmarks.throughput.contender import Result


def refuse_wrong_counts(name: str, result: Result, *, joined: int, correct: int) -> None:
    """A figure of who counted wrong is none.

    Raises:
        BenchmarkFailed: not every prediction met its feedback exactly once, or another number of answers is right.
    """
    for what, counted, true in (("joined", result.joined, joined), ("correct", result.correct, correct)):
        if counted != true:
            raise BenchmarkFailed(f"{name} counted {counted:,} {what}, not {true:,}")
