"""What the README tells a newcomer to type is there, and does what it says."""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Any

import click
import pytest

import trueup.sdk
from trueup.cli import main
from trueup.sdk import Emitter, TriggerInbox
from trueup.sdk.kafka_port import Done
from trueup.sdk.trigger_log import News, TriggerRecord
from trueup.settings import read
from trueup_schemas import topics
from trueup_schemas.codec import Codec

#: Where a reader is told what to type.
TOLD = ("README.md", "CONTRIBUTING.md", "docs/design.md", "deploy/trueup.toml", "docker-compose.yml")
SECRET = "whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"


def section(text: str, title: str) -> str:
    """The part of a Markdown text under `## title`."""
    return text.split(f"\n## {title}\n", 1)[1].split("\n## ", 1)[0]


def block(text: str, language: str) -> str:
    """The one code block of a language in a text."""
    [found] = re.findall(rf"^```{language}\n(.*?)^```$", text, flags=re.MULTILINE | re.DOTALL)
    return str(found)


@pytest.fixture(scope="module")
def readme(root: Path) -> str:
    return (root / "README.md").read_text()


class Kafka:
    """Takes every record at once, and holds one trigger; the inbox that reads it is stopped when there is no more."""

    def __init__(self) -> None:
        self.records: list[tuple[str, bytes, bytes]] = []
        self.inboxes: list[TriggerInbox] = []
        self._triggers: list[bytes] = []

    def ask(self, trigger: Mapping[str, Any]) -> None:
        self._triggers.append(json.dumps(trigger).encode())

    def events(self, topic: topics.Topic) -> list[dict[str, Any]]:
        """What was sent to a topic, as the workers read it."""
        codec, events = Codec(topic, max_record_bytes=1_048_576), []
        for name, key, value in self.records:
            if name == f"trueup.{topic.name}":
                decoded = codec.decode(value)
                assert not decoded.faults
                assert {event["model_id"].encode() for _, event in decoded.events} == {key}
                events += [event for _, event in decoded.events]
        return events

    # -- the SDK's ports --------------------------------------------------------------------------------------------

    def send(self, topic: str, *, key: bytes, value: bytes, done: Done) -> None:
        self.records.append((topic, key, value))
        done(None)

    def read(self, timeout_s: float) -> News:  # noqa: ARG002
        waiting, self._triggers = self._triggers, []
        if not waiting:
            self.inboxes[0].stop()
        return News([], [TriggerRecord(0, offset, value) for offset, value in enumerate(waiting)])

    def commit(self, offsets: Mapping[int, int]) -> None: ...

    def close(self, timeout_s: float = 0.0) -> None: ...

    def abandon(self) -> None: ...


@pytest.fixture
def kafka(monkeypatch: pytest.MonkeyPatch) -> Kafka:
    """What `Emitter(...)` and `TriggerInbox(...)` speak to instead of the address that they are given."""
    kafka = Kafka()

    def inbox(*args: Any, **settings: Any) -> TriggerInbox:
        made = TriggerInbox(*args, **settings, open_log=lambda: kafka, connect=lambda: kafka)
        kafka.inboxes.append(made)
        return made

    monkeypatch.setattr(trueup.sdk, "Emitter", partial(Emitter, connect=lambda: kafka))
    monkeypatch.setattr(trueup.sdk, "TriggerInbox", inbox)
    return kafka


def test_the_first_event_of_the_readme_and_its_truth_are_events_that_belong_together(readme: str, kafka: Kafka) -> None:
    said: dict[str, Any] = {}
    exec(compile(block(section(readme, "Emit your first event"), "python"), "README.md", "exec"), said)
    [prediction], [feedback] = kafka.events(topics.PREDICTIONS), kafka.events(topics.FEEDBACK)
    assert prediction["prediction_id"] == feedback["prediction_id"]
    assert prediction["model_id"] == feedback["model_id"]
    assert (prediction["prediction"], feedback["actual"]) == (True, False)
    counts = said["emitter"].counts
    assert (counts.offered, counts.delivered) == (2, 2)


def test_the_first_event_takes_about_ten_lines(readme: str) -> None:
    lines = [line for line in block(section(readme, "Emit your first event"), "python").splitlines() if line.strip()]
    assert len(lines) <= 10


