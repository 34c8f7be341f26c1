"""When a worker that died is started again, and what whoever starts it has to load."""

from __future__ import annotations

import subprocess
import sys
import threading
import time
from pathlib import Path

import pytest

from trueup.worker_process import HEALTHY_SECONDS, LONGEST_WAIT_SECONDS, Restarts, WorkerProcess


def test_each_death_soon_after_a_start_makes_the_next_wait_longer_up_to_the_longest() -> None:
    restarts = Restarts()
    assert [restarts.wait(1.0) for _ in range(9)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_death_after_a_healthy_life_is_the_first_one_again() -> None:
    restarts = Restarts(LONGEST_WAIT_SECONDS)
    assert restarts.wait(HEALTHY_SECONDS - 1) == LONGEST_WAIT_SECONDS
    assert restarts.wait(HEALTHY_SECONDS) == 0.5
    assert restarts.wait(1.0) == 1.0


def test_one_that_waits_for_a_person_is_not_started_again_in_a_hurry() -> None:
    restarts = Restarts()
    assert restarts.wait(1.0, to_mend=True) == LONGEST_WAIT_SECONDS


@pytest.mark.parametrize("module", ["trueup.worker_process", "trueup.processes"])
def test_whoever_starts_workers_does_not_load_what_they_are_made_of(module: str) -> None:
    """The step with River and SciPy, and Faust: 130 MB."""
    program = f"import sys, {module}; print(*{{'trueup.monitor.step', 'river', 'scipy', 'faust'}} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, timeout=60, check=True)
    assert done.stdout == "\n"


def test_modules_in_the_folder_are_not_taken_for_those_of_the_worker(tmp_path: Path) -> None:
    (tmp_path / "redis.py").write_text("raise SystemExit('not what is meant')")
    nobody = {"TRUEUP_KAFKA__BOOTSTRAP": "127.0.0.1:9", "TRUEUP_ENGINE__STUCK_SECONDS": "0.1"}
    worker = WorkerProcess("monitor", nobody, tmp_path)
    try:
        worker.start()
        deadline, pause = time.monotonic() + 60, threading.Event()
        while worker.running:
            assert time.monotonic() < deadline
            pause.wait(0.05)
        assert "127.0.0.1:9" in worker.sentence
        assert worker.how_it_ended == f"trueup monitor ends: {worker.sentence}, exit code 1"
    finally:
        worker.close()
