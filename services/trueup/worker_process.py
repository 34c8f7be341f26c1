"""A worker in a process of its own, started again when it ends: not in a hurry, and less so each time.

What `up` and `processes` run. This does not import what a worker is made of: whoever starts workers stays small.
"""

from __future__ import annotations

import logging
import os
import signal
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from trueup.embedded.output import Relay
from trueup.embedded.server import Server
from trueup.workers.ending import MEND

if TYPE_CHECKING:
    from trueup.workers.setups import WorkerName

log = logging.getLogger(__name__)

#: What died is started again after so long, doubled each time up to the longest.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS = 0.5, 30.0
#: One that lived for so long before it died is started again as if it had never died.
HEALTHY_SECONDS = 60.0


@dataclass(slots=True)
class Restarts:
    """How long to wait before a process that died is started again: longer with each death soon after a start."""

    next_seconds: float = FIRST_WAIT_SECONDS

    def wait(self, lived_seconds: float, *, to_mend: bool = False) -> float:
        """It died after so long: the seconds until its next start. `to_mend`: only after somebody did something."""
        if lived_seconds >= HEALTHY_SECONDS:
            self.next_seconds = FIRST_WAIT_SECONDS
        if to_mend:
            self.next_seconds = LONGEST_WAIT_SECONDS
        wait, self.next_seconds = self.next_seconds, min(LONGEST_WAIT_SECONDS, self.next_seconds * 2)
        return wait


class WorkerProcess:
    """One worker in a process of its own, under a watchdog: it does not outlive this process.

    What it writes goes to `log`, a file in `folder`; where there is a `relay`, there and not to the file.
    """

    def __init__(
        self,
        worker: WorkerName,
        environment: dict[str, str],
        folder: Path,
        name: str = "",
        *,
        relay: Relay | None = None,
    ) -> None:
        self.worker = worker
        self.log = folder / f"{name or worker}.log"
        self._environment = environment
        self._folder = folder
        self._place = relay or self.log
        self._nothing = os.open(os.devnull, os.O_RDONLY)
        self._server = Server(name or worker, log=self._place, lock=self._nothing)
        self._restarts = Restarts()
        self._started_at = 0.0
        self._again_at = 0.0

    @property
    def running(self) -> bool:
        """Whether the process lives."""
        return self._server.running

    def start(self) -> None:
        """Start it; returns at once."""
        self._started_at = time.monotonic()
        variables = [f"{name}={value}" for name, value in self._environment.items()]
        command = [sys.executable, "-P", "-m", "trueup", self.worker]  # -P: no module of the folder is in the way.
        self._server.start(["env", *variables, *command], folder=self._folder)

    def supervise(self) -> None:
        """Start it again if it died, but not at once and not in a hurry."""
        if self._server.running:
            return
        now = time.monotonic()
        if self._again_at == 0.0:
            wait = self._restarts.wait(now - self._started_at, to_mend=self.exit_code == MEND)
            self._again_at = now + wait
            log.warning("%s; it is started again in %.1f s (%s)", self.how_it_ended, wait, self._place)
        elif now >= self._again_at:
            self._again_at = 0.0
            self.start()

    @property
    def exit_code(self) -> int | None:
        """How it ended: negative, the signal that killed it; None while it runs."""
        return self._server.exit_code

    @property
    def how_it_ended(self) -> str:
        """The sentence with which it ended, and its exit code."""
        code = self.exit_code
        if code is not None and code < 0:
            return f"{self.worker} was killed ({signal.Signals(-code).name})"
        said = f"trueup {self.worker} ends: {self.sentence}" if self.sentence else f"{self.worker} ended without a word"
        return f"{said}, exit code {code}"

    @property
    def sentence(self) -> str:
        """Why it ended, as it said itself; empty where it said nothing."""
        # Where its settings cannot be read it is not a worker yet.
        for line in reversed(self.tail.splitlines()):
            for beginning in (f"trueup {self.worker} ends: ", "trueup: "):
                if line.startswith(beginning):
                    return line.removeprefix(beginning)
        return ""

    @property
    def tail(self) -> str:
        """The last lines of its log."""
        return self._server.log_tail()

    def kill(self) -> None:
        """Kill it (`kill -9`), and return when it has gone."""
        self._server.kill()

    def ask_to_stop(self) -> None:
        """Let it save and stop; returns at once."""
        self._server.ask_to_stop()

    def stop(self) -> None:
        """Let it save and stop, and return when it has gone."""
        self._server.stop()

    def close(self) -> None:
        """Stop it for good."""
        self._server.stop()
        os.close(self._nothing)
