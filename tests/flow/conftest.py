"""Installations for the flow tests."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from benchmarks.faults.installation import Installation
from trueup.embedded import Stack


@pytest.fixture
def install(stack: Stack, tmp_path: Path) -> Iterator[Callable[[str, str], Installation]]:
    """`install(name, config)`: an installation that is gone after the test."""
    made: list[Installation] = []

    def make(name: str, config: str = "") -> Installation:
        made.append(Installation(stack, tmp_path, name, config))
        return made[-1]

    yield make
    for installation in made:
        installation.close()
