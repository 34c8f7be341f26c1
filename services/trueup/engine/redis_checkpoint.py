"""Checkpoints in Redis: some keys a partition, all in one cluster slot; each call is one script.

{prefix:worker:partition}:meta     hash   epoch, saves, journal, at:<topic> (next offsets)
{prefix:worker:partition}:state    hash   section -> bytes
{prefix:worker:partition}:asleep   hash   section -> bytes
{prefix:worker:partition}:entries  hash   entry's key -> shelf (4 bytes), day (2 bytes), bytes
{prefix:worker:partition}:views    hash   name -> bytes
{prefix:worker:partition}:outbox   list   encoded outputs, oldest first

Entries are many: they are written and read thousands in a command, since in a script the command is what costs, not the
field.
"""

from __future__ import annotations

import struct
from collections.abc import Awaitable, Mapping
from contextlib import suppress
from itertools import chain
from typing import Any, cast

import msgpack
import redis.asyncio
from redis.exceptions import RedisError, ResponseError

from trueup.engine import failpoints
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.failpoints import Failpoints
from trueup.errors import StaleWriter, Unavailable
from trueup.step import Found, Needs

#: Entries that a sweep looks at, about.
SWEPT_AT_ONCE = 1_000

# What is many goes to and fro as one argument of msgpack, which both sides read in C: an argument each would cost more
# than all the rest of a save.
_READ = """
return {redis.call('HGETALL', KEYS[1]), cmsgpack.pack(redis.call('HGETALL', KEYS[2])),
  cmsgpack.pack(redis.call('LRANGE', KEYS[3], 0, -1))}
"""

# The epoch is the time in microseconds where that is later: none comes twice, even where Redis is put back to a copy.
_CLAIM = f"""
local now = redis.call('TIME')
local next_one = (tonumber(redis.call('HGET', KEYS[1], 'epoch')) or 0) + 1
local epoch = math.max(next_one, now[1] * 1000000 + now[2])
redis.call('HSET', KEYS[1], 'epoch', string.format('%.0f', epoch))
{_READ}
"""

_FENCE = "if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return redis.error_reply('STALE epoch') end"

_REREAD = f"""
{_FENCE}
{_READ}
"""

# Lua's unpack takes some thousands at a time. `each` calls with a list in parts of an even number.
_EACH = """
local function each(list, call)
  for i = 1, #list, 4000 do call(unpack(list, i, math.min(i + 3999, #list))) end
end
"""

# KEYS: entries, asleep. ARGV: the keys of entries and the names of sleeping sections, packed.
_FIND = f"""
{_EACH}
local found, wanted = {{{{}}, {{}}}}, cmsgpack.unpack(ARGV[1])
for k = 1, 2 do
  each(wanted[k], function(...) table.insert(found[k], redis.call('HMGET', KEYS[k], ...)) end)
end
return cmsgpack.pack(found)
"""

# What a script wrote before a command of it failed stays written: what could fail is looked at first.
_REFUSE_OTHERS_KEYS = """
for k, kind in ipairs({'hash', 'hash', 'hash', 'hash', 'list', 'hash'}) do
  local held = redis.call('TYPE', KEYS[k])['ok']
  if held ~= 'none' and held ~= kind then return redis.error_reply('WRONGTYPE ' .. KEYS[k] .. ' is a ' .. held) end
end
"""

# KEYS: meta, state, asleep, views, outbox, entries. ARGV: epoch, saves, and packed: bases
# (topic, offset), offsets (topic, offset); for state, asleep and views what is set (field, value) and what is gone;
# entries (key, value); outbox entries.
_WRITE = f"""
{_EACH}
{_REFUSE_OTHERS_KEYS}
for i = 1, #save[2], 2 do redis.call('HSET', KEYS[1], 'at:' .. save[2][i], save[2][i + 1]) end
for k = 2, 4 do
  local set, gone = save[2 * k - 1], save[2 * k]
  each(set, function(...) redis.call('HSET', KEYS[k], ...) end)
  each(gone, function(...) redis.call('HDEL', KEYS[k], ...) end)
end
each(save[9], function(...) redis.call('HSET', KEYS[6], ...) end)
each(save[10], function(...) redis.call('RPUSH', KEYS[5], ...) end)
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
if topics > 0 and redis.call('EXISTS', KEYS[2]) == 0 then return redis.error_reply('STALE state') end
"""

