"""What lies in the topics, read again from Kafka: exactly what was asked for, or what is left of it."""

from __future__ import annotations

import asyncio
import contextlib
import socket
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from aiokafka.admin import AIOKafkaAdminClient, NewTopic, RecordsToDelete

from engine.bench import within
from trueup.embedded import Stack
from trueup.embedded.ports import free_ports
from trueup.engine.kafka_history import KafkaHistory
from trueup.engine.publisher import KafkaPublisher
from trueup.engine.records import Record
from trueup.errors import Unavailable
from trueup.step import Output

PARTITIONS = 3


class Bench:
    """Topics of its own, and what reads and writes them."""

    def __init__(self, stack: Stack, prefix: str, publisher: KafkaPublisher, history: KafkaHistory) -> None:
        self._stack = stack
        self.prefix = prefix
        self._publisher = publisher
        self.history = history

    async def write(self, topic: str, partition: int, *values: bytes) -> None:
        await self._publisher.publish([Output(topic, b"k", value, (), partition) for value in values])

    async def delete_before(self, topic: str, partition: int, offset: int) -> None:
        """Delete the oldest records, and wait until they are gone."""
        where = TopicPartition(self.prefix + topic, partition)
        admin = AIOKafkaAdminClient(bootstrap_servers=self._stack.addresses.kafka)
        await admin.start()
        try:
            await admin.delete_records({where: RecordsToDelete(before_offset=offset)})
        finally:
            await admin.close()
        consumer = AIOKafkaConsumer(bootstrap_servers=self._stack.addresses.kafka)
        await consumer.start()
        try:
            while (await consumer.beginning_offsets([where]))[where] < offset:
                pass
        finally:
            await consumer.stop()

    async def journal(self, partition: int, at: int) -> list[bytes]:
        return [value async for value in self.history.journal(partition, at)]

    async def records(self, topic: str, partition: int, first: int, end: int) -> list[tuple[int, bytes | None]] | None:
        chunk = await self.history.records(topic, partition, first, end)
        if chunk is None:
            return None
        assert (chunk.topic, chunk.partition) == (topic, partition)
        return [(record.offset, record.value) for record in chunk.records]


@asynccontextmanager
async def opened(stack: Stack) -> AsyncIterator[Bench]:
    prefix = f"test-{uuid.uuid4().hex[:8]}."
    admin = AIOKafkaAdminClient(bootstrap_servers=stack.addresses.kafka)
    await admin.start()
    try:
        topics = [prefix + "journal", prefix + "predictions", prefix + "feedback"]
        await admin.create_topics([NewTopic(topic, PARTITIONS, 1) for topic in topics])
    finally:
        await admin.close()
    publisher = KafkaPublisher(stack.addresses.kafka, prefix=prefix)
    history = KafkaHistory(stack.addresses.kafka, prefix=prefix)
    await publisher.start()
    try:
        yield Bench(stack, prefix, publisher, history)
    finally:
        await history.stop()
        await publisher.stop()


def numbers(first: int, end: int) -> list[bytes]:
    return [b"%d" % number for number in range(first, end)]


def numbered(first: int, end: int) -> list[tuple[int, bytes]]:
    return [(number, b"%d" % number) for number in range(first, end)]


@pytest.mark.live
def test_the_journal_is_read_from_an_offset_to_what_is_there_at_that_moment(stack: Stack) -> None:
    async def work() -> None:
        async with opened(stack) as bench:
            assert await bench.journal(0, 0) == []
            await bench.write("journal", 0, *numbers(0, 700))
            await bench.write("journal", 1, b"of another")
            for at in (0, 1, 699, 700, 800):
                assert await bench.journal(0, at) == numbers(at, 700)
            assert await bench.journal(1, 0) == [b"of another"]
            await bench.write("journal", 0, b"more")
            assert await bench.journal(0, 699) == [b"699", b"more"]

    within(60, work())


