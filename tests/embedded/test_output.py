"""The output of a server that is passed on, line by line."""

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from io import FileIO
from pathlib import Path

import pytest

from trueup.embedded.output import Relay
from trueup.embedded.server import Server


def says(word: str, count: int) -> list[str]:
    return [sys.executable, "-c", f"[print('{word}', number, flush=True) for number in range({count})]"]


@contextmanager
def relayed(to: FileIO, name: str = "0") -> Iterator[Server]:
    nothing = os.open(os.devnull, os.O_RDONLY)
    server = Server("Toy", log=Relay(name, to), lock=nothing)
    try:
        yield server
    finally:
        server.stop()
        os.close(nothing)


def run_out(server: Server) -> None:
    """Return when it has ended by itself."""
    assert server._watchdog is not None
    server._watchdog.wait(timeout=30)


def test_every_line_of_several_servers_is_passed_on_whole_and_says_whose_it_is(tmp_path: Path) -> None:
    with FileIO(tmp_path / "all", "ab") as to, relayed(to, "0") as one, relayed(to, "1") as two:
        for server, word in ((one, "a" * 5_000), (two, "b" * 5_000)):
            server.start(says(word, 200), folder=tmp_path)
        run_out(one)
        run_out(two)
        one.stop()
        two.stop()
    lines = (tmp_path / "all").read_text().splitlines()
    for name, word in (("0", "a" * 5_000), ("1", "b" * 5_000)):
        of_one = [line for line in lines if line.startswith(f"[{name}] ")]
        assert of_one == [f"[{name}] {word} {number}" for number in range(200)]
    assert len(lines) == 400


def test_the_tail_is_what_was_written_since_the_last_start_the_very_last_line_included(tmp_path: Path) -> None:
    with FileIO(tmp_path / "all", "ab") as to, relayed(to) as server:
        server.start(says("first", 30), folder=tmp_path)
        run_out(server)
        assert server.log_tail().splitlines() == [f"first {number}" for number in range(10, 30)]
        server.start(says("second", 2), folder=tmp_path)
        run_out(server)
        assert server.log_tail() == "second 0\nsecond 1"


def test_a_server_goes_on_though_nobody_reads_what_it_writes(tmp_path: Path) -> None:
    """More than a pipe holds."""
    reads, writes = os.pipe()
    os.close(reads)
    with FileIO(writes, "wb") as to, relayed(to) as server:
        server.start(says("x" * 1_000, 1_000), folder=tmp_path)
        run_out(server)
        assert server.exit_code == 0
        assert server.log_tail().endswith(" 999")


@pytest.mark.parametrize("ending", ["", "\\n"], ids=["without a line end", "with a line end"])
def test_a_last_line_is_a_line_of_its_own(tmp_path: Path, ending: str) -> None:
    with FileIO(tmp_path / "all", "ab") as to, relayed(to) as server:
        for _ in range(2):
            program = f"import sys; sys.stderr.write('over{ending}')"
            server.start([sys.executable, "-c", program], folder=tmp_path)
            run_out(server)
    assert (tmp_path / "all").read_text() == "[0] over\n[0] over\n"
