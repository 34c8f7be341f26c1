"""The `trueup` command as a person and as a script meet it."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

from trueup.embedded import Stack


def trueup(*arguments: str, folder: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `trueup` in `folder`, with no setting but those given."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("TRUEUP_")}
    return subprocess.run(
        [sys.executable, "-m", "trueup", *arguments],
        cwd=folder,
        env={**kept, **environment},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def at(stack: Stack) -> dict[str, str]:
    return {
        "TRUEUP_KAFKA__BOOTSTRAP": stack.addresses.kafka,
        "TRUEUP_KAFKA__TOPIC_PREFIX": "cli.",
        "TRUEUP_REDIS__URL": stack.addresses.redis,
        "TRUEUP_REDIS__KEY_PREFIX": "cli",
    }


@pytest.mark.parametrize("command", ["monitor", "alerter", "notifier", "status", "check-config"])
def test_wrong_settings_end_in_one_sentence_and_exit_code_2(command: str, tmp_path: Path) -> None:
    done = trueup(command, folder=tmp_path, TRUEUP_KAFKA__PARTITIONS="none")
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "kafka.partitions" in done.stderr


def test_nobody_there_is_one_sentence_and_exit_code_1(tmp_path: Path) -> None:
    done = trueup("status", folder=tmp_path, TRUEUP_REDIS__URL="redis://127.0.0.1:9/0")
    assert done.returncode == 1
    assert done.stderr.startswith("trueup: Redis does not answer")
    assert done.stderr.count("\n") == 1


def test_more_processes_than_partitions_is_said_and_one_is_run_as_ever(tmp_path: Path) -> None:
    nobody = {"TRUEUP_KAFKA__BOOTSTRAP": "127.0.0.1:9", "TRUEUP_ENGINE__STUCK_SECONDS": "0.1"}
    done = trueup("monitor", "--processes", "3", folder=tmp_path, **nobody, TRUEUP_KAFKA__PARTITIONS="1")
    first, *_, last = done.stderr.splitlines()
    assert first == "trueup: 3 processes were asked for; as many are run as there are partitions: 1"
    assert last.startswith("trueup monitor ends: ")
    assert done.returncode == 1
    assert "[0]" not in done.stderr


def test_check_config_prints_what_the_settings_come_to(tmp_path: Path) -> None:
    done = trueup("check-config", folder=tmp_path, TRUEUP_MONITOR__FALSE_PAGES_PER_MONTH="3")
    assert json.loads(done.stdout)["monitor"]["false_pages_per_month"] == 3


def test_help_names_every_command(tmp_path: Path) -> None:
    done = trueup("--help", folder=tmp_path)
    for command in ("up", "demo", "monitor", "alerter", "topics", "status", "tail", "check-config"):
        assert f"  {command} " in done.stdout


@pytest.mark.live
def test_topics_are_checked_created_and_found_right(stack: Stack, tmp_path: Path) -> None:
    before = trueup("topics", "check", folder=tmp_path, **at(stack))
    assert before.returncode == 1
    assert "cli.predictions" in before.stdout
    assert trueup("topics", "create", folder=tmp_path, **at(stack)).returncode == 0
    after = trueup("topics", "check", folder=tmp_path, **at(stack))
    assert (after.returncode, after.stdout) == (0, "")


@pytest.mark.live
def test_another_number_of_partitions_is_refused_with_what_to_do(stack: Stack, tmp_path: Path) -> None:
    environment = {**at(stack), "TRUEUP_KAFKA__TOPIC_PREFIX": "cli2."}
    assert trueup("topics", "create", folder=tmp_path, **environment).returncode == 0
    done = trueup("topics", "create", folder=tmp_path, **environment, TRUEUP_KAFKA__PARTITIONS="8")
    assert done.returncode == 2
    assert "partitions" in done.stderr


@pytest.mark.live
def test_status_of_nothing_is_an_object_with_every_part(stack: Stack, tmp_path: Path) -> None:
    environment = {**at(stack), "TRUEUP_KAFKA__TOPIC_PREFIX": "cli3."}
    trueup("topics", "create", folder=tmp_path, **environment)
    done = trueup("status", "--json", folder=tmp_path, **environment)
    status = json.loads(done.stdout)
    assert status["format"] == 1
    assert (status["models"], status["alerts"], status["triggers"], status["dead_letters"]) == ([], [], [], {})
    assert status["lag"] == dict.fromkeys(
        ("predictions", "feedback", "deployments", "signals", "trigger-updates", "commands"), 0
    )
    piped = trueup("status", folder=tmp_path, **environment)
    assert piped.stdout == "lag\t0\ndead_letters\t0\n"


@pytest.mark.live
def test_tail_says_which_topic_is_missing_and_how_to_make_it(stack: Stack, tmp_path: Path) -> None:
    environment = {**at(stack), "TRUEUP_KAFKA__TOPIC_PREFIX": "cli6."}
    done = trueup("tail", "alerts", "--no-follow", folder=tmp_path, **environment)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr == "trueup: there is no topic cli6.alerts; make it with `trueup topics create`\n"


@pytest.mark.live
def test_a_worker_says_which_topic_is_missing_and_how_to_make_it(stack: Stack, tmp_path: Path) -> None:
    done = trueup("monitor", folder=tmp_path, **{**at(stack), "TRUEUP_KAFKA__TOPIC_PREFIX": "cli4."})
    assert done.returncode == 2
    assert "cli4." in done.stderr
    assert "trueup topics create" in done.stderr


@pytest.mark.live
def test_what_a_person_has_to_mend_ends_all_processes_of_a_worker_with_one_sentence(
    stack: Stack, tmp_path: Path
) -> None:
    (tmp_path / "trueup.toml").write_text("[engine]\nprocesses = 9\n")
    done = trueup("monitor", folder=tmp_path, **{**at(stack), "TRUEUP_KAFKA__TOPIC_PREFIX": "cli7."})
    assert done.returncode == 2
    first, *_, last = done.stderr.splitlines()
    assert first == "trueup: 9 processes were asked for; as many are run as there are partitions: 4"
    assert re.fullmatch(
        r"trueup monitor ends: \[[0-3]\] cli7\.\w+ does not exist; make it with `trueup topics create`", last
    )
    assert "Traceback" not in done.stderr


@pytest.mark.live
def test_a_worker_refuses_another_number_of_partitions(stack: Stack, tmp_path: Path) -> None:
    environment = {**at(stack), "TRUEUP_KAFKA__TOPIC_PREFIX": "cli5."}
    trueup("topics", "create", folder=tmp_path, **environment)
    done = trueup("alerter", folder=tmp_path, **environment, TRUEUP_KAFKA__PARTITIONS="8")
    assert done.returncode == 2
    assert "partitions" in done.stderr
