"""The AsyncAPI 3.0 document of all topics, seen from the app or the pipeline: it sends what comes in here."""

from __future__ import annotations

from typing import Any

from trueup_schemas import cloudevents, dead_letter
from trueup_schemas.json_schema import event_schema
from trueup_schemas.topics import DEFAULT_PARTITIONS, DEFAULT_PREFIX, TOPICS, Topic

ASYNCAPI_VERSION = "3.0.0"
#: Of the contract, not of the software: raised when something is taken away or changes its meaning.
CONTRACT_VERSION = "1.0.0"
KAFKA_BINDING_VERSION = "0.5.0"

_ABOUT = """\
Predictions are estimates; feedback is the truth. Trueup reconciles the two and acts when they part ways.

Every topic has the same number of partitions, and records are placed by the murmur2 hash of their key, as the Java
client does. A record holds one JSON object, or, where a message says so, an array of objects of one model. Outputs
evolve only by adding: ignore fields that you do not know, pass words on that you do not know. Servers are yours.
"""


def document() -> dict[str, Any]:
    """The whole document, without servers."""
    schemas: dict[str, Any] = {}
    return {
        "asyncapi": ASYNCAPI_VERSION,
        "info": {
            "title": "Trueup",
            "version": CONTRACT_VERSION,
            "description": _ABOUT,
            "license": {"name": "Apache-2.0", "url": "https://www.apache.org/licenses/LICENSE-2.0"},
        },
        "defaultContentType": "application/json",
        "channels": {topic.name: _channel(topic) for topic in TOPICS.values()},
        "operations": {
            f"{_action(topic)}-{topic.name}": _operation(topic)
            for topic in TOPICS.values()
            if topic.direction != "internal"
        },
        "components": {
            "messages": {topic.name: _message(topic, schemas) for topic in TOPICS.values()},
            "schemas": schemas,
        },
    }


def _action(topic: Topic) -> str:
    return "send" if topic.direction == "in" else "receive"


def _channel(topic: Topic) -> dict[str, Any]:
    about = topic.about
    if topic.direction == "internal":
        about += " Internal: read it if you like, but it may change without notice."
    return {
        "address": "{prefix}" + topic.name,
        "description": about,
        "parameters": {"prefix": {"description": "What all names begin with.", "default": DEFAULT_PREFIX}},
        "messages": {"event": {"$ref": f"#/components/messages/{topic.name}"}},
        "bindings": {
            "kafka": {
                "partitions": DEFAULT_PARTITIONS,
                "topicConfiguration": _topic_configuration(topic),
                "bindingVersion": KAFKA_BINDING_VERSION,
            }
        },
    }


def _topic_configuration(topic: Topic) -> dict[str, Any]:
    """As far as it does not depend on the label horizon."""
    match topic.retention:
        case "compacted":
            return {"cleanup.policy": ["compact"]}
        case "kept":
            return {"cleanup.policy": ["delete"], "retention.ms": -1}
        case "week":
            return {"cleanup.policy": ["delete"], "retention.ms": 7 * 24 * 3_600_000}
        case "label_horizon":
            return {"cleanup.policy": ["delete"]}


def _operation(topic: Topic) -> dict[str, Any]:
    return {
        "action": _action(topic),
        "channel": {"$ref": f"#/channels/{topic.name}"},
        "summary": topic.about,
        "messages": [{"$ref": f"#/channels/{topic.name}/messages/event"}],
    }


def _message(topic: Topic, schemas: dict[str, Any]) -> dict[str, Any]:
    message: dict[str, Any] = {
        "name": topic.name,
        "summary": topic.about,
        "contentType": "application/json",
        "bindings": {
            "kafka": {
                "key": {"type": "string", "description": topic.key},
                "bindingVersion": KAFKA_BINDING_VERSION,
            }
        },
    }
    if topic.value is None:
        message["contentType"] = "application/octet-stream"
        message["headers"] = _headers({name: {"type": "string"} for name in dead_letter.REQUIRED_HEADERS})
        message["headers"]["properties"][dead_letter.HEADER_INDEX] = {"type": "string"}
        return message
    event = {"$ref": f"#/components/schemas/{_hoist(topic, schemas)}"}
    batch = {"type": "array", "items": event, "description": "Events of one model."}
    message["payload"] = {"oneOf": [event, batch]} if topic.batches else event
    if topic.direction == "out":
        names = cloudevents.headers(event_id="", event_type="", source="", time="")
        message["headers"] = _headers({name: {"type": "string"} for name, _ in names})
    return message


def _headers(properties: dict[str, Any]) -> dict[str, Any]:
    return {"type": "object", "properties": dict(properties), "required": list(properties)}


def _hoist(topic: Topic, schemas: dict[str, Any]) -> str:
    """Put the event's schema and those it refers to among the document's own; the name it has there."""
    schema = _as_asyncapi(event_schema(topic))
    schemas.update(schema.pop("$defs", {}))
    name = str(schema.get("title") or topic.name.rstrip("s").title())
    schemas[name] = schema
    return name


def _as_asyncapi(schema: Any) -> Any:
    """AsyncAPI's own dialect is that of draft 7: tuples are written otherwise, and all definitions in one place."""
    if isinstance(schema, list):
        return [_as_asyncapi(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain: dict[str, Any] = {}
    for key, value in schema.items():
        if key in ("$schema", "$id"):
            continue
        if key == "$ref":
            plain[key] = value.replace("#/$defs/", "#/components/schemas/")
        elif key == "prefixItems":
            plain["items"] = _as_asyncapi(value)
        elif key == "discriminator" and isinstance(value, dict) and "propertyName" in value:
            plain[key] = value["propertyName"]
        else:
            plain[key] = _as_asyncapi(value)
    return plain
