"""A monitor of two processes: they share the partitions, one is killed and comes back, and every count is exact.

                 ┌─ [0]  ══════════✗ kill -9   ═ again ════════════┐
trueup monitor ──┤                                                 ├── SIGTERM: 0       again, SIGINT: 0
                 └─ [1]  ═════════════ takes all ══ shares ════════┘
"""

from __future__ import annotations

import re
import signal
from collections.abc import Callable
from urllib.request import urlopen

import pytest
from prometheus_client.parser import text_string_to_metric_families

from benchmarks.faults.installation import Installation, wait
from benchmarks.worker import free_row, processes_of
from flow.test_ends import assert_exact, load, saved

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]


def test_two_processes_share_the_partitions_one_is_killed_and_every_count_is_exact(
    install: Callable[[str, str], Installation],
) -> None:
    here = install("processes", "[engine]\nprocesses = 2\nstuck_seconds = 30\n")
    port = free_row(2)
    monitor = here.start("monitor", TRUEUP_METRICS__PORT=str(port))
    with load(here):
        wait("both hold two partitions", lambda: shared_out(port))
        wait("a share is saved", lambda: saved(here) > 500)
        supervisor, *workers = processes_of("monitor")
        assert len(workers) == 2
        workers[0].kill()
        before = saved(here)
        wait("the other one goes on", lambda: saved(here) > before + 500)
        wait("it comes back", lambda: len(processes_of("monitor")) == 3)
        wait("both hold two partitions again", lambda: shared_out(port))
        assert processes_of("monitor")[0] == supervisor
        before = saved(here)
        wait("both go on", lambda: saved(here) > before + 500)
    wait("everything is settled", lambda: here.progress.settled("monitor"))
    assert_exact(here)
    assert "monitor was killed (SIGKILL); it is started again in 0.5 s ([" in monitor.log.read_text()
    monitor.stop()
    assert processes_of("monitor") == []
    assert monitor.exit_code == 0, monitor.tail
    said = monitor.log.read_text()
    for number in (0, 1):
        assert re.search(rf"^\[{number}\] .* let go of all partitions$", said, flags=re.MULTILINE), said
    assert "not done with stopping" not in said

    monitor.start()
    wait("both hold two partitions", lambda: shared_out(port))
    processes_of("monitor")[0].send_signal(signal.SIGINT)
    wait("it ends", lambda: not monitor.running)
    assert processes_of("monitor") == []
    assert monitor.exit_code == 0, monitor.tail


def shared_out(port: int) -> bool:
    """Two partitions for each, every partition once."""
    first, second = held(port), held(port + 1)
    return len(first) == len(second) == 2 and first | second == {"0", "1", "2", "3"}


def held(port: int) -> set[str]:
    """The partitions that a process holds, as it says."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            families = list(text_string_to_metric_families(page.read().decode()))
    except OSError:
        return set()
    return {
        sample.labels["partition"]
        for family in families
        for sample in family.samples
        if sample.name == "trueup_waiting_records"
    }
