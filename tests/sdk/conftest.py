"""What the tests of the SDK share: topics of their own on the live Kafka, and waiting for something to become true."""

import gc
import json
import logging
import time
import uuid
import warnings
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from sdk.fake_producer import PATIENT, FakeProducer
from trueup.embedded import Stack
from trueup.sdk import Emitter

with warnings.catch_warnings():
    # kafka-python reads its schemas in a way that Python 3.11 deprecates. The emitter's thread imports it again.
    warnings.simplefilter("ignore")
    from kafka import KafkaConsumer, KafkaProducer, TopicPartition
    from kafka.admin import KafkaAdminClient, NewTopic

PARTITIONS = 4


class Topics:
    """The topics of one test, under a prefix of their own."""

    def __init__(self, servers: str) -> None:
        self.servers = servers
        self.prefix = f"test-{uuid.uuid4().hex[:12]}."

    def create(self, *names: str) -> None:
        admin = KafkaAdminClient(bootstrap_servers=self.servers)
        try:
            admin.create_topics([NewTopic(self.prefix + name, PARTITIONS, 1) for name in names])
        finally:
            admin.close()

    def records(self, name: str) -> list[Any]:
        """Every record of a topic, partition by partition."""
        consumer = KafkaConsumer(bootstrap_servers=self.servers, enable_auto_commit=False)
        try:
            partitions = [TopicPartition(self.prefix + name, number) for number in range(PARTITIONS)]
            consumer.assign(partitions)
            consumer.seek_to_beginning(*partitions)
            ends = consumer.end_offsets(partitions)
            records: list[Any] = []
            while any(consumer.position(partition) < ends[partition] for partition in partitions):
                for found in consumer.poll(500).values():
                    records.extend(found)
            return records
        finally:
            consumer.close()

    def events(self, name: str) -> list[dict[str, Any]]:
        """Every event of a topic, those of one partition in order."""
        events: list[dict[str, Any]] = []
        for record in self.records(name):
            value = json.loads(record.value)
            events.extend(value if isinstance(value, list) else [value])
        return events

    def write(self, name: str, *events: dict[str, Any]) -> None:
        producer = KafkaProducer(bootstrap_servers=self.servers)
        try:
            for event in events:
                producer.send(self.prefix + name, key=event["model_id"].encode(), value=json.dumps(event).encode())
            producer.flush(10)
        finally:
            producer.close()

    def committed(self, group: str) -> int:
        """How many triggers the group has behind it, all partitions together."""
        consumer = KafkaConsumer(bootstrap_servers=self.servers, group_id=group, enable_auto_commit=False)
        try:
            return sum(
                consumer.committed(TopicPartition(f"{self.prefix}triggers", number)) or 0
                for number in range(PARTITIONS)
            )
        finally:
            consumer.close()


@pytest.fixture
def topics(stack: Stack) -> Topics:
    return Topics(stack.addresses.kafka)


@pytest.fixture
def make_topics() -> type[Topics]:
    """For a Kafka of the test's own."""
    return Topics


@pytest.fixture
def refused_sockets(caplog: pytest.LogCaptureFixture) -> Iterator[None]:
    """kafka-python leaves a socket that was refused to the garbage collector, and log records can keep it longer.

    For tests without Kafka, together with the mark `IGNORE_REFUSED_SOCKETS` of their file.
    """
    with caplog.at_level(logging.CRITICAL, logger="kafka"):
        yield
        gc.collect()


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
def emitter(producer: FakeProducer) -> Iterator[Emitter]:
    with Emitter("unused", limits=PATIENT, connect=lambda: producer) as emitter:
        yield emitter


Eventually = Callable[..., None]


@pytest.fixture
def eventually() -> Eventually:
    """Wait until a condition holds; fail when it does not within some seconds."""

    def wait(condition: Callable[[], bool], *, within_s: float = 10.0) -> None:
        deadline = time.monotonic() + within_s
        while not condition():
            if time.monotonic() > deadline:
                pytest.fail(f"did not come true within {within_s} s")
            time.sleep(0.005)

    return wait
