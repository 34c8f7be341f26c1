"""`trueup backtest` and `trueup power` as a person and as a script meet them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest


def trueup(*arguments: str, folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `trueup` in `folder`, with no setting from outside."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRUEUP_")}
    command = [sys.executable, "-m", "trueup", *arguments]
    return subprocess.run(command, cwd=folder, env=kept, capture_output=True, text=True, timeout=100, check=False)


@pytest.fixture
def csv(tmp_path: Path) -> Path:
    """A day of a model that is always right."""
    lines = ["id,at,prediction,actual,temp"]
    lines += [f"p{hour},2024-01-01T{hour:02}:00:00Z,1,1,{hour}" for hour in range(24)]
    (tmp_path / "day.csv").write_text("\n".join(lines) + "\n")
    return tmp_path


def test_a_table_is_backtested_with_its_columns_named(csv: Path) -> None:
    columns = ("--column", "prediction_id=id", "--column", "predicted_at=at", "--model", "m")
    done = trueup("backtest", "day.csv", *columns, "--delay-hours", "2", "--json", "out.json", folder=csv)
    assert (done.returncode, done.stderr) == (0, "")
    assert "Nothing would have fired." in done.stdout
    report = json.loads((csv / "out.json").read_text())
    [model] = report["models"]
    assert (model["model_id"], model["predictions"], model["joined"], model["correct"]) == ("m", 24, 24, 24)
    assert (csv / "backtest.html").read_text().startswith("<!doctype html>")


@pytest.mark.parametrize(
    "arguments",
    [
        ("backtest", "nowhere.parquet"),
        ("backtest", "day.csv"),
        ("backtest", "day.csv", "--column", "nonsense"),
        ("backtest", "day.csv", "--inject", "nonsense"),
        ("backtest", "day.csv", "--column", "predicted_at=at", "--model", "m", "--html", "nowhere/out.html"),
        ("power",),
        ("power", "--labels-per-day", "100", "--base-rate", "3"),
    ],
    ids=" ".join,
)
def test_what_cannot_be_done_is_one_sentence_and_exit_code_2(arguments: tuple[str, ...], csv: Path) -> None:
    done = trueup(*arguments, folder=csv)
    assert done.returncode == 2
    assert done.stderr.startswith("trueup: ")
    assert done.stderr.count("\n") == 1


def test_power_answers_people_and_machines(tmp_path: Path) -> None:
    (tmp_path / "trueup.toml").write_text("[monitor.defaults]\nreference_labels = 500\nreference_days = 0\n")
    asked = ("power", "--labels-per-day", "500", "--base-rate", "0.1", "--fall", "0.4")
    for_people, for_machines = trueup(*asked, folder=tmp_path), trueup(*asked, "--json", folder=tmp_path)
    answer = json.loads(for_machines.stdout)
    assert answer["found"] == 1.0
    assert f"median {answer['median']['labels']:,.0f} labels" in for_people.stdout
    assert "1 false pages a month" in for_people.stdout
