"""Outputs arrive in Kafka as they were meant, or the publisher says that it does not know."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import socket
import uuid
from collections.abc import Coroutine
from typing import Any

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic

from engine.counting import MODELS
from trueup.embedded import Stack
from trueup.embedded.ports import free_ports
from trueup.engine.partitioner import partition_for
from trueup.engine.publisher import KafkaPublisher
from trueup.errors import Unavailable
from trueup.step import Output

PARTITIONS = 4


def within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Run it; it fails where it has not come to an end by then."""

    async def limited() -> None:
        async with asyncio.timeout(seconds):
            await work

    asyncio.run(limited())


async def create(stack: Stack, *topics: str, max_bytes: int = 1_000_000) -> None:
    configs = {"max.message.bytes": str(max_bytes)}
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.addresses.kafka)
    await admin.start()
    try:
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1, topic_configs=configs) for topic in topics])
    finally:
        await admin.close()


async def arrived(stack: Stack, topic: str, partition: int) -> list[tuple[bytes | None, bytes, list[Any]]]:
    """All records of a partition."""
    where = TopicPartition(topic, partition)
    consumer = AIOKafkaConsumer(bootstrap_servers=stack.addresses.kafka, auto_offset_reset="earliest")
    await consumer.start()
    try:
        consumer.assign([where])
        end = (await consumer.end_offsets([where]))[where]
        found: list[Any] = []
        while len(found) < end:
            found += (await consumer.getmany(where, timeout_ms=500)).get(where, [])
        return [(record.key, record.value, list(record.headers)) for record in found]
    finally:
        await consumer.stop()


@pytest.mark.live
def test_outputs_arrive_with_key_headers_and_partition_in_order(stack: Stack) -> None:
    prefix = f"test-{uuid.uuid4().hex[:8]}."
    headers = (("ce_id", b"\xff\x00"), ("ce_id", b"twice"))
    fixed = [Output("signals", b"m", b"%d" % at, headers, partition=at % PARTITIONS) for at in range(400)]
    keyed = [Output("alerts", model.encode(), b"a", ()) for models in MODELS.values() for model in models]
    bare = [Output("audit", None, b"", (), partition=3)]

    async def work() -> None:
        await create(stack, prefix + "signals", prefix + "alerts", prefix + "audit")
        publisher = KafkaPublisher(stack.addresses.kafka, prefix=prefix)
        await publisher.start()
        try:
            await publisher.publish([])
            await publisher.publish(fixed[:200] + keyed)
            await publisher.publish(bare + fixed[200:])
        finally:
            await publisher.stop()
        for partition in range(PARTITIONS):
            expected = [(b"m", b"%d" % at, list(headers)) for at in range(partition, 400, PARTITIONS)]
            assert await arrived(stack, prefix + "signals", partition) == expected
            by_key = [output for output in keyed if partition_for(output.key or b"", PARTITIONS) == partition]
            assert await arrived(stack, prefix + "alerts", partition) == [(output.key, b"a", []) for output in by_key]
        assert await arrived(stack, prefix + "audit", 3) == [(None, b"", [])]

    within(60, work())


@pytest.mark.live
@pytest.mark.parametrize("size", [20_000, 5_000_000], ids=["by the broker", "by the client"])
def test_an_output_that_is_refused_is_unavailable_and_the_next_one_still_goes_out(stack: Stack, size: int) -> None:
    prefix = f"test-{uuid.uuid4().hex[:8]}."
    large = Output("signals", b"m", b"x" * size, (), partition=0)

    async def work() -> None:
        await create(stack, prefix + "signals", max_bytes=10_000)
        publisher = KafkaPublisher(stack.addresses.kafka, prefix=prefix)
        await publisher.start()
        try:
            with pytest.raises(Unavailable, match="Kafka did not take"):
                await publisher.publish([Output("signals", b"m", b"1", (), partition=1), large])
            await publisher.publish([Output("signals", b"m", b"2", (), partition=0)])
        finally:
            await publisher.stop()
        assert await arrived(stack, prefix + "signals", 0) == [(b"m", b"2", [])]

    within(60, work())


def test_without_a_broker_the_publisher_does_not_start_and_is_unavailable() -> None:
    (port,) = free_ports(1)

    async def work() -> None:
        publisher = KafkaPublisher(f"127.0.0.1:{port}", prefix="x.")
        with pytest.raises(Unavailable, match="no Kafka broker answers"):
            await publisher.start()
        with pytest.raises(Unavailable, match="not connected"):
            await publisher.publish([])
        await publisher.stop()

    within(30, work())


@pytest.mark.live
def test_after_stop_nothing_is_taken_and_a_second_stop_is_harmless(stack: Stack) -> None:
    async def work() -> None:
        publisher = KafkaPublisher(stack.addresses.kafka, prefix="x.")
        await publisher.start()
        await publisher.stop()
        await publisher.stop()
        with pytest.raises(Unavailable, match="not connected"):
            await publisher.publish([Output("signals", b"m", b"", ())])

    within(30, work())


@pytest.mark.live
def test_a_dead_letter_too_large_for_kafka_is_published_without_its_bytes_and_says_so(stack: Stack) -> None:
    prefix = f"test-{uuid.uuid4().hex[:8]}."
    small = Output("dead-letters", b"m", b"small", (("trueup_reason", b"not_json"),), partition=1)
    large = Output("dead-letters", b"m", b"x" * 200_000, (("trueup_reason", b"too_large"),), partition=1)
    huge = Output("dead-letters", b"m", b"x" * 6_000_000, (("trueup_reason", b"too_large"),), partition=2)

    async def work() -> None:
        await create(stack, prefix + "dead-letters", max_bytes=100_000)
        publisher = KafkaPublisher(stack.addresses.kafka, prefix=prefix)
        await publisher.start()
        try:
            await publisher.publish([small])
            await publisher.publish([large, huge])
        finally:
            await publisher.stop()
        assert await arrived(stack, prefix + "dead-letters", 1) == [
            (b"m", b"small", [("trueup_reason", b"not_json")]),
            (b"m", b"", [("trueup_reason", b"too_large"), ("trueup_left_out_bytes", b"200000")]),
        ]
        assert await arrived(stack, prefix + "dead-letters", 2) == [
            (b"m", b"", [("trueup_reason", b"too_large"), ("trueup_left_out_bytes", b"6000000")])
        ]

    within(60, work())


def test_one_that_is_told_to_end_while_it_connects_leaves_nothing_open(recwarn: pytest.WarningsRecorder) -> None:
    async def work() -> None:
        with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
            publisher = KafkaPublisher(f"127.0.0.1:{server.getsockname()[1]}", prefix="x.")
            starting = asyncio.create_task(publisher.start())
            await asyncio.get_running_loop().run_in_executor(None, server.accept)
            starting.cancel()
            with pytest.raises(asyncio.CancelledError):
                await starting
            del starting

    within(30, work())
    gc.collect()
    assert not [str(warned.message) for warned in recwarn if "Unclosed" in str(warned.message)]
