"""The golden examples: what is promised to the outside, read, written and described the same for ever."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from jsonschema import Draft202012Validator
from jsonschema.protocols import Validator

from trueup_schemas.codec import Codec, encode
from trueup_schemas.dead_letter import DeadLetterReason
from trueup_schemas.topics import TOPICS

EXAMPLES = Path(__file__).parents[2] / "schemas" / "examples"
GENERATED = Path(__file__).parents[2] / "schemas" / "generated"
VALID = sorted(EXAMPLES.glob("*/*.json"))
INVALID = sorted(path for path in EXAMPLES.glob("*/invalid/*") if path.is_file())


def named(path: Path) -> str:
    return path.relative_to(EXAMPLES).as_posix()


def schema_of(topic: str) -> Validator:
    return Draft202012Validator(json.loads((GENERATED / f"{topic}.schema.json").read_text(encoding="utf-8")))


@pytest.mark.parametrize("path", VALID, ids=named)
def test_a_valid_example_is_read_without_a_fault(path: Path) -> None:
    value = path.read_bytes()
    decoded = Codec(TOPICS[path.parent.name]).decode(value)
    assert decoded.faults == []
    raw = json.loads(value)
    assert [index for index, _ in decoded.events] == list(range(len(raw) if isinstance(raw, list) else 1))


@pytest.mark.parametrize("path", VALID, ids=named)
def test_an_example_written_again_reads_the_same_and_has_the_same_bytes_for_ever(path: Path) -> None:
    topic = TOPICS[path.parent.name]
    codec = Codec(topic)
    for _, event in codec.decode(path.read_bytes()).events:
        once = encode(topic, event)
        ((_, again),) = codec.decode(once).events
        assert encode(topic, again) == once
        assert {name: held for name, held in again.items() if held is not None} == {
            name: held for name, held in event.items() if held is not None
        }


@pytest.mark.parametrize("path", VALID, ids=named)
def test_an_example_fits_the_generated_schema_as_it_stands_and_written_again(path: Path) -> None:
    topic = TOPICS[path.parent.name]
    schema = schema_of(topic.name)
    raw: Any = json.loads(path.read_bytes())
    if "later-version" not in path.name and "minimal" not in path.name:
        for event in raw if isinstance(raw, list) else [raw]:
            schema.validate(event)
    for _, event in Codec(topic).decode(path.read_bytes()).events:
        schema.validate(json.loads(encode(topic, event)))


@pytest.mark.parametrize("path", INVALID, ids=named)
def test_an_invalid_example_is_a_dead_letter_for_exactly_its_reason(path: Path) -> None:
    reason = DeadLetterReason(path.name.split(".")[0])
    decoded = Codec(TOPICS[path.parents[1].name]).decode(path.read_bytes())
    assert [fault.reason for fault in decoded.faults] == [reason]


def test_every_topic_with_a_schema_has_examples_and_invalid_ones() -> None:
    with_schema = {topic.name for topic in TOPICS.values() if topic.value is not None}
    assert {path.parent.name for path in VALID} == with_schema
    assert {path.parents[1].name for path in INVALID} == with_schema
