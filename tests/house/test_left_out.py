"""Tests that need a program from Debian are left out by name where it is missing, and `make tools` says so."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

LEFT_OUT = "what Prometheus makes of deploy/prometheus.yml and of our metrics"


def with_only(programs: tuple[str, ...], folder: Path, *command: str) -> subprocess.CompletedProcess[str]:
    """Run a command that finds no other programs than these on its PATH."""
    for program in programs:
        found = shutil.which(program)
        assert found is not None
        (folder / program).symlink_to(found)
    environment = {**os.environ, "PATH": str(folder)}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=60, check=False)


def test_without_its_program_a_test_is_left_out_by_name_and_the_end_says_so(tmp_path: Path, root: Path) -> None:
    arguments = ("--collect-only", "--quiet", "-p", "no:cacheprovider", str(root / "tests/house"))
    done = with_only((), tmp_path, sys.executable, "-m", "pytest", f"--rootdir={root}", *arguments)
    assert done.returncode == 0, done.stdout + done.stderr
    assert "test_left_out.py::" in done.stdout
    assert "test_prometheus_tools.py::" not in done.stdout
    assert f"not tested: {LEFT_OUT}" in done.stdout


def test_tools_that_cannot_be_installed_are_one_sentence(tmp_path: Path, root: Path) -> None:
    done = with_only(("make", "sh", "id"), tmp_path, "make", "-C", str(root), "--silent", "tools")
    assert done.returncode != 0
    assert f"{LEFT_OUT} is not tested" in done.stdout
