"""Checkpoints in Redis: four keys a partition in one cluster slot, each call one script.

{prefix:worker:partition}:meta     hash   epoch, saves, at:<topic> (next offsets)
{prefix:worker:partition}:state    hash   section -> bytes
{prefix:worker:partition}:views    hash   name -> bytes
{prefix:worker:partition}:outbox   list   encoded outputs, oldest first
"""

from __future__ import annotations

from collections.abc import Awaitable, Mapping
from typing import Any, cast

import redis.asyncio
from redis.exceptions import RedisError, ResponseError

from trueup.engine.checkpoint import Claimed, Save
from trueup.errors import StaleWriter, Unavailable

_READ = """
return {redis.call('HGETALL', KEYS[1]), redis.call('HGETALL', KEYS[2]), redis.call('LRANGE', KEYS[3], 0, -1)}
"""

_CLAIM = f"""
redis.call('HINCRBY', KEYS[1], 'epoch', 1)
{_READ}
"""

_REREAD = f"""
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return redis.error_reply('STALE epoch') end
{_READ}
"""

# ARGV: epoch, saves, then seven lists, each led by its length: bases (topic, offset), offsets (topic, offset),
# sections (field, value), gone sections, views (field, value), gone views, outbox entries.
_SAVE = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return redis.error_reply('STALE epoch') end
if (redis.call('HGET', KEYS[1], 'saves') or '0') ~= ARGV[2] then return redis.error_reply('STALE saves') end
local at = 3
local function list()
  local first, size = at + 1, tonumber(ARGV[at])
  at = first + size
  return first, at - 1
end
local from, to = list()
for i = from, to, 2 do
  if redis.call('HGET', KEYS[1], 'at:' .. ARGV[i]) ~= ARGV[i + 1] then return redis.error_reply('STALE offsets') end
end
local topics = redis.call('HLEN', KEYS[1]) - 1 - redis.call('HEXISTS', KEYS[1], 'saves')
if topics ~= (to - from + 1) / 2 then return redis.error_reply('STALE offsets') end
from, to = list()
for i = from, to, 2 do redis.call('HSET', KEYS[1], 'at:' .. ARGV[i], ARGV[i + 1]) end
for _, key in ipairs({KEYS[2], KEYS[3]}) do
  from, to = list()
  for i = from, to, 2 do redis.call('HSET', key, ARGV[i], ARGV[i + 1]) end
  from, to = list()
  for i = from, to do redis.call('HDEL', key, ARGV[i]) end
end
from, to = list()
for i = from, to do redis.call('RPUSH', KEYS[4], ARGV[i]) end
return redis.call('HINCRBY', KEYS[1], 'saves', 1)
"""

_CLEAR = """
if redis.call('HGET', KEYS[1], 'epoch') ~= ARGV[1] then return redis.error_reply('STALE epoch') end
return redis.call('LTRIM', KEYS[2], ARGV[2], -1)
"""


class RedisCheckpoint:
    """`Checkpoint` on one Redis server or cluster. `prefix` and `worker` keep installations and workers apart."""

    def __init__(self, client: redis.asyncio.Redis, *, worker: str, prefix: str = "trueup") -> None:
        self._client = client
        self._name = f"{prefix}:{worker}"
        self._claim = client.register_script(_CLAIM)
        self._reread = client.register_script(_REREAD)
        self._save = client.register_script(_SAVE)
        self._clear = client.register_script(_CLEAR)

    async def claim(self, partition: int) -> Claimed:
        return await self._state(self._claim, partition)

    async def reread(self, partition: int, epoch: int) -> Claimed:
        return await self._state(self._reread, partition, epoch)

    async def _state(self, script: Any, partition: int, *args: int) -> Claimed:
        meta, state, _, outbox = self._keys(partition)
        meta_pairs, state_pairs, entries = await self._run(script, [meta, state, outbox], list(args))
        fields = _pairs(meta_pairs)
        return Claimed(
            epoch=int(fields[b"epoch"]),
            offsets=_offsets(fields),
            sections={name.decode(): value for name, value in _pairs(state_pairs).items()},
            outbox=list(entries),
            saves=int(fields.get(b"saves", 0)),
        )

    async def save(self, partition: int, save: Save) -> None:
        sections, gone_sections = _split(save.sections)
        views, gone_views = _split(save.views)
        args: list[Any] = [save.epoch, save.saves]
        for part in (
            [item for pair in save.base.items() for item in pair],
            [item for pair in save.offsets.items() for item in pair],
            sections,
            gone_sections,
            views,
            gone_views,
            save.outbox,
        ):
            args.append(len(part))
            args.extend(part)
        await self._run(self._save, self._keys(partition), args)

    async def clear_outbox(self, partition: int, epoch: int, count: int) -> None:
        meta, _, _, outbox = self._keys(partition)
        await self._run(self._clear, [meta, outbox], [epoch, count])

    async def views(self, partition: int) -> Mapping[str, bytes]:
        fields = await self._read(self._keys(partition)[2])
        return {name.decode(): value for name, value in fields.items()}

    async def offsets(self, partition: int) -> Mapping[str, int]:
        return _offsets(await self._read(self._keys(partition)[0]))

    def _keys(self, partition: int) -> list[str]:
        return [f"{{{self._name}:{partition}}}:{part}" for part in ("meta", "state", "views", "outbox")]

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
