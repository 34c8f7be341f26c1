"""The port through which an inbox reads `triggers` and `trigger-updates`, and kafka-python behind it.

The partitions are assigned, not subscribed to: a pipeline may train for hours without a poll, and neither a poll
interval nor a rebalance can take a trigger away from it in the middle. The group holds the committed offsets only.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Protocol

from trueup.sdk.kafka_port import PROTOCOL_VERSION, Servers, secured
from trueup.sdk.quiet_kafka import quieten

#: Waiting for Kafka when it is not known whether it is there, and once it was.
CONNECT_MS = 3_000
NETWORK_MS = 5_000


class TriggerLogUnavailable(Exception):
    """Kafka or a topic is not there: close the log, and open another later."""


@dataclass(frozen=True, slots=True)
class TriggerRecord:
    partition: int
    offset: int
    value: bytes | None
    #: The record's timestamp, which is the wall clock's also where the events are of another time.
    published_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class News:
    """What a read brought, in the order of each partition."""

    updates: list[bytes] = field(default_factory=list)
    triggers: list[TriggerRecord] = field(default_factory=list)


class TriggerLog(Protocol):
    """Used by one thread at a time. Every method may raise `TriggerLogUnavailable`, except `close`."""

    def read(self, timeout_s: float) -> News:
        """What is new, waiting up to about `timeout_s` for it.

        Triggers are read from the committed offsets on (at first from the beginning), and none is returned before
        every update that was there when the log was opened.
        """

    def commit(self, offsets: Mapping[int, int]) -> None:
        """Partition of `triggers` → the offset at which a later log is to begin."""

    def close(self) -> None:
        """Let go of all resources, in bounded time. Never raises."""


class KafkaTriggerLog:
    """`TriggerLog` on kafka-python. Building it waits up to `CONNECT_MS` for Kafka to be there."""

    def __init__(
        self, servers: Servers, *, group_id: str, triggers: str, updates: str, security: Mapping[str, Any]
    ) -> None:
        from kafka import KafkaConsumer

        quieten()
        self._triggers = triggers
        self._updates = updates
        self._consumer = KafkaConsumer(
            bootstrap_servers=servers,
            api_version=PROTOCOL_VERSION,
            client_id="trueup-inbox",
            group_id=group_id,
            enable_auto_commit=False,
            auto_offset_reset="earliest",
            allow_auto_create_topics=False,
            metrics_enabled=False,
            request_timeout_ms=NETWORK_MS,
            reconnect_backoff_max_ms=2_000,
            **secured(security, KafkaConsumer.DEFAULT_CONFIG),
        )
        try:
            self._assign()
        except BaseException:
            self.close()
            raise

    def read(self, timeout_s: float) -> News:
        from kafka.errors import KafkaError

        news = News()
        try:
            for partition, records in self._consumer.poll(int(timeout_s * 1_000)).items():
                if partition.topic == self._updates:
                    news.updates.extend(record.value for record in records if record.value)
                else:
                    news.triggers.extend(
                        TriggerRecord(partition.partition, r.offset, r.value, _published_at(r.timestamp))
                        for r in records
                    )
            self._go_on_when_caught_up()
        except KafkaError as error:
            raise TriggerLogUnavailable(f"reading {self._triggers} failed ({type(error).__name__})") from error
        return news

    def commit(self, offsets: Mapping[int, int]) -> None:
        from kafka import TopicPartition
        from kafka.errors import KafkaError
        from kafka.structs import OffsetAndMetadata

        positions = {TopicPartition(self._triggers, p): OffsetAndMetadata(offset) for p, offset in offsets.items()}
        try:
            self._consumer.commit(positions, timeout_ms=NETWORK_MS)
        except KafkaError as error:
            raise TriggerLogUnavailable(f"committing to {self._triggers} failed ({type(error).__name__})") from error

    def close(self) -> None:
        from kafka.errors import KafkaError

        try:
            self._consumer.close(autocommit=False, timeout_ms=1_000)
        except KafkaError:
            return  # Nothing is left to save: what was to be committed has been, or will be repeated.

    def _assign(self) -> None:
        from kafka.errors import KafkaError

        try:
            triggers, updates = self._partitions_of(self._triggers), self._partitions_of(self._updates)
            self._consumer.assign([*triggers, *updates])
            self._consumer.pause(*triggers)
            self._consumer.seek_to_beginning(*updates)
            self._to_catch_up = self._consumer.end_offsets(updates, timeout_ms=NETWORK_MS)
        except KafkaError as error:
            raise TriggerLogUnavailable(
                f"{self._triggers} and {self._updates} cannot be read ({type(error).__name__}): is Kafka up, "
                "and were the topics created (`trueup topics create`)?"
            ) from error

    def _partitions_of(self, topic: str) -> list[Any]:
        from kafka import TopicPartition

        # Of the calls that wait for Kafka only this one keeps to its time while there has been no connection at all.
        self._consumer.end_offsets([TopicPartition(topic, 0)], timeout_ms=CONNECT_MS)
        return [TopicPartition(topic, partition) for partition in sorted(self._consumer.partitions_for_topic(topic))]

    def _go_on_when_caught_up(self) -> None:
        """Read triggers only once the updates are read that say which of them are finished."""
        if not self._to_catch_up:
            return
        for partition, end in list(self._to_catch_up.items()):
            if (self._consumer.position(partition, timeout_ms=NETWORK_MS) or 0) >= end:
                del self._to_catch_up[partition]
        if not self._to_catch_up:
            self._consumer.resume(*self._consumer.paused())


def _published_at(timestamp_ms: int) -> datetime | None:
    """Kafka writes -1 where a record has no timestamp."""
    return datetime.fromtimestamp(timestamp_ms / 1_000, UTC) if timestamp_ms >= 0 else None
