"""How each fault is made, and what has to be seen before it counts as done.

Each action takes the scene and the fault, returns when the workers have recovered, and says what was seen.
"""

from __future__ import annotations

import os
import shutil
import time
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path

import redis

from benchmarks.faults.fleet import NotInTime
from benchmarks.faults.scene import Scene
from benchmarks.faults.schedule import AT_RANDOM, Fault, Kind

#: How old the copy is, at least, that Redis is put back to.
COPY_SECONDS = 4.0
#: How long Kafka or Redis is away, and how long writes fail.
AWAY_SECONDS = 2.0
_BLOCK = bytes(65_536)


def make(scene: Scene, fault: Fault) -> str:
    """Make one fault, wait until it is over, and say what was seen.

    Raises:
        NotInTime: what had to be seen was not.
    """
    return ACTIONS[fault.kind](scene, fault)


def _kill_workers(scene: Scene, fault: Fault) -> str:
    """Each is killed where it says; then all are started again."""
    fleet = scene.fleet
    armed = {name: at for name, at in fault.at.items() if at != AT_RANDOM}
    _strike(scene, armed)
    for name in fault.at.keys() - armed.keys():
        scene.pass_time(scene.rng.uniform(0.0, 1.0))
        fleet[name].kill()
    for name in fault.at:
        fleet[name].start()
    scene.done["kill"] += len(fault.at)
    return f"all caught up {fleet.recover('the kill'):.1f} s after the start"


def _strike(scene: Scene, armed: Mapping[str, str]) -> None:
    """Start these with their failpoints, and wait until each has killed itself."""
    fleet = scene.fleet
    for name, failpoint in armed.items():
        fleet[name].arm(failpoint)
    names = tuple(armed)
    fleet.until(f"{armed} struck", lambda: not any(fleet[name].running for name in names), may_end=names)


def _pause_worker(scene: Scene, fault: Fault) -> str:
    """Stopped until another has taken over and gone on; then it goes on too, and finds its writes refused."""
    fleet = scene.fleet
    ((name, at),) = fault.at.items()
    member = fleet[name]
    if at == AT_RANDOM:
        scene.pass_time(scene.rng.uniform(3.0, 4.0))  # the group has come to rest, and it holds its partitions again
        member.freeze()
    else:
        member.arm(at)
        fleet.until(f"{name} stopped at {at}", lambda: member.frozen)
    before = member.refused
    fleet.until("another took over", fleet.gone_on())
    member.thaw()
    fleet.until(f"a write of {name} was refused", lambda: member.refused > before, seconds=30.0)
    took = fleet.recover("the pause")
    scene.refused.append(member.refused - before)
    scene.done["pause"] += 1
    return f"{scene.refused[-1]} writes refused, all caught up after {took:.1f} s"


def _kill_kafka(scene: Scene, _: Fault) -> str:
    scene.stack.kill_kafka()
    scene.pass_time(AWAY_SECONDS)
    scene.stack.restart_kafka()
    scene.done["kill_kafka"] += 1
    return f"all caught up {scene.fleet.recover('Kafka was killed'):.1f} s after it answered"


def _kill_redis(scene: Scene, _: Fault) -> str:
    before = scene.saves
    scene.stack.kill_redis()
    scene.pass_time(AWAY_SECONDS)
    scene.stack.restart_redis()
    after = scene.saves
    scene.done["kill_redis"] += 1
    return f"{before} saves before, {after} after; all caught up {scene.fleet.recover('Redis was killed'):.1f} s later"


def _redis_put_back(scene: Scene, fault: Fault) -> str:
    """Redis is as it was some seconds ago; workers with a failpoint are struck while they do those seconds again."""
    fleet = scene.fleet
    for name, failpoint in fault.at.items():
        fleet[name].arm(failpoint)
    fleet.recover("the start before Redis is put back")
    folder = _data_of_redis(scene)
    copy = scene.folder / "redis-copy"
    shutil.copytree(folder, copy)
    copied_at, then = time.monotonic(), scene.saves
    scene.pass_time(COPY_SECONDS)
    fleet.recover("the copy")
    before, old = scene.saves, time.monotonic() - copied_at
    scene.stack.kill_redis()
    _empty(folder)
    shutil.copytree(copy, folder, dirs_exist_ok=True)
    shutil.rmtree(copy)
    scene.stack.restart_redis()
    scene.done["redis_put_back"] += 1
    names = tuple(fault.at)
    fleet.until(f"{dict(fault.at)} struck", lambda: not any(fleet[name].running for name in names), may_end=names)
    for name in names:
        fleet[name].start()
        scene.done["kill"] += 1
    took = fleet.recover("Redis was put back")
    return f"{old:.1f} s, from {before} saves back to {then}; all caught up after {took:.1f} s"


