"""What docs/security.md tells is so: its settings are settings, its code runs, its rights are for topics that exist."""

from __future__ import annotations

import re
import tomllib
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from security.rights import PAGE, kafka_rights
from trueup.connections.kafka_security import KafkaSecurity
from trueup.connections.redis_settings import RedisSettings
from trueup.sdk import Emitter, TriggerInbox
from trueup.settings import read
from trueup.workers.setups import INPUTS, OUTPUTS
from trueup_schemas.topics import TOPICS


def blocks(language: str) -> list[str]:
    found = re.findall(rf"^```{language}\n(.*?)^```$", PAGE.read_text(), flags=re.MULTILINE | re.DOTALL)
    return [str(block) for block in found]


@pytest.mark.parametrize("text", blocks("toml"), ids=["kafka", "redis"])
def test_the_settings_of_the_page_are_taken(text: str, tmp_path: Path) -> None:
    file = tmp_path / "trueup.toml"
    file.write_text(text)
    settings = read(file)
    [(section, told)] = tomllib.loads(text).items()
    assert getattr(settings, section).model_dump(include=set(told)) != {}


def test_the_page_names_every_setting_and_no_other() -> None:
    kafka, redis = PAGE.read_text().split("\n## Redis\n")
    for settings, text in ((KafkaSecurity, kafka), (RedisSettings, redis.split("\n## ")[0])):
        named = set(re.findall(r"`([a-z]+(?:_[a-z]+)*)`", text)) | set(re.findall(r"^([a-z_]+) = ", text, re.MULTILINE))
        assert set(settings.model_fields) - {"key_prefix"} <= named


def test_the_code_of_the_page_makes_an_emitter_and_an_inbox(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("KAFKA_PASSWORD", "s3cret")
    [code] = blocks("python")
    found: dict[str, Any] = {}
    exec(f"import os\n{code}", found)
    with ExitStack() as leave:
        emitter, inbox = found["emitter"], found["inbox"]
        assert isinstance(emitter, Emitter)
        assert isinstance(inbox, TriggerInbox)
        leave.callback(emitter.close, 0)
        leave.callback(inbox.close)


def test_the_rights_of_a_worker_are_those_to_its_topics() -> None:
    rights = list(kafka_rights())
    for worker, topics in INPUTS.items():
        own = [right for right in rights if right.principal == f"User:trueup-{worker}"]
        may = {
            operation: {right.resource_pattern.resource_name for right in own if right.operation.name == operation}
            for operation in ("READ", "WRITE")
        }
        assert may["READ"] == {f"trueup.{topic.name}" for topic in topics} | {f"trueup-{worker}"}
        assert may["WRITE"] == {f"trueup.{topic.name}" for topic in OUTPUTS[worker]}
    named = {right.resource_pattern.resource_name for right in rights}
    assert {name.removeprefix("trueup.") for name in named if name.startswith("trueup.")} - {""} <= set(TOPICS)
