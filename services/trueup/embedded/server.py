"""One server process under its watchdog: start it, stop it, kill it, and say what its log said."""

import contextlib
import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Sequence
from pathlib import Path

from trueup.embedded.errors import ServerFailed
from trueup.embedded.output import LogFile, Relay

_GRACE_S = 10.0
_ANSWER_DEADLINE_S = 60.0
_POLL_S = 0.05


class Server:
    """A server that runs at most once at a time, and whose output goes to one log: a file, or a relay.

    `lock` is a file descriptor that the watchdog inherits, so that a lock on the folder is held until the server has
    gone, even where the parent went first.
    """

    def __init__(self, name: str, *, log: Path | Relay, lock: int) -> None:
        self.name = name
        self._log = LogFile(log) if isinstance(log, Path) else log
        self._lock = lock
        self._watchdog: subprocess.Popen[bytes] | None = None

    @property
    def running(self) -> bool:
        """Whether the server was started and has not ended."""
        return self._watchdog is not None and self._watchdog.poll() is None

    @property
    def exit_code(self) -> int | None:
        """How it ended: negative, the signal that killed it; None while it runs, or was never started."""
        code = None if self._watchdog is None else self._watchdog.poll()
        # The watchdog ends with its server's code, of which the system keeps the last eight bits.
        return code - 256 if code is not None and code > 256 - signal.NSIG else code

    def start(self, command: Sequence[str], *, folder: Path) -> None:
        """Start the command with `folder` as its working directory; returns at once."""
        assert not self.running, f"{self.name} is already running"
        self.stop()
        watchdog = [sys.executable, "-I", "-S", str(Path(__file__).with_name("watchdog.py"))]
        with self._log.opened() as log:
            self._watchdog = subprocess.Popen(
                [*watchdog, str(os.getpid()), str(_GRACE_S), *command],
                stdin=subprocess.PIPE,
                bufsize=0,
                stdout=log,
                stderr=log,
                cwd=folder,
                pass_fds=(self._lock,),
                start_new_session=True,
            )

    def wait_until(self, answers: Callable[[], bool]) -> None:
        """Block until `answers` returns true.

        Raises:
            ServerFailed: the server ended, or the deadline passed; it no longer runs.
        """
        deadline = time.monotonic() + _ANSWER_DEADLINE_S
        assert self._watchdog is not None, f"{self.name} was not started"
        while not answers():
            try:
                self._watchdog.wait(timeout=_POLL_S)
            except subprocess.TimeoutExpired:
                if time.monotonic() < deadline:
                    continue
                self.kill()
                raise self._failure(f"{self.name} did not answer within {_ANSWER_DEADLINE_S:.0f} s") from None
            raise self._failure(f"{self.name} ended with exit code {self._watchdog.returncode} before it answered")

    def ask_to_stop(self) -> None:
        """Let the watchdog stop the server; returns at once."""
        if self._watchdog is not None and self._watchdog.stdin is not None:
            self._watchdog.stdin.close()

    def stop(self) -> None:
        """Stop the server if it runs, and return when it has gone."""
        self.ask_to_stop()
        self._wait_until_gone()
        self._log.settle()

    def kill(self) -> None:
        """Kill the server (`kill -9`) if it runs, and return when it has gone."""
        if self._watchdog is not None and self._watchdog.stdin is not None and self.running:
            with contextlib.suppress(BrokenPipeError):  # The server ended by itself a moment ago.
                self._watchdog.stdin.write(b"k")
        self.stop()

    def log_tail(self) -> str:
        """Return the last lines that the server wrote since it was last started."""
        if not self.running:
            self._log.settle()
        return self._log.tail()

    def _wait_until_gone(self) -> None:
        if self._watchdog is None:
            return
        try:
            self._watchdog.wait(timeout=2 * _GRACE_S)
        except subprocess.TimeoutExpired:
            os.killpg(self._watchdog.pid, signal.SIGKILL)
            self._watchdog.wait()

    def _failure(self, what: str) -> ServerFailed:
        return ServerFailed(f"{what}. The end of its log, {self._log}:\n{self.log_tail()}")
