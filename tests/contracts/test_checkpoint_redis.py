"""What only a checkpoint in Redis can get wrong."""

from __future__ import annotations

import asyncio
import socket
import uuid
from collections.abc import Awaitable, Callable
from dataclasses import replace

import pytest
import redis
import redis.asyncio
from redis.crc import key_slot

from trueup.embedded import Stack
from trueup.embedded.ports import free_ports
from trueup.engine.checkpoint import Checkpoint, Save
from trueup.engine.redis_checkpoint import RedisCheckpoint
from trueup.errors import Unavailable
from trueup.step import Kept, Needs

SAVE = Save(
    epoch=1,
    base={},
    saves=0,
    offsets={"a": 1},
    sections={"s": b"1"},
    asleep={"z": b"1"},
    entries={b"0123456789abcdef": Kept(1, 2, b"e")},
    views={"v": b"1"},
    outbox=[b"x"],
)


@pytest.mark.live
def test_all_keys_of_a_partition_lie_in_one_slot_and_those_of_partitions_are_spread(stack: Stack) -> None:
    prefix = f"test-{uuid.uuid4().hex}"

    async def fill() -> None:
        client = redis.asyncio.Redis.from_url(stack.addresses.redis)
        for worker in ("monitor", "alerter"):
            checkpoint = RedisCheckpoint(client, worker=worker, prefix=prefix)
            for partition in range(16):
                claimed = await checkpoint.claim(partition)
                await checkpoint.save(partition, replace(SAVE, epoch=claimed.epoch))
        await client.aclose()

    asyncio.run(fill())
    with redis.Redis.from_url(stack.addresses.redis) as client:
        keys = list(client.scan_iter(f"*{prefix}*", count=1000))
    slots: dict[bytes, set[int]] = {}
    for key in keys:
        slots.setdefault(key.rpartition(b":")[0], set()).add(key_slot(key))
    assert len(keys) == 2 * 16 * 6
    assert len(slots) == 2 * 16
    assert all(len(found) == 1 for found in slots.values())
    assert len(set.union(*slots.values())) > 16


Call = Callable[[Checkpoint], Awaitable[object]]
CALLS: dict[str, Call] = {
    "claim": lambda checkpoint: checkpoint.claim(0),
    "reread": lambda checkpoint: checkpoint.reread(0, 1),
    "save": lambda checkpoint: checkpoint.save(0, SAVE),
    "read": lambda checkpoint: checkpoint.read(0, Needs([b"0123456789abcdef"], ["z"])),
    "begin anew": lambda checkpoint: checkpoint.begin_anew(0, 1, 1),
    "sweep": lambda checkpoint: checkpoint.sweep(0, 1, 0, {-1: 1}),
    "clear": lambda checkpoint: checkpoint.clear_outbox(0, 1, 1, saves=1),
    "views": lambda checkpoint: checkpoint.views(0),
    "offsets": lambda checkpoint: checkpoint.offsets(0),
}


async def ask(url: str, call: Call) -> object:
    client = redis.asyncio.Redis.from_url(url, socket_timeout=0.2, socket_connect_timeout=0.2)
    try:
        return await call(RedisCheckpoint(client, worker="monitor"))
    finally:
        await client.aclose()


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_without_redis_every_call_is_unavailable(call: Call) -> None:
    (port,) = free_ports(1)
    with pytest.raises(Unavailable, match="Redis did not answer"):
        asyncio.run(ask(f"redis://127.0.0.1:{port}/0", call))


@pytest.mark.parametrize("call", CALLS.values(), ids=CALLS)
def test_a_redis_that_takes_the_call_and_says_nothing_is_unavailable(call: Call) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        with pytest.raises(Unavailable, match="Redis did not answer"):
            asyncio.run(ask(f"redis://127.0.0.1:{port}/0", call))


@pytest.mark.live
def test_a_redis_that_refuses_to_write_is_unavailable_and_not_a_stale_writer(stack: Stack) -> None:
    prefix = f"test-{uuid.uuid4().hex}"

    async def work() -> None:
        client = redis.asyncio.Redis.from_url(stack.addresses.redis)
        checkpoint = RedisCheckpoint(client, worker="monitor", prefix=prefix)
        claimed = await checkpoint.claim(0)
        await client.set(f"{{{prefix}:monitor:0}}:views", "no hash")
        with pytest.raises(Unavailable, match="WRONGTYPE"):
            await checkpoint.save(0, replace(SAVE, epoch=claimed.epoch))
        after = await checkpoint.claim(0)
        assert (after.offsets, after.sections, after.saves) == ({}, {}, 0), "a part of it was written"
        await client.aclose()

    asyncio.run(work())


@pytest.mark.live
def test_a_sweep_takes_away_what_is_too_short_for_an_entry(stack: Stack) -> None:
    prefix = f"test-{uuid.uuid4().hex}"

    async def work() -> None:
        client = redis.asyncio.Redis.from_url(stack.addresses.redis)
        checkpoint = RedisCheckpoint(client, worker="monitor", prefix=prefix)
        claimed = await checkpoint.claim(0)
        await checkpoint.save(0, replace(SAVE, epoch=claimed.epoch, entries={b"kept": Kept(0, 9, b"1")}))
        await client.hset(f"{{{prefix}:monitor:0}}:entries", "short", "abc")
        assert await checkpoint.sweep(0, claimed.epoch, 1, {-1: 5}) == 1
        assert (await checkpoint.read(0, Needs([b"kept", b"short"], []))).entries == {b"kept": b"1"}
        await client.aclose()

    asyncio.run(work())
