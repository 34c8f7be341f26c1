"""The generated files are current, the same every time, and sound by themselves."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator

from trueup_schemas import cloudevents
from trueup_schemas.asyncapi import document
from trueup_schemas.generate import GENERATED, files, main, stale
from trueup_schemas.topics import TOPICS


def references(value: Any) -> Iterator[str]:
    if isinstance(value, dict):
        if isinstance(value.get("$ref"), str):
            yield value["$ref"]
        for inner in value.values():
            yield from references(inner)
    elif isinstance(value, list):
        for inner in value:
            yield from references(inner)


def resolve(root: Any, reference: str) -> Any:
    for part in reference.removeprefix("#/").split("/"):
        root = root[part]
    return root


def test_the_files_in_the_repository_are_current() -> None:
    assert stale(GENERATED) == []


def test_generating_twice_gives_the_same_text() -> None:
    assert files() == files()


def test_a_fresh_folder_is_written_and_then_current(tmp_path: Path) -> None:
    assert main(["--into", str(tmp_path)]) == 0
    assert main(["--check", "--into", str(tmp_path)]) == 0


def test_a_check_names_each_file_that_is_not_current(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    main(["--into", str(tmp_path)])
    (tmp_path / "alerts.schema.json").write_text("{}")
    (tmp_path / "audit.schema.json").unlink()
    (tmp_path / "rumours.schema.json").write_text("{}")
    assert main(["--check", "--into", str(tmp_path)]) == 1
    lines = capsys.readouterr().err.splitlines()
    assert [line.partition(" (mend")[0] for line in lines] == [
        f"{tmp_path / 'alerts.schema.json'}: is not what the models say",
        f"{tmp_path / 'audit.schema.json'}: is missing",
        f"{tmp_path / 'rumours.schema.json'}: belongs to no topic",
    ]


@pytest.mark.parametrize("topic", [name for name, topic in TOPICS.items() if topic.value is not None])
def test_a_schema_is_sound_and_has_an_id_of_its_own(topic: str) -> None:
    schema = json.loads((GENERATED / f"{topic}.schema.json").read_text(encoding="utf-8"))
    Draft202012Validator.check_schema(schema)
    assert schema["$id"] == f"urn:trueup:schema:{topic}:1"
    for reference in references(schema):
        resolve(schema, reference)


def test_a_prediction_that_says_nothing_does_not_fit_its_schema() -> None:
    schema = Draft202012Validator(json.loads((GENERATED / "predictions.schema.json").read_text(encoding="utf-8")))
    event = {"prediction_id": "p", "model_id": "m", "model_version": "v"}
    assert not schema.is_valid(event)
    assert not schema.is_valid(event | {"prediction": None})
    assert schema.is_valid(event | {"error": "timeout"})
    assert schema.is_valid(event | {"prediction": False})


def test_every_reference_of_the_document_leads_somewhere() -> None:
    whole = document()
    found = set(references(whole))
    assert found
    for reference in found:
        assert resolve(whole, reference) is not None


def test_every_topic_is_a_channel_and_every_outward_one_an_operation() -> None:
    whole = document()
    assert whole["asyncapi"] == "3.0.0"
    assert {channel["address"] for channel in whole["channels"].values()} == {"{prefix}" + name for name in TOPICS}
    assert {operation["action"]: None for operation in whole["operations"].values()} == {"send": None, "receive": None}
    assert set(whole["operations"]) == {
        f"{'send' if topic.direction == 'in' else 'receive'}-{topic.name}"
        for topic in TOPICS.values()
        if topic.direction != "internal"
    }


def test_the_payload_of_a_message_is_the_schema_of_its_topic() -> None:
    whole = document()
    for topic in TOPICS.values():
        message = whole["components"]["messages"][topic.name]
        if topic.value is None:
            assert "payload" not in message
            continue
        payload = message["payload"]
        assert ("oneOf" in payload) == topic.batches
        event = resolve(whole, (payload["oneOf"][0] if topic.batches else payload)["$ref"])
        generated = json.loads((GENERATED / f"{topic.name}.schema.json").read_text(encoding="utf-8"))
        assert event.get("required") == generated.get("required")
        assert set(event.get("properties", ())) == set(generated.get("properties", ()))


def test_outputs_carry_the_attributes_of_cloudevents() -> None:
    names = {name for name, _ in cloudevents.headers(event_id="i", event_type="t", source="s", time="t")}
    for topic in ("alerts", "triggers", "audit"):
        assert set(document()["components"]["messages"][topic]["headers"]["required"]) == names


def test_no_schema_of_the_document_speaks_another_dialect() -> None:
    text = json.dumps(document()["components"]["schemas"])
    for word in ('"$defs"', '"prefixItems"', '"$schema"', '"$id"', '"mapping"'):
        assert word not in text
