"""What the tests of this folder share: the repository as files, and what is said in them."""

from __future__ import annotations

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[2]


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
