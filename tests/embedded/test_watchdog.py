"""The watchdog: a server ends when its parent wants it to, when the parent is gone, or by itself."""

import os
import signal
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path

import psutil
import pytest

import trueup.embedded

WATCHDOG = Path(trueup.embedded.__file__).with_name("watchdog.py")
GRACE_S = 0.2
DEADLINE_S = 10.0

# A server says who it is once it is ready, and then waits to be signalled.
SERVER = "import os, signal, sys; {}; print(os.getpid(), flush=True); signal.pause()"
POLITE = SERVER.format("signal.signal(signal.SIGTERM, lambda *_: sys.exit(7))")
STUBBORN = SERVER.format("signal.signal(signal.SIGTERM, signal.SIG_IGN)")

# A parent that starts a watchdog with its own standard input as the pipe, and leaves once the server is ready.
FLEETING_PARENT = """
import os, subprocess, sys
watchdog, grace_s, server = sys.argv[1:]
command = [sys.executable, "-I", "-S", watchdog, str(os.getpid()), grace_s, sys.executable, "-c", server]
started = subprocess.Popen(command, stdin=0, stdout=subprocess.PIPE)
print(started.stdout.readline().decode(), flush=True)
os._exit(0)
"""

Watched = tuple[subprocess.Popen[str], psutil.Process]


@pytest.fixture
def watch() -> Iterator[Callable[[str], Watched]]:
    """Starts a server under a watchdog and returns both, once the server is ready; all are gone after the test."""
    watchdogs: list[subprocess.Popen[str]] = []

    def start(server: str) -> Watched:
        command = [sys.executable, "-I", "-S", str(WATCHDOG), str(os.getpid()), str(GRACE_S)]
        watchdog = subprocess.Popen(
            [*command, sys.executable, "-c", server], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        watchdogs.append(watchdog)
        assert watchdog.stdout is not None
        return watchdog, psutil.Process(int(watchdog.stdout.readline()))

    yield start
    for watchdog in watchdogs:
        watchdog.communicate(timeout=DEADLINE_S)


def order(watchdog: subprocess.Popen[str], word: str) -> int:
    """Write the word into the watchdog's pipe, close the pipe, and return the exit code."""
    watchdog.communicate(word, timeout=DEADLINE_S)
    return watchdog.returncode


def test_a_closed_pipe_terminates_the_server(watch: Callable[[str], Watched]) -> None:
    """The server is asked, not killed, and its exit code is passed on."""
    watchdog, server = watch(POLITE)
    assert order(watchdog, "") == 7
    assert not server.is_running()


def test_a_server_that_will_not_go_is_killed_after_the_grace_period(watch: Callable[[str], Watched]) -> None:
    """Ignoring the request to end does not keep a server alive."""
    watchdog, server = watch(STUBBORN)
    assert order(watchdog, "") == 256 - signal.SIGKILL
    assert not server.is_running()


def test_the_kill_order_does_not_ask_first(watch: Callable[[str], Watched]) -> None:
    """A server that would end with 7 when asked ends by SIGKILL instead."""
    watchdog, server = watch(POLITE)
    assert order(watchdog, "k") == 256 - signal.SIGKILL
    assert not server.is_running()


def test_a_server_that_ends_by_itself_ends_the_watchdog(watch: Callable[[str], Watched]) -> None:
    """The exit code is the server's, and nobody had to close the pipe."""
    watchdog, server = watch(POLITE)
    server.terminate()
    assert watchdog.wait(timeout=DEADLINE_S) == 7


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP])
def test_a_signal_to_the_watchdog_ends_the_server(watch: Callable[[str], Watched], number: signal.Signals) -> None:
    """Whoever ends the watchdog in the usual ways has ended the server."""
    watchdog, server = watch(POLITE)
    watchdog.send_signal(number)
    assert watchdog.wait(timeout=DEADLINE_S) == 7
    assert not server.is_running()


@pytest.mark.skipif(sys.platform != "linux", reason="only Linux ties a child's life to its parent's")
def test_a_killed_watchdog_takes_the_server_with_it(watch: Callable[[str], Watched]) -> None:
    """Even the death of the guard leaves no orphan."""
    watchdog, server = watch(STUBBORN)
    watchdog.kill()
    assert gone(server)


def test_the_server_ends_with_its_parent_though_another_process_holds_the_pipe() -> None:
    """A forked child of the parent may keep the pipe open; the parent's death is noticed all the same."""
    reader, writer = os.pipe()
    parent = subprocess.run(
        [sys.executable, "-c", FLEETING_PARENT, WATCHDOG, str(GRACE_S), POLITE],
        stdin=reader,
        stdout=subprocess.PIPE,
        text=True,
        check=True,
        timeout=DEADLINE_S,
    )
    assert gone(psutil.Process(int(parent.stdout)))
    os.close(reader)
    os.close(writer)


def gone(process: psutil.Process) -> bool:
    """Wait for the end of a process that is not this one's child; whoever adopted it may be slow to reap it."""
    try:
        process.wait(timeout=DEADLINE_S)
    except psutil.TimeoutExpired:
        return bool(process.status() == psutil.STATUS_ZOMBIE)
    return True
