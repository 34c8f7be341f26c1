"""The faults as data: what is done to whom, in which order. How it is done is in `actions`.

Failpoints are written as the workers read them: the place, what happens there, and the how-manieth time.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Literal

Kind = Literal[
    "kill_workers",
    "pause_worker",
    "kill_kafka",
    "kill_redis",
    "redis_put_back",
    "redis_emptied",
    "redis_disk_full",
    "rolling_restart",
]

#: Not a failpoint: the worker is struck from outside, after a while that the seed decides.
AT_RANDOM = "at random"


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault, or several at the same time. `at`: worker -> where it is struck."""

    kind: Kind
    at: Mapping[str, str] = field(default_factory=dict)


#: Where a worker is killed: between process and save, save and publish, publish and clear, clear and commit, and while
#: it restores. Two of one group are never down at once but in the last round, which takes all three.
KILLS: tuple[Fault, ...] = (
    Fault("kill_workers", {"a": "take.after=kill@20", "alerter": "save.before=kill@2"}),
    Fault("kill_workers", {"b": "save.before=kill@3", "alerter": "save.after=kill@2"}),
    Fault("kill_workers", {"a": "save.after=kill@3", "alerter": "publish.after=kill@2"}),
    Fault("kill_workers", {"b": "publish.after=kill@3", "alerter": "claim.after=kill"}),
    Fault("kill_workers", {"a": "clear.after=kill@3", "alerter": AT_RANDOM}),
    Fault("kill_workers", {"b": "claim.after=kill", "alerter": "take.after=kill@2"}),
    Fault("kill_workers", {"a": AT_RANDOM, "b": AT_RANDOM, "alerter": AT_RANDOM}),
)
#: Past the session timeout, with a save at hand, with one written and not published, and with input taken.
PAUSES: tuple[Fault, ...] = (
    Fault("pause_worker", {"a": "save.before=stop@3"}),
    Fault("pause_worker", {"b": "save.after=stop@3"}),
    Fault("pause_worker", {"a": "take.after=stop@20"}),
)
SERVERS: tuple[Fault, ...] = (
    Fault("kill_kafka"),
    Fault("kill_redis"),
    Fault("redis_put_back", {"a": "redo.after=kill"}),
    Fault("redis_disk_full"),
)
#: Early: all that came before is taken again.
EMPTIED = Fault("redis_emptied")


@dataclass(frozen=True, slots=True)
class Control:
    """A rule that is broken on purpose in every worker, and the faults under which that has to show."""

    name: str
    failpoints: str
    faults: tuple[Fault, ...] = ()


#: Without the comparison a worker that wakes up writes over the one that took over. State and offsets apart: whoever is
#: killed between the two takes the same input twice (the place is reached once before both writes, too: hence two
#: kills, of which one falls between). Random ids are other ones in each life.
CONTROLS: tuple[Control, ...] = (
    Control("no-compare", "control.no-compare=on", (Fault("pause_worker", {"a": "save.before=stop@3"}),)),
    Control(
        "apart",
        "control.apart=on",
        (Fault("kill_workers", {"a": "save.before=kill@6", "b": "save.before=kill@7"}),),
    ),
    Control("random-ids", "control.random-ids=on"),
)


def whole(seed: int) -> list[Fault]:
    """All faults, in an order that the seed decides; but an empty Redis third, and a rolling restart last."""
    faults = [*KILLS, *PAUSES, *SERVERS]
    random.Random(seed).shuffle(faults)
    faults.insert(2, EMPTIED)
    return [*faults, Fault("rolling_restart")]


def short() -> list[Fault]:
    """For a test: a kill at each failpoint, and a Redis put back."""
    return [
        Fault("kill_workers", {"a": "take.after=kill@20", "b": "save.before=kill@5", "alerter": "save.after=kill"}),
        Fault("kill_workers", {"a": "publish.after=kill@5", "b": "clear.after=kill@5", "alerter": "claim.after=kill"}),
        Fault("redis_put_back", {"a": "redo.after=kill"}),
    ]
