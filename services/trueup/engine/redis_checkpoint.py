"""Checkpoints in Redis: some keys a partition, all in one cluster slot; each call is one script.

{prefix:worker:partition}:meta     hash   epoch, saves, journal, at:<topic> (next offsets)
{prefix:worker:partition}:state    hash   section -> bytes
{prefix:worker:partition}:asleep   hash   section -> bytes
{prefix:worker:partition}:e<n>     hash   entry's key -> shelf (4 bytes), day (2 bytes), bytes      n < BUCKETS
{prefix:worker:partition}:views    hash   name -> bytes
{prefix:worker:partition}:outbox   list   encoded outputs, oldest first

Entries are spread over many small hashes, which Redis packs without a pointer between fields as long as they have few
and short ones: an entry then takes little more than its bytes. Their names are made in the scripts, in the same slot.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Mapping
from typing import Any, cast

import msgpack
import redis.asyncio
from redis.exceptions import RedisError, ResponseError

from trueup.engine import failpoints
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.failpoints import Failpoints
from trueup.errors import StaleWriter, Unavailable
from trueup.step import Found, Needs

#: Hashes that the entries of a partition are spread over, a power of two up to 2¹⁶.
BUCKETS = 32_768
#: Of which a sweep looks at so many.
SWEPT_AT_ONCE = 64

# What is many goes to and fro as one argument of msgpack, which both sides read in C: an argument each would cost more
# than all the rest of a save.
_READ = """
return {redis.call('HGETALL', KEYS[1]), cmsgpack.pack(redis.call('HGETALL', KEYS[2])),
  cmsgpack.pack(redis.call('LRANGE', KEYS[3], 0, -1))}
"""

# The epoch is the time in milliseconds where that is later: none comes twice, even where Redis is put back to a copy.
_CLAIM = f"""
local now = redis.call('TIME')
local next_one = (tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0) + 1
local epoch = math.max(next_one, now[1] * 1000 + math.floor(now[2] / 1000))
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch))
{_READ}
"""

_FENCE = "if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return redis.error_reply('STALE epoch') end"

_REREAD = f"""
{_FENCE}
{_READ}
"""

# An entry's bucket, from the first two bytes of its key, which is a hash.
_BUCKET = f"""
local function bucket(base, key)
  local high, low = string.byte(key, 1, 2)
  return base .. (high * 256 + low) % {BUCKETS}
end
"""

# KEYS: the name that buckets begin with, asleep. ARGV: the keys of entries and the names of sleeping sections, packed.
_FIND = f"""
{_BUCKET}
local entries, asleep = {{}}, {{}}
local wanted = cmsgpack.unpack(ARGV[1])
for i, key in ipairs(wanted[1]) do entries[i] = redis.call('HGET', bucket(KEYS[1], key), key) end
for i, name in ipairs(wanted[2]) do asleep[i] = redis.call('HGET', KEYS[2], name) end
return cmsgpack.pack({{entries, asleep}})
"""

# KEYS: meta, state, asleep, views, outbox, the name that buckets begin with. ARGV: epoch, saves, and packed: bases
# (topic, offset), offsets (topic, offset); for state, asleep and views what is set (field, value) and what is gone;
# entries (key, value); outbox entries.
_WRITE = f"""
{_BUCKET}
for i = 1, #save[2], 2 do redis.call('HSET', KEYS[1], 'at:' .. save[2][i], save[2][i + 1]) end
for k = 2, 4 do
  local set, gone = save[2 * k - 1], save[2 * k]
  for i = 1, #set, 2 do redis.call('HSET', KEYS[k], set[i], set[i + 1]) end
  for i = 1, #gone do redis.call('HDEL', KEYS[k], gone[i]) end
end
local entries, outbox = save[9], save[10]
for i = 1, #entries, 2 do redis.call('HSET', bucket(KEYS[6], entries[i]), entries[i], entries[i + 1]) end
for i = 1, #outbox do redis.call('RPUSH', KEYS[5], outbox[i]) end
return redis.call('HINCRBY', KEYS[1], 'saves', 1)
"""

_UNPACK = "local save = cmsgpack.unpack(ARGV[3])"

_COMPARE = f"""
{_FENCE}
if (redis.call('HGET', KEYS[1], 'saves') or '0') ~= ARGV[2] then return redis.error_reply('STALE saves') end
{_UNPACK}
for i = 1, #save[1], 2 do
  local held = redis.call('HGET', KEYS[1], 'at:' .. save[1][i])
  if held ~= save[1][i + 1] then return redis.error_reply('STALE offsets') end
