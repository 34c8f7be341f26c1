"""The run: load, faults one after the other, quiet, comparisons, one JSON line. And the controls that must fail."""

from __future__ import annotations

import json
import os
import random
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults import actions, schedule
from benchmarks.faults.actions import Scene
from benchmarks.faults.compare import Verdict, compare
from benchmarks.faults.fleet import Fleet
from benchmarks.faults.installation import Installation
from benchmarks.faults.load import CONFIG, Load
from benchmarks.faults.schedule import Fault
from trueup.embedded import Stack

SEED = 20_260_101
#: Fewer than these, and the run proves nothing.
LEAST_ALERTS, LEAST_TRIGGERS = 5, 1
#: Of the disk that Redis gets for itself where this machine lets us mount one.
REDIS_DISK_BYTES = 1 << 30
QUIET_SECONDS = 120.0


class NotExact(Exception):
    """Something that may never break did; or a run proved nothing."""


@dataclass(frozen=True, slots=True)
class Ran:
    """One run that came to its end."""

    scene: Scene
    verdict: Verdict
    seconds: float


def run() -> None:
    """All faults in one run; print one JSON line.

    Raises:
        NotExact: it was not exact. The folder with the logs is kept and named.
    """
    with _folder() as folder, _stack(folder, own_disk=True) as stack:
        ran = under_faults(stack, folder, "faults", schedule.whole(SEED))
        row = {"benchmark": "faults", "exact": ran.verdict.exact, "seconds": round(ran.seconds), **told(ran)}
        print(json.dumps(row), flush=True)
        insist(ran)


def under_faults(stack: Stack, folder: Path, name: str, faults: Sequence[Fault], *, seed: int = SEED) -> Ran:
    """A new installation under load and these faults, compared once it is quiet; nothing of it is left running.

    Raises:
        NotInTime: a fault did not show, or was not over in time.
    """
    started = time.monotonic()
    with ExitStack() as leave:
        here = Installation(stack, folder, name, CONFIG)
        leave.callback(here.close)
        fleet = Fleet(here)
        leave.callback(fleet.thaw)
        load = Load(here.bootstrap, here.prefix, seed=seed)
        leave.callback(load.abandon)
        scene = Scene(stack, fleet, folder, random.Random(seed))
        fleet.start()
        load.start()
        fleet.settle_in()
        for fault in faults:
            seen = actions.make(scene, fault)
            at = ", ".join(f"{who}: {where}" for who, where in fault.at.items())
            say(f"{time.monotonic() - started:6.1f} s  {fault.kind}{f' ({at})' if at else ''}: {seen}")
        say(f"{time.monotonic() - started:6.1f} s  the load ends: {load.close()}")
        fleet.until("quiet", lambda: here.progress.settled("monitor", "alerter"), seconds=QUIET_SECONDS)
        verdict = compare(here)
        for comparison in verdict.failed:
            say(f"NOT EXACT  {comparison.name}: {comparison.apart} of {comparison.compared}: {comparison.first}")
        return Ran(scene, verdict, time.monotonic() - started)


def told(ran: Ran) -> dict[str, Any]:
    """What the JSON line says besides whether it was exact."""
    scene, verdict = ran.scene, ran.verdict
    return {
        "failed": [comparison.name for comparison in verdict.failed],
        "events": verdict.events,
        "faults": dict(sorted(scene.done.items())),
        "stale_writes_refused": scene.fleet.refused,
        "stale_writes_refused_after_each_pause": scene.refused,
        "workers_that_ended_by_themselves": scene.fleet.ended_by_themselves,
        "ids": verdict.ids,
        "records_per_id": verdict.records_per_id,
    }


def insist(ran: Ran) -> None:
    """Raise unless everything agrees, about enough to mean something.

    Raises:
        NotExact: saying what is wrong.
    """
    if not ran.verdict.exact:
        raise NotExact("; ".join(f"{item.name}: {item.first}" for item in ran.verdict.failed))
    ids = ran.verdict.ids
    if ids["alerts"] < LEAST_ALERTS or ids["triggers"] < LEAST_TRIGGERS:
        raise NotExact(f"this run proves nothing: {ids['alerts']} alerts, {ids['triggers']} triggers")


def say(line: str) -> None:
    """To people; the JSON lines alone go to standard output."""
    print(line, file=sys.stderr, flush=True)


@contextmanager
def _folder() -> Iterator[Path]:
    """A folder that is gone afterwards, and stays, named, where something went wrong."""
    folder = Path(tempfile.mkdtemp(prefix="trueup-faults-"))
    try:
        yield folder
    except BaseException:
        say(f"the logs are in {folder}")
        raise
    shutil.rmtree(folder)


@contextmanager
def _stack(folder: Path, *, own_disk: bool) -> Iterator[Stack]:
    """Kafka and Redis; Redis on a disk of its own, a small one in memory, where mounting is allowed."""
    disk = folder / "stack" / "redis"
    disk.mkdir(parents=True)
    mounted = own_disk and _mount(disk)
    try:
        with Stack(folder / "stack", partitions=4, say=say) as stack:
            yield stack
    finally:
        if mounted:
            subprocess.run(["umount", disk], check=True, timeout=30)


def _mount(disk: Path) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    options = ["mount", "-t", "tmpfs", "-o", f"size={REDIS_DISK_BYTES}", "tmpfs", str(disk)]
    return subprocess.run(options, capture_output=True, check=False, timeout=30).returncode == 0
