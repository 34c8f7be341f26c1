"""The house is as its plans say: layers, extras, targets, hooks."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import yaml

#: No layer, but a contract of its own; and what starts `python -m trueup`.
BESIDE_THE_LAYERS = {"sdk", "__main__"}


def parts(package: Path) -> set[str]:
    """The modules and packages right inside a package."""
    modules = {file.stem for file in package.glob("*.py")} - {"__init__"}
    return modules | {folder.name for folder in package.iterdir() if (folder / "__init__.py").is_file()}


def contracts(pyproject: Mapping[str, Any], kind: str) -> list[dict[str, Any]]:
    return [each for each in pyproject["tool"]["importlinter"]["contracts"] if each["type"] == kind]


def test_every_part_of_the_services_is_in_exactly_one_layer(root: Path, pyproject: Mapping[str, Any]) -> None:
    [layers] = [contract["layers"] for contract in contracts(pyproject, "layers")]
    named = [name for layer in layers for name in layer.split(" | ")]
    assert len(named) == len(set(named))
    inside = parts(root / "services/trueup") - BESIDE_THE_LAYERS
    assert set(named) == {f"trueup.{name}" for name in inside} | {"trueup_schemas"}


def test_the_sdk_has_a_contract_of_its_own(pyproject: Mapping[str, Any]) -> None:
    assert ["trueup.sdk"] in [contract["source_modules"] for contract in contracts(pyproject, "forbidden")]


def test_the_contracts_name_only_parts_that_exist(root: Path, pyproject: Mapping[str, Any]) -> None:
    """A contract about a part that was renamed would hold, and guard nothing."""
    there = {f"trueup.{name}" for name in parts(root / "services/trueup")}
    for contract in contracts(pyproject, "forbidden"):
        ours = {*contract["source_modules"], *contract["forbidden_modules"]}
        assert {name for name in ours if name.startswith("trueup.")} <= there


def test_contributing_names_every_folder_of_the_house(root: Path) -> None:
    text = (root / "CONTRIBUTING.md").read_text()
    listed = set(re.findall(r"^\| `([a-z_/]+)/` \|", text, flags=re.MULTILINE))
    folders = {f"services/trueup/{folder.parent.name}" for folder in (root / "services/trueup").glob("*/__init__.py")}
    assert {name for name in listed if name.startswith("services/trueup/")} == folders
    assert all((root / name).is_dir() for name in listed)


def test_contributing_lists_the_targets_that_make_help_shows(root: Path, make_targets: Mapping[str, list[str]]) -> None:
    text = (root / "CONTRIBUTING.md").read_text()
    listed = re.findall(r"^\| `make (\w+)` \|", text, flags=re.MULTILINE)
    shown = re.findall(r"^([a-z]+):.*## ", (root / "Makefile").read_text(), flags=re.MULTILINE)
    assert set(listed) <= set(make_targets)
    assert {"setup", "fmt", "check", "test", "demo", "bench"} <= set(listed) <= set(shown)


def test_the_sdk_alone_is_what_a_plain_install_brings(pyproject: Mapping[str, Any]) -> None:
    project = pyproject["project"]
    assert {_name(line) for line in project["dependencies"]} == {"kafka-python", "crc32c", "pydantic"}


def test_each_extra_holds_the_one_before_it(pyproject: Mapping[str, Any]) -> None:
    extras = pyproject["project"]["optional-dependencies"]
    assert list(extras) == ["server", "embedded", "demo", "backtest", "dev", "bench"]
    inner = (("server", "embedded"), ("embedded", "demo"), ("server", "backtest"), ("backtest", "dev"), ("demo", "dev"))
    for smaller, larger in inner:
        assert f"trueup[{smaller}]" in extras[larger]


def test_the_lock_pins_every_dependency_and_holds_no_address(root: Path, pyproject: Mapping[str, Any]) -> None:
    lines = (root / "requirements.lock").read_text().splitlines()
    assert [line for line in lines if not re.fullmatch(r"[A-Za-z0-9._-]+==[\w.!+]+", line)] == []
    pinned = {_name(line) for line in lines}
    project = pyproject["project"]
    needed = {_name(line) for group in project["optional-dependencies"].values() for line in group}
    needed |= {_name(line) for line in project["dependencies"]}
    assert needed - {"trueup"} <= pinned


def test_the_hooks_before_a_commit_are_those_of_make_check_and_fetch_nothing(
    root: Path, make_targets: Mapping[str, list[str]]
) -> None:
    repositories = yaml.safe_load((root / ".pre-commit-config.yaml").read_text())["repos"]
    assert [repository["repo"] for repository in repositories] == ["local"]
    hooks = repositories[0]["hooks"]
    assert all(hook["language"] == "system" and hook["pass_filenames"] is False for hook in hooks)
    checks = [line.replace("$(BIN)", ".venv/bin") for line in make_targets["check"]]
    assert [hook["entry"] for hook in hooks] == checks


def test_continuous_integration_runs_what_a_newcomer_is_told_to_run(
    root: Path, make_targets: Mapping[str, list[str]]
) -> None:
    run = re.findall(r"^make (\w+)", (root / ".ci/run").read_text(), flags=re.MULTILINE)
    assert set(run) <= set(make_targets)
    assert run[-2:] == ["check", "test"]


def _name(requirement: str) -> str:
    return re.split(r"[<>=\[;! ]", requirement)[0].lower()
