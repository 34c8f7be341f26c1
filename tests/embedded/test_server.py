"""A server under its watchdog, as the stack sees it."""

import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from trueup.embedded.errors import ServerFailed
from trueup.embedded.server import Server

WAITS = [sys.executable, "-c", "import signal; print('ready', flush=True); signal.pause()"]
FAILS = [sys.executable, "-c", "print('the disk is full'); raise SystemExit(3)"]


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Server]:
    """A server that was not started yet, and is gone after the test."""
    with (tmp_path / "lock").open("w") as lock:
        server = Server("Toy", log=tmp_path / "toy.log", lock=lock.fileno())
        yield server
        server.stop()


def test_a_server_that_ends_too_early_is_an_error_with_the_end_of_its_log(server: Server, tmp_path: Path) -> None:
    """The message says what ended, how, where its log is, and what the log said."""
    server.start(FAILS, folder=tmp_path)
    with pytest.raises(ServerFailed, match=r"Toy ended with exit code 3 .*toy\.log:\nthe disk is full"):
        server.wait_until(lambda: False)
    assert not server.running


def test_the_error_shows_the_log_of_this_start_alone(server: Server, tmp_path: Path) -> None:
    """What an earlier run logged would lead astray."""
    server.start(FAILS, folder=tmp_path)
    with pytest.raises(ServerFailed, match="the disk is full"):
        server.wait_until(lambda: False)
    server.start(WAITS, folder=tmp_path)
    server.wait_until(lambda: server.log_tail() == "ready")


def test_a_killed_server_can_be_started_again(server: Server, tmp_path: Path) -> None:
    """Killing returns when the server has gone; nothing is left in the way of the next start."""
    server.start(WAITS, folder=tmp_path)
    server.wait_until(lambda: server.log_tail() == "ready")
    server.kill()
    assert not server.running
    server.start(WAITS, folder=tmp_path)
    server.wait_until(lambda: server.log_tail() == "ready")
    assert server.running


def test_stopping_and_killing_are_harmless_when_nothing_runs(server: Server) -> None:
    """Also twice, and before the first start."""
    server.stop()
    server.kill()
    server.kill()
    assert not server.running
