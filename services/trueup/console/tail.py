"""Follows a topic: `trueup tail alerts|triggers|signals|dead-letters`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

import orjson
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError

from trueup.errors import Unavailable
from trueup.settings import Settings


def follow(settings: Settings, topic: str, *, from_start: bool, forever: bool) -> Iterator[dict[str, Any]]:
    """The records of a topic as plain values, from its start or from now on; to its present end, or forever.

    Raises:
        Unavailable: Kafka does not answer.
    """
    full = settings.kafka.topic_prefix + topic
    parts = [TopicPartition(full, partition) for partition in range(settings.kafka.partitions)]
    try:
        consumer = KafkaConsumer(bootstrap_servers=settings.kafka.bootstrap.split(","), enable_auto_commit=False)
        try:
            consumer.assign(parts)
            ends = consumer.end_offsets(parts)
            (consumer.seek_to_beginning if from_start else consumer.seek_to_end)(*parts)
            while forever or any(consumer.position(part) < ends[part] for part in parts):
                for batch in consumer.poll(timeout_ms=500).values():
                    yield from (_plain(record) for record in batch)
        finally:
            consumer.close()
    except (KafkaError, OSError) as error:
        raise Unavailable(f"Kafka does not answer at {settings.kafka.bootstrap}: {error!r}") from error


def _plain(record: Any) -> dict[str, Any]:
    value = record.value or b""
    try:
        content: Any = orjson.loads(value)
    except orjson.JSONDecodeError:
        content = value.decode("utf-8", "backslashreplace")
    headers: Mapping[str, str] = {name: text.decode("utf-8", "replace") for name, text in record.headers}
    return {"partition": record.partition, "offset": record.offset, "headers": headers, "value": content}


def one_line(topic: str, record: Mapping[str, Any]) -> str:
    """A record as one line for a person."""
    value, headers = record["value"], record["headers"]
    if topic == "dead-letters":
        return f"{headers.get('trueup_reason')}\t{headers.get('trueup_topic')}\t{headers.get('trueup_detail')}"
    if not isinstance(value, dict):
        return str(value)
    if topic == "alerts":
        return f"{value['updated_at']}\t{value['status']}\t{value['severity']}\t{value['summary']}"
    if topic == "triggers":
        return f"{value['requested_at']}\t{value['action']}\t{value['model_id']} {value['model_version']}"
    version = value.get("model_version", "")
    return f"{record['partition']}:{value.get('number')}\t{value.get('type')}\t{value.get('model_id')} {version}"
