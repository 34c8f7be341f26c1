"""Which Redis is taken."""

import platform
from pathlib import Path

import pytest

from trueup.embedded.errors import DownloadFailed
from trueup.embedded.redis_server import redis_program


@pytest.fixture
def path(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """The only folder on the PATH, and a machine for which there is nothing to download."""
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(platform, "machine", lambda: "abacus")
    return tmp_path


def install(folder: Path, name: str, said: str) -> Path:
    """Install a server that says this about its version."""
    program = folder / name
    program.write_text(f"#!/bin/sh\necho '{said}'\n")
    program.chmod(0o755)
    return program


@pytest.mark.parametrize(
    ("name", "said"),
    [
        ("redis-server", "Redis server v=7.0.15 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"),
        ("valkey-server", "Valkey server v=8.1.1 sha=00000000:0 malloc=jemalloc-5.3.0 bits=64"),
    ],
)
def test_an_installed_server_comes_first(path: Path, name: str, said: str) -> None:
    """Nothing is downloaded, nothing is said."""
    program = install(path, name, said)
    lines: list[str] = []
    assert redis_program(lines.append) == program
    assert lines == []


def test_a_server_too_old_is_passed_over(path: Path) -> None:
    """A newer one further on is taken instead."""
    install(path, "redis-server", "Redis server v=6.0.16 sha=00000000:0")
    valkey = install(path, "valkey-server", "Valkey server v=7.2.5 sha=00000000:0")
    assert redis_program(print) == valkey


@pytest.mark.usefixtures("path")
def test_a_machine_without_a_download_is_told_what_to_install() -> None:
    """The message names the machine and the remedy."""
    with pytest.raises(DownloadFailed, match=r"no Redis to download for \w+ on abacus\. Install redis-server"):
        redis_program(print)
