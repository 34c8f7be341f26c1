"""Runs one server, and sees to it that the server does not outlive the process that wanted it.

A small program of its own, started as `python -I -S watchdog.py PARENT_PID GRACE_SECONDS COMMAND...`, with nothing but
the standard library. Its standard input is a pipe that only the parent can write to:

    parent ══ pipe ══> watchdog ──> server       the watchdog, and the server, each lead a process group of their own

- end of file (the parent closed the pipe, or died, be it by `kill -9`): terminate the server, and kill it when it has
  not ended after the grace period;
- the byte `k`: kill the server at once;
- the parent's id changed while the pipe is still open (a forked child of the parent holds it): as end of file;
- the server ended by itself: end too, with its exit code.

When the watchdog has ended, the server is gone and reaped. Should the watchdog itself be killed with -9, Linux kills
the server with it; elsewhere the server would be left.
"""

import contextlib
import ctypes
import os
import select
import signal
import subprocess
import sys

_PARENT_CHECK_S = 1.0
_PR_SET_PDEATHSIG = 1


def main(arguments: list[str]) -> int:
    """Run the server until it ends or is no longer wanted; return its exit code."""
    parent, grace_s, command = int(arguments[0]), float(arguments[1]), arguments[2:]
    wakeup = _wake_on_signals()
    server = subprocess.Popen(
        command,
        stdin=subprocess.DEVNULL,
        start_new_session=True,
        preexec_fn=_die_with_watchdog,  # noqa: PLW1509 (safe here: this process has a single thread)
    )
    if _wait_for_order(server, parent, wakeup) == b"k":
        _signal_group(server, signal.SIGKILL)
    else:
        _signal_group(server, signal.SIGTERM)
    try:
        return server.wait(timeout=grace_s)
    except subprocess.TimeoutExpired:
        _signal_group(server, signal.SIGKILL)
        return server.wait()


def _wake_on_signals() -> int:
    """Return a descriptor that becomes readable when a child ends, or when this process is asked to end."""
    reader, writer = os.pipe()
    os.set_blocking(writer, False)
    signal.set_wakeup_fd(writer)
    for number in (signal.SIGCHLD, signal.SIGTERM, signal.SIGINT, signal.SIGHUP):
        signal.signal(number, lambda *_: None)
    return reader


def _wait_for_order(server: "subprocess.Popen[bytes]", parent: int, wakeup: int) -> bytes:
    """Block until the server shall end (`b""`), shall be killed (`b"k"`), or has ended by itself (`b""`)."""
    while server.poll() is None and os.getppid() == parent:
        readable, _, _ = select.select([sys.stdin.fileno(), wakeup], [], [], _PARENT_CHECK_S)
        if sys.stdin.fileno() in readable:
            return os.read(sys.stdin.fileno(), 1)
        if wakeup in readable and set(os.read(wakeup, 64)) - {signal.SIGCHLD}:
            return b""
    return b""


def _signal_group(server: "subprocess.Popen[bytes]", number: signal.Signals) -> None:
    # It may end between the question and the signal; macOS then answers with a lack of permission.
    with contextlib.suppress(ProcessLookupError, PermissionError):
        if server.poll() is None:
            os.killpg(server.pid, number)


def _die_with_watchdog() -> None:
    if sys.platform == "linux":
        ctypes.CDLL(None).prctl(_PR_SET_PDEATHSIG, signal.SIGKILL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
