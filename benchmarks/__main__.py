"""`python -m benchmarks [NAME]`: run one benchmark, or all; each ends in one JSON line."""

from __future__ import annotations

import sys
from collections.abc import Callable, Mapping

from benchmarks import emitter, estimate, latency, pending, step, storms
from benchmarks.detection import run as detection
from benchmarks.errors import BenchmarkFailed
from benchmarks.faults import run as faults
from benchmarks.throughput import run as throughput

#: Name -> what runs it. To add one: a file, and a line here.
BENCHMARKS: Mapping[str, Callable[[], None]] = {
    "step": step.run,
    "detection": detection.run,
    "throughput": throughput.run,
    "latency": latency.run,
    "estimate": estimate.run,
    "storms": storms.run,
    "pending": pending.run,
    "emitter": emitter.run,
    "faults": faults.run,
    "faults-controls": faults.run_controls,
}


def main(name: str) -> int:
    """Run the benchmark of this name, or `all`; 1 where one fails, 2 where there is none."""
    if name != "all" and name not in BENCHMARKS:
        print(f"there is no benchmark {name!r}; there are: {', '.join(BENCHMARKS)}", file=sys.stderr)
        return 2
    for known, run in BENCHMARKS.items():
        if name in ("all", known):
            try:
                run()
            except BenchmarkFailed as error:
                print(f"{known}: {error}", file=sys.stderr)
                return 1
    return 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1] if len(sys.argv) > 1 else "all"))