end
local topics = redis.call('HLEN', KEYS[1]) - 1 - redis.call('HEXISTS', KEYS[1], 'saves')
  - redis.call('HEXISTS', KEYS[1], 'journal')
if topics ~= #save[1] / 2 then return redis.error_reply('STALE offsets') end
"""

_CLEAR = f"""
{_FENCE}
if (redis.call('HGET', KEYS[1], 'saves') or '0') ~= ARGV[4] then return redis.error_reply('STALE saves') end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'journal', ARGV[3]) end
return redis.call('LTRIM', KEYS[2], ARGV[2], -1)
"""

# KEYS: meta, state, asleep, views, outbox, the name that buckets begin with. ARGV: epoch, saves.
_BEGIN_ANEW = f"""
{_FENCE}
redis.call('UNLINK', KEYS[1], KEYS[2], KEYS[3], KEYS[4], KEYS[5])
for n = 0, {BUCKETS - 1} do redis.call('UNLINK', KEYS[6] .. n) end
return redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'saves', ARGV[2])
"""

# KEYS: meta, then buckets. ARGV: epoch, the day for shelves that are not named, then shelf, day.
_SWEEP = f"""
{_FENCE}
local days, gone = {{}}, 0
for i = 3, #ARGV, 2 do days[tonumber(ARGV[i])] = tonumber(ARGV[i + 1]) end
for k = 2, #KEYS do
  local pairs_ = redis.call('HGETALL', KEYS[k])
  for i = 1, #pairs_, 2 do
    local shelf, day = struct.unpack('>I4I2', pairs_[i + 1])
    if day < (days[shelf] or tonumber(ARGV[2])) then gone = gone + redis.call('HDEL', KEYS[k], pairs_[i]) end
  end
