"""Named places where a test can end, stop or fail the process, to see that nothing is lost there.

Nothing is set unless the environment says so, and then a place costs one call of a function that does nothing:

    TRUEUP_FAILPOINTS="save.after=kill;claim.after=fail@3"       the third time that `claim.after` is reached

    kill   the process ends, as by kill -9          fail   `Unavailable`, as if Redis or Kafka did not answer
    stop   it stands still until it is continued    on     from then on: for the controls, which break a rule on purpose
"""

from __future__ import annotations

import logging
import os
import signal
from dataclasses import dataclass, field
from typing import Literal, get_args

from trueup.errors import InvalidSettings, Unavailable

log = logging.getLogger(__name__)

VARIABLE = "TRUEUP_FAILPOINTS"
Action = Literal["kill", "stop", "fail", "on"]
ACTIONS: dict[str, Action] = {action: action for action in get_args(Action)}

#: What a place stands between, in the order of the loop.
PLACES = (
    "claim.after",  # state read from Redis, no lane made of it yet
    "redo.after",  # one save taken again from the journal
    "take.after",  # a chunk folded in, nothing saved
    "save.before",  # cut, not written
    "save.after",  # written, not published
    "publish.after",  # published, the outbox not cleared
    "clear.after",  # cleared, Kafka not told
)
#: Rules that a control breaks, so that a test of the rule can be seen to fail.
NO_COMPARE = "control.no-compare"
APART = "control.apart"
RANDOM_IDS = "control.random-ids"
CONTROLS = (NO_COMPARE, APART, RANDOM_IDS)


@dataclass(slots=True)
class _Set:
    """What is to happen, and at which of the times that a place is reached."""

    action: Action
    at: int
    reached: int = 0


@dataclass(slots=True)
class Failpoints:
    """The places that are set. None are, outside tests."""

    _set: dict[str, _Set] = field(default_factory=dict)

    @classmethod
    def parse(cls, text: str) -> Failpoints:
        """What TRUEUP_FAILPOINTS says.

        Raises:
            InvalidSettings: it names no place, or no action.
        """
        found: dict[str, _Set] = {}
        for part in filter(None, text.split(";")):
            name, _, rest = part.partition("=")
            action, _, at = rest.partition("@")
            known = name in PLACES or (name in CONTROLS and action == "on")
            if not known or action not in ACTIONS or not (at or "1").isdigit():
                raise InvalidSettings(
                    f"{VARIABLE} has {part!r}: write name=action@number, with a name of {', '.join(PLACES + CONTROLS)} "
                    f"and an action of {', '.join(ACTIONS)}"
                )
            found[name] = _Set(ACTIONS[action], int(at or 1))
        return cls(found)

    def hit(self, name: str) -> None:
        """This place is reached.

        Raises:
            Unavailable: it is set to fail.
        """
        if not self._set:
            return
        point = self._set.get(name)
        if point is None:
            return
        point.reached += 1
        if point.reached == point.at:
            self._act(name, point.action)

    def on(self, name: str) -> bool:
        """Whether this control is switched on."""
        return name in self._set

    def _act(self, name: str, action: Action) -> None:
        log.warning("failpoint %s: %s", name, action)
        if action == "fail":
            raise Unavailable(f"failpoint {name}")
        if action in ("kill", "stop"):
            os.kill(os.getpid(), signal.SIGKILL if action == "kill" else signal.SIGSTOP)


def from_environment() -> Failpoints:
    """What the environment says: nothing, in production."""
    return Failpoints.parse(os.environ.get(VARIABLE, ""))
