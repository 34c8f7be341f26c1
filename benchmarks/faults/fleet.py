"""The workers of one installation under faults: armed with failpoints, killed, stopped, and waited for."""

from __future__ import annotations

import re
import signal
import threading
import time
from collections.abc import Callable, Mapping
from contextlib import suppress

import psutil

from benchmarks.faults.installation import Installation
from trueup.errors import Unavailable
from trueup.worker_process import WorkerProcess
from trueup.workers.setups import WorkerName

FAILPOINTS = "TRUEUP_FAILPOINTS"
#: By which a worker's own process is told from its watchdog and from other workers.
MARK = "FAULTS_WORKER"
#: What a worker logs when Redis refused a write of it, since the partition is another's by now.
REFUSED = re.compile(r"is let go and claimed anew: .*\(STALE ")

_POLL_SECONDS = 0.05
_PATIENCE_SECONDS = 150.0


class NotInTime(Exception):
    """Something that had to happen did not happen before its deadline."""


class Member:
    """One worker under a name of its own."""

    def __init__(self, here: Installation, worker: WorkerName, name: str, failpoints: str = "") -> None:
        self.worker = worker
        self.name = name
        #: In force at every start; those of `start` come on top.
        self._always = failpoints
        self._environment = {**here.environment, MARK: name}
        self._process = WorkerProcess(worker, self._environment, here.folder, name)
        here.workers.append(self._process)

    def start(self, failpoints: str = "") -> None:
        """Start it with these failpoints (empty: with none)."""
        wanted = ";".join(part for part in (self._always, failpoints) if part)
        self._environment.pop(FAILPOINTS, None)
        if wanted:
            self._environment[FAILPOINTS] = wanted
        self._process.start()

    def arm(self, failpoints: str) -> None:
        """Start it anew with these failpoints, in good order."""
        self._process.stop()
        self.start(failpoints)

    def kill(self) -> None:
        """`kill -9`; returns when it has gone."""
        self._process.kill()

    def stop(self) -> None:
        """Let it save and leave; returns when it has gone."""
        self._process.stop()

    @property
    def running(self) -> bool:
        """Whether the process is there, be it stopped."""
        return self._process.running

    @property
    def frozen(self) -> bool:
        """Whether it was stopped (SIGSTOP)."""
        own = self._own()
        with suppress(psutil.NoSuchProcess):
            return own is not None and own.status() == psutil.STATUS_STOPPED
        return False

    def freeze(self) -> None:
        """SIGSTOP."""
        self._signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self._signal(signal.SIGCONT)

    def _signal(self, number: signal.Signals) -> None:
        own = self._own()
        with suppress(psutil.NoSuchProcess):
            if own is not None:
                own.send_signal(number)

    def _own(self) -> psutil.Process | None:
        """The worker itself, a grandchild of this process: its parent is its watchdog. None: not there (yet)."""
        for process in psutil.Process().children(recursive=True):
            with suppress(psutil.Error):
                if process.environ().get(MARK) == self.name and process.cmdline()[-2:] == ["trueup", self.worker]:
                    return process
        return None

    @property
    def refused(self) -> int:
        """Writes of it that Redis refused, since it first started."""
        text = self._process.log.read_text(encoding="utf-8", errors="replace")
        return sum(1 for _ in REFUSED.finditer(text))

    @property
    def tail(self) -> str:
        """The last lines of its log."""
        return self._process.tail


class Fleet:
    """Two monitors, `a` and `b`, and an alerter, on one installation.

    Args:
        failpoints: in force in every worker at every start: how a negative control switches something off.
    """

    def __init__(self, here: Installation, failpoints: str = "") -> None:
        self.here = here
        names: Mapping[str, WorkerName] = {"a": "monitor", "b": "monitor", "alerter": "alerter"}
        self.members = {name: Member(here, worker, name, failpoints) for name, worker in names.items()}
        #: Workers that ended though nobody killed them, and were started again.
        self.ended_by_themselves: list[str] = []

    def __getitem__(self, name: str) -> Member:
        return self.members[name]

    def start(self) -> None:
        """Start all."""
        for member in self.members.values():
            member.start()

    def thaw(self) -> None:
        """Let no worker stay stopped: one that is cannot end in good order."""
        for member in self.members.values():
            if member.running:
                member.thaw()

    @property
    def refused(self) -> int:
        """Writes that Redis refused to any worker."""
        return sum(member.refused for member in self.members.values())

    # -- waiting ----------------------------------------------------------------------------------------------------

    def until(
        self,
        what: str,
        done: Callable[[], bool],
        *,
        seconds: float = _PATIENCE_SECONDS,
        may_end: tuple[str, ...] = (),
    ) -> None:
        """Wait for `done`, and start again whatever ends by itself meanwhile, except `may_end`.

        While Kafka or Redis does not answer, it is not done.

        Raises:
            NotInTime: it was not done in so many seconds.
        """
        deadline, pause = time.monotonic() + seconds, threading.Event()
        while True:
            with suppress(Unavailable):
                if done():
                    return
            for name, member in self.members.items():
                if not member.running and name not in may_end:
                    self.ended_by_themselves.append(name)
                    member.start()
            if time.monotonic() > deadline:
                raise NotInTime(f"not in {seconds:.0f} s: {what}")
            pause.wait(_POLL_SECONDS)

    def gone_on(self, *others: WorkerName) -> Callable[[], bool]:
        """A condition: every partition of the monitor, and of these, holds what came after its first call.

        It takes a load; where there is none, it never comes true.
        """
        workers: tuple[WorkerName, ...] = ("monitor", *others)
        before: dict[int, int] = {}
        ends: dict[WorkerName, dict[str, dict[int, int]]] = {}

        def done() -> bool:
            progress = self.here.progress
            if not before:
                before.update(progress.ends("monitor")["predictions"])
            if not ends:
                now = {worker: progress.ends(worker) for worker in workers}
                if any(now["monitor"]["predictions"][part] <= end for part, end in before.items()):
                    return False
                ends.update(now)
            return all(self._holds(worker, ends[worker]) for worker in workers)

        return done

    def _holds(self, worker: WorkerName, ends: Mapping[str, Mapping[int, int]]) -> bool:
        saved = self.here.progress.saved(worker, views=False)
        return all(
            saved[part].offsets.get(topic, 0) >= end for topic, parts in ends.items() for part, end in parts.items()
        )

    def settle_in(self) -> None:
        """Wait until every partition of both kinds of workers was saved once: from here on a fault hits something."""

        def all_saved() -> bool:
            workers: tuple[WorkerName, ...] = ("monitor", "alerter")
            saved = [self.here.progress.saved(worker, views=False).values() for worker in workers]
            return all(part.offsets for parts in saved for part in parts)

        self.until("every partition has been saved", all_saved)

    def recover(self, what: str) -> float:
        """Wait until all workers hold all that came, and more that came after this call; the seconds that it took."""
        started = time.monotonic()
        self.until(f"all go on after {what}", self.gone_on("alerter"))
        return time.monotonic() - started
