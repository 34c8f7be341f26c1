"""The faults of `make bench BENCH=faults` that fit a test: a kill at every failpoint, and a Redis put back in time."""

from __future__ import annotations

from pathlib import Path

import pytest

from benchmarks.faults import schedule
from benchmarks.faults.run import insist, under_faults
from trueup.embedded import Stack
from trueup.engine.failpoints import PLACES

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]


def test_counts_and_bytes_are_exact_though_workers_are_killed_at_every_step_and_redis_goes_back_in_time(
    stack: Stack, tmp_path: Path
) -> None:
    ran = under_faults(stack, tmp_path / "faults", "faults", schedule.short())
    insist(ran)
    assert ran.scene.done == {"kill": len(PLACES), "redis_put_back": 1}


@pytest.mark.parametrize("faults", [schedule.whole(seed=1), schedule.short()], ids=["whole", "short"])
def test_every_failpoint_is_in_the_schedule(faults: list[schedule.Fault]) -> None:
    struck = {at.partition("=")[0] for fault in faults for at in fault.at.values()}
    assert struck - {schedule.AT_RANDOM} == set(PLACES)
