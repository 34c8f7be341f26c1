"""The run: load, faults one after the other, quiet, comparisons, one JSON line. And the controls that must fail."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.faults import actions, schedule
from benchmarks.faults.compare import Verdict, compare
from benchmarks.faults.fleet import NotInTime
from benchmarks.faults.scene import Scene, under_load
from benchmarks.faults.schedule import Control, Fault
from trueup.embedded import Stack

SEED = 20_260_101
#: Fewer than these, and the run proves nothing.
LEAST_ALERTS, LEAST_TRIGGERS = 5, 1
#: Of the disk that Redis gets for itself where this machine lets us mount one.
REDIS_DISK_BYTES = 1 << 30
QUIET_SECONDS = 120.0
#: A control runs for so long after its fault, and has so long to come to rest.
CONTROL_SECONDS, CONTROL_QUIET_SECONDS = 5.0, 25.0


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
    with stack_in_a_folder(own_disk=True) as (stack, folder):
        ran = under_faults(stack, folder / "main", "faults", schedule.whole(SEED))
        print(json.dumps({"benchmark": "faults", "exact": ran.verdict.exact, **told(ran)}), flush=True)
        insist(ran)


def run_controls() -> None:
    """Runs in which a rule is broken on purpose; print one JSON line for each, which has to say that it is not exact.

    Raises:
        NotExact: nothing was noticed in one of them.
    """
    with stack_in_a_folder(own_disk=False) as (stack, folder):
        _controls(stack, folder)


def under_faults(stack: Stack, folder: Path, name: str, faults: Sequence[Fault], *, seed: int = SEED) -> Ran:
    """A new installation under load and these faults, compared once it is quiet.

    Raises:
        NotInTime: a fault did not show, or was not over in time.
    """
    started = time.monotonic()
    with under_load(stack, folder, name, seed=seed) as scene:
        for fault in faults:
            _tell(started, fault, actions.make(scene, fault))
        scene.end_load()
        _become_quiet(scene, QUIET_SECONDS)
        return _ran(scene, started)


def _controls(stack: Stack, folder: Path) -> None:
    exact = []
    for control in schedule.CONTROLS:
        ran, quiet = _control(stack, folder / control.name, control)
        row = {"benchmark": "faults", "control": control.name, "exact": ran.verdict.exact, "quiet": quiet, **told(ran)}
        print(json.dumps(row), flush=True)
        if ran.verdict.exact:
            exact.append(control.name)
    if exact:
        raise NotExact(f"a rule was broken on purpose, and nothing was noticed: {', '.join(exact)}")


def _control(stack: Stack, folder: Path, control: Control) -> tuple[Ran, bool]:
    """One run with a rule switched off. That it does not come to rest is one of the things to be seen."""
    started, quiet = time.monotonic(), True
    with under_load(stack, folder, control.name, seed=SEED, failpoints=control.failpoints) as scene:
        try:
            for fault in control.faults:
                _tell(started, fault, actions.make(scene, fault))
            scene.pass_time(CONTROL_SECONDS)
            scene.end_load()
            _become_quiet(scene, CONTROL_QUIET_SECONDS)
        except NotInTime as error:
            say(f"{time.monotonic() - started:6.1f} s  {control.name}: {error}")
            scene.end_load()
            quiet = False
        return _ran(scene, started), quiet


def _become_quiet(scene: Scene, seconds: float) -> None:
    progress = scene.fleet.here.progress
    scene.fleet.until(
        "all is taken, saved and published", lambda: progress.settled("monitor", "alerter"), seconds=seconds
    )


def _ran(scene: Scene, started: float) -> Ran:
    verdict = compare(scene.fleet.here)
    for item in verdict.failed:
        say(f"NOT EXACT  {item.name}: {item.apart} of {item.compared}: {item.first}")
    return Ran(scene, verdict, time.monotonic() - started)


def _tell(started: float, fault: Fault, seen: str) -> None:
    at = ", ".join(f"{who}: {where}" for who, where in fault.at.items())
    say(f"{time.monotonic() - started:6.1f} s  {fault.kind}{f' ({at})' if at else ''}: {seen}")


def told(ran: Ran) -> dict[str, Any]:
    """What the JSON line says besides whether it was exact."""
    scene, verdict = ran.scene, ran.verdict
    return {
        "failed": [comparison.name for comparison in verdict.failed],
        "seconds": round(ran.seconds),
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
def stack_in_a_folder(*, own_disk: bool) -> Iterator[tuple[Stack, Path]]:
    """Kafka and Redis in a folder that is gone afterwards, and stays, named, where something went wrong.

    Args:
        own_disk: Redis gets a small disk of its own, in memory, where mounting one is allowed.
    """
    folder = Path(tempfile.mkdtemp(prefix="trueup-faults-"))
    disk = folder / "stack" / "redis"
    disk.mkdir(parents=True)
    mounted = own_disk and _mount(disk)
    try:
        with Stack(folder / "stack", partitions=4, say=say) as stack:
            yield stack, folder
    except BaseException:
        say(f"the logs are in {folder}")
        raise
    else:
        _unmount(disk, mounted=mounted)
        mounted = False
        shutil.rmtree(folder)
    finally:
        _unmount(disk, mounted=mounted)


def _unmount(disk: Path, *, mounted: bool) -> None:
    if mounted:
        subprocess.run(["umount", disk], check=True, timeout=30)


def _mount(disk: Path) -> bool:
    if os.geteuid() != 0 or shutil.which("mount") is None:
        return False
    options = ["mount", "-t", "tmpfs", "-o", f"size={REDIS_DISK_BYTES}", "tmpfs", str(disk)]
    return subprocess.run(options, capture_output=True, check=False, timeout=30).returncode == 0