@pytest.mark.live
def test_the_journal_may_be_left_in_the_middle_and_records_be_read_meanwhile(stack: Stack) -> None:
    async def work() -> None:
        async with opened(stack) as bench:
            await bench.write("journal", 0, *numbers(0, 20))
            await bench.write("predictions", 0, *numbers(0, 20))
            seen = []
            async for value in bench.history.journal(0, 0):
                seen.append(value)
                at = len(seen) - 1
                assert await bench.records("predictions", 0, at, at + 1) == numbered(at, at + 1)
                if len(seen) == 10:
                    break
            assert seen == numbers(0, 10)
            assert await bench.journal(0, 5) == numbers(5, 20)

    within(60, work())


@pytest.mark.live
def test_the_records_of_a_range_are_exactly_those(stack: Stack) -> None:
    async def work() -> None:
        async with opened(stack) as bench:
            await bench.write("predictions", 0, *numbers(0, 50))
            for first, end in ((0, 50), (0, 1), (49, 50), (10, 20), (20, 30), (5, 8), (5, 8)):
                assert await bench.records("predictions", 0, first, end) == numbered(first, end)

    within(60, work())


@pytest.mark.live
def test_reading_on_and_going_back_in_several_partitions_in_turn_mixes_nothing_up(stack: Stack) -> None:
    async def work() -> None:
        async with opened(stack) as bench:
            places = [(topic, partition) for topic in ("predictions", "feedback") for partition in range(PARTITIONS)]
            for topic, partition in places:
                values = [b"%s %d %d" % (topic.encode(), partition, at) for at in range(30)]
                await bench.write(topic, partition, *values)
            for first in (0, 10, 5, 20):
                for topic, partition in places:
                    expected = [(at, b"%s %d %d" % (topic.encode(), partition, at)) for at in range(first, first + 10)]
                    assert await bench.records(topic, partition, first, first + 10) == expected

    within(60, work())


@pytest.mark.live
def test_of_what_is_not_there_any_more_what_is_left_is_given_and_none_where_nothing_is(stack: Stack) -> None:
    async def work() -> None:
        async with opened(stack) as bench:
            for topic in ("predictions", "journal"):
                await bench.write(topic, 0, *numbers(0, 30))
            # What was read ahead of the deletion does not count.
            assert await bench.records("feedback", 0, 0, 1) is None
            for topic in ("predictions", "journal"):
                await bench.delete_before(topic, 0, 15)
            assert await bench.records("predictions", 0, 10, 20) == numbered(15, 20)
            assert await bench.records("predictions", 0, 3, 15) is None
            assert await bench.records("predictions", 0, 15, 30) == numbered(15, 30)
            assert await bench.journal(0, 0) == numbers(15, 30)
            await bench.delete_before("journal", 0, 30)
            assert await bench.journal(0, 16) == []

    within(60, work())


@pytest.mark.live
@pytest.mark.parametrize(("first", "end"), [(0, 31), (25, 40), (30, 31), (100, 110)])
def test_of_what_does_not_reach_its_end_nothing_is_given(stack: Stack, first: int, end: int) -> None:
    async def work() -> None:
        async with opened(stack) as bench:
            await bench.write("predictions", 0, *numbers(0, 30))
            assert await bench.records("predictions", 0, first, end) is None
            await bench.write("predictions", 0, *numbers(30, end))
            assert await bench.records("predictions", 0, first, end) == numbered(first, end)

    within(60, work())


@pytest.mark.live
def test_whoever_else_reads_in_the_same_process_gets_whole_records(stack: Stack) -> None:
    async def work() -> None:
        async with opened(stack) as bench:
            await bench.write("predictions", 0, b"0")
            chunk = await bench.history.records("predictions", 0, 0, 1)
            assert chunk is not None
            where = TopicPartition(bench.prefix + "predictions", 0)
            consumer = AIOKafkaConsumer(bootstrap_servers=stack.addresses.kafka, auto_offset_reset="earliest")
            await consumer.start()
            try:
                consumer.assign([where])
                record = await consumer.getone(where)
            finally:
                await consumer.stop()
            assert record.headers == ()
            assert chunk.records == [Record(0, record.timestamp / 1000, b"k", b"0")]

    within(60, work())


