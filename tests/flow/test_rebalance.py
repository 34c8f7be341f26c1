"""Workers come and go, under load; nothing hangs, and every count is exact.

a  ═════════════════════════ again ═══
b      ═════✗ stop
c      ═════════════════════ again ═══
d              ═════════════ again ═══
e              ═════════════ again ═══
f              ═════════════ again ═══        five, and four partitions
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from flow.installation import Installation, wait
from flow.test_ends import assert_exact, load, saved
from trueup.up import WorkerProcess

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
        goes_on(here)
        assert stopped(workers.pop("b")) == 0
        goes_on(here)
        workers |= {name: here.start("monitor", name=name) for name in "def"}
        goes_on(here)
        for worker in workers.values():
            assert stopped(worker) == 0
            worker.start()
            goes_on(here)
    wait("everything is settled", lambda: here.progress.settled("monitor"))
    assert all(worker.running for worker in workers.values()), (
        "one ended by itself, though it may have had nothing to do"
    )
    assert_exact(here)


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
