"""Workers come and go, under load; nothing hangs, and every count is exact.

a  ═════════════════════════ again ═══
b      ═════✗ stop
c      ═════════════════════ again ═══
d              ═════════════ again ═══
e              ═════════════ again ═══
f              ═════════════ again ═══        five, and four partitions
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

import pytest

from benchmarks.faults.installation import Installation, wait
from flow.test_ends import assert_exact, load, saved
from trueup.worker_process import WorkerProcess

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

CONFIG = """
[engine]
stuck_seconds = 30
"""


def test_workers_come_and_go_under_load_and_every_count_is_exact(install: Callable[[str, str], Installation]) -> None:
    here = install("rebalance", CONFIG)
    workers = {"a": here.start("monitor", name="a")}
    with load(here):
        wait("the first one saves", lambda: saved(here) > 200)
        workers |= {name: here.start("monitor", name=name) for name in "bc"}
        shared_out(workers)
        goes_on(here)
        assert stopped(workers.pop("b")) == 0
        shared_out(workers)
        goes_on(here)
        workers |= {name: here.start("monitor", name=name) for name in "def"}
        shared_out(workers)
        goes_on(here)
        for worker in workers.values():
            assert stopped(worker) == 0
            worker.start()
        shared_out(workers)
        goes_on(here)
    wait("everything is settled", lambda: here.progress.settled("monitor"))
    assert [worker.tail for worker in workers.values() if not worker.running] == []
    assert_exact(here)


def shared_out(workers: Mapping[str, WorkerProcess]) -> None:
    """Every partition is held once, and no worker has more than its share."""

    def share() -> bool:
        held = [holds(worker) for worker in workers.values()]
        most = -(-4 // len(workers))
        return sorted(part for parts in held for part in parts) == [0, 1, 2, 3] and all(len(p) <= most for p in held)

    wait(f"the partitions are shared out between {', '.join(workers)}", share)


def holds(worker: WorkerProcess) -> list[int]:
    """The partitions, as it said last since its start."""
    said = [line for line in worker.tail.splitlines() if "holds " in line]
    return [int(digit) for digit in said[-1].partition("holds ")[2] if digit.isdigit()] if said else []


def goes_on(here: Installation) -> None:
    """All partitions, wherever they are now."""
    before = here.progress.saved("monitor", views=False)

    def further() -> bool:
        now = here.progress.saved("monitor", views=False)
        return all(
            sum(part.offsets.values()) > sum(before[partition].offsets.values()) for partition, part in now.items()
        )

    wait("every partition goes on", further)


def stopped(worker: WorkerProcess) -> int | None:
    worker.stop()
    return worker.exit_code