@pytest.mark.live
def test_once_stopped_it_connects_again_when_it_is_asked(stack: Stack) -> None:
    async def work() -> None:
        async with opened(stack) as bench:
            await bench.history.stop()
            await bench.write("predictions", 0, *numbers(0, 3))
            assert await bench.records("predictions", 0, 0, 2) == numbered(0, 2)
            await bench.history.stop()
            await bench.history.stop()
            assert await bench.records("predictions", 0, 2, 3) == numbered(2, 3)

    within(60, work())


async def refused(bootstrap: str) -> None:
    history = KafkaHistory(bootstrap, prefix="x.", silence_seconds=0.5)
    try:
        for _ in range(2):
            with pytest.raises(Unavailable, match="the journal cannot be read"):
                async for _ in history.journal(0, 0):
                    pass
            with pytest.raises(Unavailable, match="predictions cannot be read again"):
                await history.records("predictions", 0, 0, 1)
    finally:
        await history.stop()


def test_without_a_broker_it_is_unavailable() -> None:
    (port,) = free_ports(1)
    within(30, refused(f"127.0.0.1:{port}"))


def test_a_broker_that_takes_the_question_and_says_nothing_is_unavailable_in_time() -> None:
    with contextlib.closing(socket.create_server(("127.0.0.1", 0))) as server:
        within(30, refused(f"127.0.0.1:{server.getsockname()[1]}"))


@pytest.mark.live
def test_a_topic_that_is_not_there_is_unavailable_in_time(stack: Stack) -> None:
    async def work() -> None:
        history = KafkaHistory(stack.addresses.kafka, prefix=f"nowhere-{uuid.uuid4().hex[:8]}.", silence_seconds=2.0)
        try:
            with pytest.raises(Unavailable):
                await history.records("predictions", 7, 0, 1)
        finally:
            await history.stop()

    within(60, work())


#: Offsets that no record has: marks of transactions, say.
GAP = (4, 5)


class Silenced:
    """A consumer of one partition of eight records, whose fetch can be told never to come back."""

    def __init__(self) -> None:
        self.silent = False
        self.seeks: list[int] = []
        self._at = 0

    def assign(self, _: object) -> None:
        self._at = 0

    def seek(self, _: object, offset: int) -> None:
        self.seeks.append(offset)
        self._at = offset

    async def position(self, _: object) -> int:
        return self._at

    async def end_offsets(self, parts: list[TopicPartition]) -> dict[TopicPartition, int]:
        return dict.fromkeys(parts, 10)

    async def getmany(self, part: TopicPartition, **_: object) -> dict[TopicPartition, list[Record]]:
        if self.silent:
            await asyncio.Event().wait()
        first, self._at = self._at, 10
        return {part: [Record(offset, 0.0, None, b"%d" % offset) for offset in range(first, 10) if offset not in GAP]}

    async def stop(self) -> None:
        return


def test_a_read_that_is_given_up_leaves_the_next_one_at_its_place() -> None:
    async def work() -> None:
        history, consumer = KafkaHistory("127.0.0.1:1", prefix="x.", silence_seconds=0.01), Silenced()
        history._consumer = consumer
        assert (await history.records("predictions", 0, 0, 4)) is not None
        consumer.silent = True
        with pytest.raises(Unavailable):
            await history.records("predictions", 0, 7, 9)
        consumer.silent = False
        chunk = await history.records("predictions", 0, 4, 8)
        assert chunk is not None
        assert [record.offset for record in chunk.records] == [6, 7]

    within(10, work())


def test_to_find_a_gap_empty_costs_no_seek() -> None:
    async def work() -> None:
        history, consumer = KafkaHistory("127.0.0.1:1", prefix="x."), Silenced()
        history._consumer = consumer
        assert await history.records("predictions", 0, 0, 4) is not None
        assert await history.records("predictions", 0, 4, 6) is None
        chunk = await history.records("predictions", 0, 6, 8)
        assert chunk is not None
        assert [record.offset for record in chunk.records] == [6, 7]
        assert consumer.seeks == [0]

    within(10, work())


def test_it_asks_nobody_before_it_is_asked() -> None:
    within(5, asyncio.wait_for(KafkaHistory("127.0.0.1:1", prefix="x.").stop(), 1))
