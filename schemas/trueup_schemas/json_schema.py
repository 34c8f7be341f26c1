"""The JSON Schema (2020-12) of one event of each topic, from the models that validate it."""

from __future__ import annotations

from typing import Any

from pydantic import TypeAdapter
from pydantic.json_schema import GenerateJsonSchema, JsonSchemaMode
from pydantic_core import CoreSchema

from trueup_schemas.topics import Topic

DIALECT = "https://json-schema.org/draft/2020-12/schema"


class _WithoutFieldTitles(GenerateJsonSchema):
    """A title that only repeats the field's name in other letters tells nobody anything."""

    def field_title_should_be_set(self, schema: CoreSchema | Any) -> bool:  # noqa: ARG002
        return False


def event_schema(topic: Topic) -> dict[str, Any]:
    """The schema of one event: what comes in as it is read, what goes out as it is written.

    A schema cannot say all that the codec checks: an integer has at most 64 bits, a time has an offset from UTC.

    Raises:
        ValueError: the topic holds bytes as they came.
    """
    if topic.value is None:
        raise ValueError(f"topic {topic.name} holds bytes as they came: it has no schema")
    mode: JsonSchemaMode = "serialization" if topic.direction == "out" else "validation"
    adapter: TypeAdapter[Any] = TypeAdapter(topic.value)
    schema = adapter.json_schema(mode=mode, schema_generator=_WithoutFieldTitles)
    if topic.one_of:
        schema["anyOf"] = [_given(name) for name in topic.one_of]
    return {"$schema": DIALECT, "$id": f"urn:trueup:schema:{topic.name}:1", **schema}


def _given(name: str) -> dict[str, Any]:
    return {"required": [name], "properties": {name: {"not": {"type": "null"}}}}
