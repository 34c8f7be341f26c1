"""Follows a topic: `trueup tail`, and a line for a person of each record."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import orjson
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from trueup.connections.kafka_login import refuse_bad_login
from trueup.connections.kafka_python import kafka_python_arguments
from trueup.connections.kafka_rights import missing_right
from trueup.console.printable import printable, tab_separated
from trueup.errors import InvalidSettings, Unavailable
from trueup.settings import Settings

#: Topic -> what a person reads of its records.
FIELDS: Mapping[str, tuple[str, ...]] = {
    "alerts": ("updated_at", "status", "severity", "summary"),
    "triggers": ("requested_at", "action", "model_id", "model_version"),
    "signals": ("number", "type", "model_id", "model_version"),
    "audit": ("at", "actor", "what", "reason", "model_id", "subject"),
}


def follow(settings: Settings, topic: str, *, from_start: bool, forever: bool) -> Iterator[dict[str, Any]]:
    """The records of a topic as plain values, from its start or from now on; to its present end, or forever.

    Raises:
        InvalidSettings: there is no such topic, or Kafka does not let us read it.
        Unavailable: Kafka does not answer, or has fewer partitions of the topic.
    """
    full = settings.kafka.topic_prefix + topic
    parts = [TopicPartition(full, partition) for partition in range(settings.kafka.partitions)]
    security = settings.kafka.security
    refuse_bad_login(settings.kafka.bootstrap, security)
    try:
        consumer = KafkaConsumer(
            bootstrap_servers=settings.kafka.bootstrap.split(","),
            enable_auto_commit=False,
            **kafka_python_arguments(security),
        )
        try:
            if full not in consumer.topics():
                unseen = "" if security.protocol == "PLAINTEXT" else ", or a right to read it is missing"
                raise InvalidSettings(f"there is no topic {full}{unseen}; make it with `trueup topics create`")
            consumer.assign(parts)
            ends = consumer.end_offsets(parts)
            (consumer.seek_to_beginning if from_start else consumer.seek_to_end)(*parts)
            while forever or any(consumer.position(part) < ends[part] for part in parts):
                for batch in consumer.poll(timeout_ms=500).values():
                    yield from (_plain(record) for record in batch)
        finally:
            consumer.close()
    except (KafkaError, OSError, ValueError) as error:
        address, refused = settings.kafka.bootstrap, missing_right(error, f"read {full}")
        raise refused or Unavailable(
            f"Kafka does not answer at {address}, or lacks partitions of {full}: {error!r}"
        ) from error


def _plain(record: Any) -> dict[str, Any]:
    value = record.value or b""
    try:
        content: Any = orjson.loads(value)
    except orjson.JSONDecodeError:
        content = value.decode("utf-8", "backslashreplace")
    headers: Mapping[str, str] = {name: (text or b"").decode("utf-8", "replace") for name, text in record.headers}
    return {"partition": record.partition, "offset": record.offset, "headers": headers, "value": content}


def one_line(topic: str, record: Mapping[str, Any]) -> str:
    """A record as one line for a person; `-` for what it does not say."""
    value, headers = record["value"], record["headers"]
    if topic == "dead-letters":
        return _fields(headers, ("trueup_reason", "trueup_topic", "trueup_detail"))
    if not isinstance(value, dict):
        return printable(value)
    if topic == "journal":
        return _journal_line(value)
    line = _fields(value, FIELDS[topic])
    # A signal is known by its partition and number.
    return f"{record['partition']}:{line}" if topic == "signals" else line


def _fields(said: Mapping[str, Any], names: Sequence[str]) -> str:
    return tab_separated(*("-" if said.get(name) is None else said[name] for name in names))


def _journal_line(entry: Mapping[str, Any]) -> str:
    """One save of one partition, and how much it took."""
    counts: Counter[str] = Counter()
    for note in entry.get("taken", []):
        if note["type"] == "chunk":
            counts[f"records of {note['topic']}"] += note["to_offset"] - note["from_offset"]
        else:
            counts[f"{note['type']}s"] += 1
    taken = ", ".join(f"{count:,} {what}" for what, count in counts.items()) or "nothing"
    where = f"{entry.get('worker')}:{entry.get('partition')}"
    return tab_separated(where, f"epoch {entry.get('epoch')}", f"save {entry.get('save')}", taken)
