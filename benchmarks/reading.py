"""Reads what lies in a topic, from here to there."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.errors import BenchmarkFailed

DEADLINE_SECONDS = 60.0


@dataclass(frozen=True, slots=True)
class Read:
    """One record."""

    partition: int
    offset: int
    #: Its timestamp, in seconds.
    at: float
    value: bytes


def ends(bootstrap: str, topic: str, partitions: int) -> dict[int, int]:
    """Partition -> the offset after its last record."""
    consumer = _consumer(bootstrap)
    try:
        found = {
            part: consumer.get_watermark_offsets(TopicPartition(topic, part), timeout=10) for part in range(partitions)
        }
    finally:
        consumer.close()
    return {part: high for part, (_, high) in found.items()}


def read_between(bootstrap: str, topic: str, began: Mapping[int, int], ended: Mapping[int, int]) -> Iterator[Read]:
    """Records from `began` up to, not including, `ended`, in the order of each partition.

    Raises:
        BenchmarkFailed: they did not all come within a minute.
    """
    consumer = _consumer(bootstrap)
    left = {part: ended[part] for part in ended if ended[part] > began[part]}
    deadline = time.monotonic() + DEADLINE_SECONDS
    try:
        consumer.assign([TopicPartition(topic, part, began[part]) for part in left])
        while left:
            if time.monotonic() > deadline:
                raise BenchmarkFailed(f"{topic} could not be read up to {left} within {DEADLINE_SECONDS:.0f} s")
            for message in consumer.consume(num_messages=5_000, timeout=0.5):
                if message.error() is not None:
                    raise KafkaException(message.error())
                part, offset = message.partition(), message.offset()
                if offset < ended[part]:
                    yield Read(part, offset, message.timestamp()[1] / 1000, message.value())
                if offset >= ended[part] - 1:
                    left.pop(part, None)
    finally:
        consumer.close()


def _consumer(bootstrap: str) -> Consumer:
    return Consumer({"bootstrap.servers": bootstrap, "group.id": "benchmarks", "enable.auto.commit": False})
