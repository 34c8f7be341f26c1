"""What the tests of this folder share: the repository as files, and what is said in them."""

from __future__ import annotations

import re
import shutil
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]

#: Test file -> the program it needs, and what is not tested without it. `make tools` installs them.
NEEDS = {
    "test_prometheus_tools.py": ("promtool", "what Prometheus makes of deploy/prometheus.yml and of our metrics"),
}
LEFT_OUT = {name: need for name, need in NEEDS.items() if shutil.which(need[0]) is None}
collect_ignore = list(LEFT_OUT)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say what was left out: a test that is not there is easily taken for one that passed."""
    for name, (program, what) in LEFT_OUT.items():
        terminalreporter.write_line(f"not tested: {what} ({name} needs {program}; `make tools` installs it)")


@pytest.fixture(scope="session")
def root() -> Path:
    """The folder of the repository."""
    return ROOT


@pytest.fixture(scope="session")
def pyproject() -> dict[str, Any]:
    """pyproject.toml."""
    return tomllib.loads((ROOT / "pyproject.toml").read_text())


@pytest.fixture(scope="session")
def make_targets() -> dict[str, list[str]]:
    """The Makefile: target -> its command lines, joined where they go on, without the leading `@`."""
    text = (ROOT / "Makefile").read_text().replace("\\\n", " ")
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in text.splitlines():
        if rule := re.match(r"([a-z]+):(?!=)", line):
            lines = found.setdefault(rule[1], [])
        elif line.startswith("\t"):
            lines.append(line.strip().removeprefix("@"))
    return found