def _redis_emptied(scene: Scene, _: Fault) -> str:
    folder, before = _data_of_redis(scene), scene.saves
    scene.stack.kill_redis()
    _empty(folder)
    scene.stack.restart_redis()
    scene.done["redis_emptied"] += 1
    return f"{before} saves gone; all caught up after {scene.fleet.recover('Redis was emptied'):.1f} s"


def _redis_disk_full(scene: Scene, _: Fault) -> str:
    """Redis refuses every write: its disk is full where it has one of its own, else its memory."""
    folder = _data_of_redis(scene)
    kind = "disk" if folder.is_mount() else "memory"
    scene.done[f"redis_{kind}_full"] += 1
    fill, free = (_fill_disk, _free_disk) if kind == "disk" else (_fill_memory, _free_memory)
    fill(scene, folder)
    try:
        scene.fleet.until("Redis refuses writes", lambda: _refuses(scene), seconds=30.0)
        then = scene.saves
        scene.pass_time(AWAY_SECONDS)
        written = scene.saves - then
    finally:
        free(scene, folder)
    if written:
        raise NotInTime(f"{written} saves went through while the {kind} of Redis was full")
    return f"every write refused for {AWAY_SECONDS} s; all caught up {scene.fleet.recover('it was full'):.1f} s later"


def _rolling_restart(scene: Scene, _: Fault) -> str:
    took = []
    for name, member in scene.fleet.members.items():
        member.stop()
        member.start()
        took.append(f"{name} {scene.fleet.recover('a restart'):.1f} s")
    scene.done["rolling_restart"] += 1
    return f"caught up after {', '.join(took)}"


ACTIONS: Mapping[Kind, Callable[[Scene, Fault], str]] = {
    "kill_workers": _kill_workers,
    "pause_worker": _pause_worker,
    "kill_kafka": _kill_kafka,
    "kill_redis": _kill_redis,
    "redis_put_back": _redis_put_back,
    "redis_emptied": _redis_emptied,
    "redis_disk_full": _redis_disk_full,
    "rolling_restart": _rolling_restart,
}


# -- Redis' data ------------------------------------------------------------------------------------------------------


def _data_of_redis(scene: Scene) -> Path:
    with scene.client as client:
        return Path(client.config_get("dir")["dir"])


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir():
            shutil.rmtree(entry)
        else:
            entry.unlink()


def _refuses(scene: Scene) -> bool:
    with scene.client as client:
        try:
            client.set("faults:probe", "1")
        except redis.ResponseError:
            return True
    return False


def _ballast(folder: Path) -> Path:
    return folder / "ballast"


def _fill_disk(scene: Scene, folder: Path) -> None:
    """Leave not a byte on the disk of Redis; nor may a new append-only file, half written, give room again."""
    with scene.client as client:
        client.config_set("auto-aof-rewrite-percentage", 0)
        scene.fleet.until("no append-only file is rewritten", lambda: not client.info()["aof_rewrite_in_progress"])
    ballast = os.open(_ballast(folder), os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    try:
        with suppress(OSError):
            while True:
                os.write(ballast, _BLOCK)
    finally:
        os.close(ballast)


def _free_disk(scene: Scene, folder: Path) -> None:
    _ballast(folder).unlink()
    with scene.client as client:
        client.config_set("auto-aof-rewrite-percentage", 100)
    scene.fleet.until("Redis writes again", lambda: not _refuses(scene), seconds=30.0)


def _fill_memory(scene: Scene, _: Path) -> None:
    with scene.client as client:
        client.config_set("maxmemory", "1mb")


def _free_memory(scene: Scene, _: Path) -> None:
    with scene.client as client:
        client.config_set("maxmemory", "0")