def test_the_pipeline_of_the_readme_deploys_what_it_trained_and_finishes_its_trigger(readme: str, kafka: Kafka) -> None:
    dataset = {"topics": {}, "labelled": 3}
    kafka.ask({"trigger_id": "t", "action": "retrain", "model_id": "fraud", "model_version": "v3", "dataset": dataset})
    trained: list[tuple[str, Any]] = []

    def retrain(model_id: str, dataset: Any) -> str:
        trained.append((model_id, dataset))
        return "v4"

    exec(compile(block(section(readme, "Read a trigger"), "python"), "README.md", "exec"), {"retrain": retrain})
    assert trained == [("fraud", dataset)]
    [deployment] = kafka.events(topics.DEPLOYMENTS)
    assert (deployment["model_version"], deployment["role"], deployment["trigger_id"]) == ("v4", "champion", "t")
    updates = kafka.events(topics.TRIGGER_UPDATES)
    assert [update["status"] for update in updates] == ["accepted", "succeeded"]
    assert updates[-1]["model_version"] == "v4"


def test_the_settings_of_the_readme_are_settings(readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    file = tmp_path / "trueup.toml"
    file.write_text(block(section(readme, "Configure it"), "toml"))
    monkeypatch.setenv("TRUEUP_CHANNELS__WEBHOOK__SECRET", SECRET)
    settings = read(file)
    assert settings.kafka.partitions == 12
    assert settings.monitor.of("fraud").objective == 0.02
    assert settings.alerter.policy.rollback == "approve"
    assert settings.channels.names == ("webhook",)


def test_the_environment_comes_before_the_file_as_the_readme_says(
    readme: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = tmp_path / "trueup.toml"
    file.write_text('[kafka]\nbootstrap = "elsewhere:9092"\n')
    [(name, value)] = re.findall(r"`(TRUEUP_KAFKA__BOOTSTRAP)=([^`]+)`", readme)
    monkeypatch.setenv(name, value)
    assert read(file).kafka.bootstrap == value


def commands(text: str) -> set[str]:
    """`trueup ...` as it stands at the beginning of a command line or of code in a sentence: the words after it."""
    code = re.findall(r"`([^`\n]+)`", text) + re.findall(
        r"^[# ]*(?:docker .*exec \w+ )?(.*)$", text, flags=re.MULTILINE
    )
    found = [re.match(r"(?:\.venv/bin/|docker compose exec \w+ )?trueup((?: [a-z][a-z-]*)+)", words) for words in code]
    return {match[1].strip() for match in found if match}


def make_commands(text: str) -> set[str]:
    return set(re.findall(r"(?:^|`)make ([a-z]+)", text, flags=re.MULTILINE))


def is_command(words: str) -> bool:
    """Whether `trueup` takes these words; an argument after a command is not looked at."""
    command: click.Command = main
    for word in words.split():
        if not isinstance(command, click.Group):
            return True
        if word not in command.commands:
            return False
        command = command.commands[word]
    return not isinstance(command, click.Group)


@pytest.mark.parametrize("name", TOLD)
def test_every_command_that_is_told_exists(name: str, root: Path, make_targets: Mapping[str, Any]) -> None:
    text = (root / name).read_text()
    assert [words for words in sorted(commands(text)) if not is_command(words)] == []
    assert make_commands(text) - set(make_targets) == set()


def test_the_readme_names_the_commands_that_a_newcomer_needs(readme: str) -> None:
    assert {"up", "status", "tail alerts", "topics create", "monitor", "alerter", "check-config"} <= commands(readme)
    assert {"demo", "test", "setup", "help"} <= make_commands(readme)


@pytest.mark.parametrize("words", ["rewind", "topics", "topics rewind"])
def test_a_command_that_does_not_exist_would_be_found(words: str) -> None:
    assert not is_command(words)


def test_the_extras_that_the_readme_lists_are_those_that_there_are(readme: str, pyproject: Mapping[str, Any]) -> None:
    listed = re.findall(r"^\| `trueup\[(\w+)\]` \|", section(readme, "Install it"), flags=re.MULTILINE)
    assert listed == list(pyproject["project"]["optional-dependencies"])


def test_the_readme_says_of_what_the_sdk_is_made(readme: str, pyproject: Mapping[str, Any]) -> None:
    [names] = re.findall(
        r"^\| `trueup` \| the SDK alone.*\((.*)\) \|$", section(readme, "Install it"), flags=re.MULTILINE
    )
    needed = [re.split(r"[<>=]", line)[0] for line in pyproject["project"]["dependencies"]]
    assert names.split(", ") == needed