end
return gone
"""

_HEAD = struct.Struct(">IH").pack


class RedisCheckpoint:
    """`Checkpoint` on one Redis server or cluster. `prefix` and `worker` keep installations and workers apart."""

    def __init__(
        self,
        client: redis.asyncio.Redis,
        *,
        worker: str,
        prefix: str = "trueup",
        points: Failpoints | None = None,
    ) -> None:
        self._client = client
        self._name = f"{prefix}:{worker}"
        self._points = points or Failpoints()
        compare = _UNPACK if self._points.on(failpoints.NO_COMPARE) else _COMPARE
        self._claim = client.register_script(_CLAIM)
        self._reread = client.register_script(_REREAD)
        self._find = client.register_script(_FIND)
        self._save = client.register_script(compare + _WRITE)
        self._begin_anew = client.register_script(_BEGIN_ANEW)
        self._clear = client.register_script(_CLEAR)
        self._sweep = client.register_script(_SWEEP)

    async def claim(self, partition: int) -> Claimed:
        return await self._state(self._claim, partition)

    async def reread(self, partition: int, epoch: int) -> Claimed:
        return await self._state(self._reread, partition, epoch)

    async def _state(self, script: Any, partition: int, *args: int) -> Claimed:
        keys = self._keys(partition, "meta", "state", "outbox")
        meta_pairs, state, entries = await self._run(script, keys, list(args))
        fields = _pairs(meta_pairs)
        return Claimed(
            epoch=int(fields[b"epoch"]),
            offsets=_offsets(fields),
            sections={name.decode(): value for name, value in _pairs(_unpack(state)).items()},
            outbox=_unpack(entries),
            saves=int(fields.get(b"saves", 0)),
            journal_at=int(fields.get(b"journal", 0)),
        )

    async def read(self, partition: int, needs: Needs) -> Found:
        wanted, names = list(needs.entries), list(needs.asleep)
        keys = self._keys(partition, "e", "asleep")
        entries, asleep = _unpack(await self._run(self._find, keys, [_pack([wanted, names])]))
        return Found(
            {key: value[6:] for key, value in zip(wanted, entries, strict=True) if value is not False},
            {name: value for name, value in zip(names, asleep, strict=True) if value is not False},
        )

    async def save(self, partition: int, save: Save) -> None:
        if self._points.on(failpoints.APART):
            await self._save_apart(partition, save)
            return
        await self._write(partition, save, save.offsets)

    async def _write(self, partition: int, save: Save, offsets: Mapping[str, int]) -> None:
        packed = _pack(
            [
                [item for topic, offset in save.base.items() for item in (topic, str(offset))],
                [item for topic, offset in offsets.items() for item in (topic, str(offset))],
                *_split(save.sections),
                *_split(save.asleep),
                *_split(save.views),
                [
                    item
                    for key, kept in save.entries.items()
                    for item in (key, _HEAD(kept.shelf, kept.day) + kept.value)
                ],
                list(save.outbox),
            ]
        )
        keys = self._keys(partition, "meta", "state", "asleep", "views", "outbox", "e")
        await self._run(self._save, keys, [save.epoch, save.saves, packed])

    async def _save_apart(self, partition: int, save: Save) -> None:
        """State first and offsets later, as one must not: a control for tests."""
        await self._write(partition, save, {})
        self._points.hit("save.before")
        for topic, offset in save.offsets.items():
            await self._client.hset(self._keys(partition, "meta")[0], f"at:{topic}", str(offset))

    async def clear_outbox(
        self, partition: int, epoch: int, count: int, *, saves: int, journal_at: int | None = None
    ) -> None:
        keys = self._keys(partition, "meta", "outbox")
        await self._run(self._clear, keys, [epoch, count, "" if journal_at is None else journal_at, saves])

    async def begin_anew(self, partition: int, epoch: int, saves: int) -> None:
        keys = self._keys(partition, "meta", "state", "asleep", "views", "outbox", "e")
        await self._run(self._begin_anew, keys, [epoch, saves])

    async def sweep(self, partition: int, epoch: int, turn: int, outdated: Mapping[int, int]) -> int:
        first = turn * SWEPT_AT_ONCE
        buckets = [f"e{(first + at) % BUCKETS}" for at in range(SWEPT_AT_ONCE)]
        others = [item for shelf, day in outdated.items() if shelf >= 0 for item in (shelf, day)]
        args = [epoch, outdated.get(-1, 0), *others]
        return int(await self._run(self._sweep, self._keys(partition, "meta", *buckets), args))

    async def views(self, partition: int) -> Mapping[str, bytes]:
        fields = await self._read(self._keys(partition, "views")[0])
        return {name.decode(): value for name, value in fields.items()}

    async def offsets(self, partition: int) -> Mapping[str, int]:
        return _offsets(await self._read(self._keys(partition, "meta")[0]))

    def _keys(self, partition: int, *parts: str) -> list[str]:
        base = f"{{{self._name}:{partition}}}:"
        return [base + part for part in parts]

    async def _read(self, key: str) -> dict[bytes, bytes]:
        try:
            return await cast("Awaitable[dict[bytes, bytes]]", self._client.hgetall(key))
        except (RedisError, OSError) as error:
            raise Unavailable(f"Redis did not answer a read of {key}: {error}") from error

    async def _run(self, script: Any, keys: list[str], args: list[Any]) -> Any:
        try:
            return await script(keys=keys, args=args)
        except ResponseError as error:
            if str(error).startswith("STALE"):
                raise StaleWriter(f"{keys[0]} was claimed by another worker ({error})") from error
            raise Unavailable(f"Redis refused to change {keys[0]}: {error}") from error
        except (RedisError, OSError) as error:
            # Of the others in the pool none is better, and each would fail in its turn.
            await self._client.connection_pool.disconnect(inuse_connections=False)
            raise Unavailable(f"Redis did not answer about {keys[0]}: {error}") from error


def _pairs(flat: list[bytes]) -> dict[bytes, bytes]:
    return dict(zip(flat[::2], flat[1::2], strict=True))


def _offsets(meta: Mapping[bytes, bytes]) -> dict[str, int]:
    return {name[3:].decode(): int(value) for name, value in meta.items() if name.startswith(b"at:")}


def _split(fields: Mapping[str, bytes | None]) -> tuple[list[str | bytes], list[str]]:
    kept: list[str | bytes] = []
    gone: list[str] = []
    for name, value in fields.items():
        if value is None:
            gone.append(name)
        else:
            kept.extend((name, value))
    return kept, gone


def _pack(value: Any) -> bytes:
    """As Redis' cmsgpack reads it, which knows no difference between text and bytes."""
    packed: bytes = msgpack.packb(value, use_bin_type=False)
    return packed


def _unpack(raw: bytes) -> Any:
    return msgpack.unpackb(raw, raw=True, strict_map_key=False)
