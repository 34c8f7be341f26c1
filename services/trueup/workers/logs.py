"""What a worker writes to stderr: what it does, and what goes wrong; not how Faust is built inside."""

from __future__ import annotations

import logging
import sys
import time
from collections.abc import Callable

#: The same words again are left out for so long.
REPEAT_SECONDS = 30.0
_MOST_REMEMBERED = 1_000

#: Logger -> beginnings of what it says about nothing that anybody has to mend: a group that is being made or forms
#: anew, and errors that end the worker, which says so itself in its last line.
_HARMLESS = {
    "aiokafka": (
        "Group Coordinator Request failed: [Error 15]",
        "Error sending JoinGroupRequest",
        "Heartbeat failed for group",
        "OffsetCommit failed for group",
        "Topic %s is not available during auto-create initialization",
    ),
    "mode": ("Crashed reason=",),
    "faust": ("Crashed reason=", "We experienced a crash!"),
    "trueup": ("Crashed reason=", "Drain messages raised: ", "Missing sensor state for rebalance"),
}
#: How Faust begins what one of its services says: `[^--ChunkConsumer]: `.
_A_SERVICE_OF_FAUST = "[^"


def set_up(level: str = "INFO") -> None:
    """Ours from `level` on, of everybody else what is a warning."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(logging.Formatter("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    handler.addFilter(not_harmless)
    handler.addFilter(Repeats())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("trueup").setLevel(level)


def not_harmless(record: logging.LogRecord) -> bool:
    """Whether it may be of use to whoever reads the log."""
    text = record.getMessage()
    if record.levelno < logging.WARNING and text.startswith(_A_SERVICE_OF_FAUST):
        return False
    # A consumer of ours is a service of Faust, and logs under our name: the service is named first.
    said = text.partition("]: ")[2] if text.startswith(_A_SERVICE_OF_FAUST) else text
    return not said.startswith(_HARMLESS.get(record.name.partition(".")[0], ()))


class Repeats:
    """Lets the same line through once in `REPEAT_SECONDS`, with how often it came meanwhile."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._seen: dict[str, tuple[float, int]] = {}

    def __call__(self, record: logging.LogRecord) -> bool:
        """Whether to show it."""
        if record.levelno < logging.WARNING:
            return True
        text, now = record.getMessage(), self._clock()
        shown_at, hidden = self._seen.get(text, (now - REPEAT_SECONDS, 0))
        if now - shown_at < REPEAT_SECONDS:
            self._seen[text] = (shown_at, hidden + 1)
            return False
        if len(self._seen) >= _MOST_REMEMBERED:
            self._seen.clear()
        self._seen[text] = (now, 0)
        if hidden:
            record.msg, record.args = "%s (and %d times since)", (text, hidden)
        return True