_CLEAR = f"""
{_FENCE}
if (redis.call('HGET', KEYS[1], 'saves') or '0') ~= ARGV[4] then return redis.error_reply('STALE saves') end
if ARGV[3] ~= '' then redis.call('HSET', KEYS[1], 'journal', ARGV[3]) end
return redis.call('LTRIM', KEYS[2], ARGV[2], -1)
"""

# KEYS: meta, state, asleep, views, outbox, entries. ARGV: epoch, saves.
_BEGIN_ANEW = f"""
{_FENCE}
redis.call('UNLINK', unpack(KEYS))
return redis.call('HSET', KEYS[1], 'epoch', ARGV[1], 'saves', ARGV[2])
"""

# KEYS: meta, entries. ARGV: epoch, where to go on, how many, the day for shelves that are not named, saves, then shelf,
# day.
_SWEEP = f"""
{_FENCE}
if tonumber(redis.call('HGET', KEYS[1], 'saves') or '0') < tonumber(ARGV[5]) then
  return redis.error_reply('STALE saves')
end
local days, gone = {{}}, 0
for i = 6, #ARGV, 2 do days[tonumber(ARGV[i])] = tonumber(ARGV[i + 1]) end
local found = redis.call('HSCAN', KEYS[2], ARGV[2], 'COUNT', ARGV[3])
for i = 1, #found[2], 2 do
  local shelf, day = 0, -1
  if #found[2][i + 1] >= 6 then shelf, day = struct.unpack('>I4I2', found[2][i + 1]) end
  if day < (days[shelf] or tonumber(ARGV[4])) then gone = gone + redis.call('HDEL', KEYS[2], found[2][i]) end
end
return {{found[1], gone}}
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
        #: Where the sweep of a partition goes on.
        self._cursors: dict[int, bytes] = {}
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
        keys = self._keys(partition, "entries", "asleep")
        entries, asleep = _unpack(await self._run(self._find, keys, [_pack([wanted, names])]))
        return Found(
            {key: value[6:] for key, value in zip(wanted, chain(*entries), strict=True) if value is not False},
            {name: value for name, value in zip(names, chain(*asleep), strict=True) if value is not False},
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
        keys = self._keys(partition, "meta", "state", "asleep", "views", "outbox", "entries")
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
        keys = self._keys(partition, "meta", "state", "asleep", "views", "outbox", "entries")
        await self._run(self._begin_anew, keys, [epoch, saves])

    async def sweep(self, partition: int, epoch: int, turn: int, outdated: Mapping[int, int], *, saves: int) -> int:
        others = [item for shelf, day in outdated.items() if shelf >= 0 for item in (shelf, day)]
        cursor = self._cursors.get(partition, b"0") if turn > 1 else b"0"
        args = [epoch, cursor, SWEPT_AT_ONCE, outdated.get(-1, 0), saves, *others]
        self._cursors[partition], gone = await self._run(self._sweep, self._keys(partition, "meta", "entries"), args)
        return int(gone)

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
                what = "another worker claimed it, or a part of it is gone"
                raise StaleWriter(f"{keys[0]} is not as this one left it: {what} ({error})") from error
            raise Unavailable(f"Redis refused to change {keys[0]}: {error}") from error
        except (RedisError, OSError) as error:
            # Of the others in the pool none is better, and each would fail in its turn.
            with suppress(RedisError, OSError):  # One that does not close in time has no more to say than that.
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
