"""One worker: the lanes of its partitions, in turn; when to save; what to do when a write is refused.

The order of effects for each lane, which nothing may change:

    process ──> save ──> publish ──> clear the outbox ──> commit
                 │          │                │               │
     refused: drop lane,    └ fails: the outbox holds it,    └ fails: a restart skips
     claim and seek anew      this lane waits, tries again     what the state holds
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping
from dataclasses import dataclass

from trueup.engine import outbox
from trueup.engine.checkpoint import Checkpoint, Claimed
from trueup.engine.lane import Lane, LaneSetup, StepFailed
from trueup.engine.publisher import Publisher
from trueup.engine.records import Chunk
from trueup.errors import StaleWriter, Unavailable

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoopSettings:
    """How a worker paces itself."""

    #: Saves are at least this far apart, but for what is urgent.
    save_interval_seconds: float = 0.05
    #: Saving takes at most this share of the time: a save that costs 10 ms is followed by 40 ms without one.
    save_share: float = 0.2
    #: The same while nothing waits to be taken.
    idle_save_share: float = 0.5
    #: What may wait in one lane before its feeder has to.
    waiting_records: int = 20_000
    waiting_bytes: int = 33_554_432
    #: Where nothing came but the time, a save can wait so long.
    tick_save_seconds: float = 30.0
    #: Outputs that did not go out are sent again after so long.
    publish_again_seconds: float = 1.0
    #: How long to wait before a lane that was taken away is claimed again.
    reclaim_seconds: float = 2.0
    #: A partition that has had work for so long without one successful save and publication ends the worker.
    stuck_seconds: float = 120.0


@dataclass(slots=True)
class LoopCounts:
    """What a worker did since it started."""

    records: int = 0
    saves: int = 0
    save_seconds: float = 0.0
    outputs: int = 0
    lost: int = 0
    isolated: int = 0


@dataclass(slots=True)
class _Pace:
    saved_at: float
    cost: float = 0.0


class Loop:
    """Drives the lanes of one worker. `seek` makes the transport claim and seek all partitions anew.

    `positions` and `revoke` are called by the transport on a rebalance; `offer` by whoever reads the chunks.
    """

    def __init__(
        self,
        *,
        setup: LaneSetup,
        checkpoint: Checkpoint,
        publisher: Publisher,
        commit: Callable[[int, Mapping[str, int]], Awaitable[None]],
        settings: LoopSettings | None = None,
        wall_clock: Callable[[], float] = time.time,
    ) -> None:
        self.setup = setup
        self.lanes: dict[int, Lane] = {}
        self.counts = LoopCounts()
        self.seek_number = 0
        #: Set when lanes were dropped and the transport has to claim and seek again.
        self.lost = asyncio.Event()
        self._checkpoint = checkpoint
        self._publisher = publisher
        self._commit = commit
        self._settings = settings or LoopSettings()
        self._wall_clock = wall_clock
        self._pace: dict[int, _Pace] = {}
        #: Partitions with something to save or publish, and since when.
        self._behind: dict[int, float] = {}
        #: Partition -> what was saved and is not known to have gone out: its lane waits until it has.
        self._unpublished: dict[int, list[bytes]] = {}
        self._publish_at: dict[int, float] = {}
        self._wake = asyncio.Event()
        self._room = asyncio.Condition()
        self._lock = asyncio.Lock()

    @property
    def settings(self) -> LoopSettings:
        return self._settings

    # -- the transport's side ---------------------------------------------------------------------------------------

    async def positions(self, partitions: Iterable[int], seek_number: int) -> dict[int, dict[str, int]]:
        """Claim these partitions, and nothing else; the offset per topic at which each goes on.

        Topics that are missing in the answer start at their oldest record. What a predecessor saved and may not have
        published goes out before a lane takes anything.

        Raises:
            Unavailable: Redis does not answer; call again.
        """
        async with self._lock:
            self._let_go()
            wanted = sorted(set(partitions))
            self._behind = {partition: since for partition, since in self._behind.items() if partition in wanted}
            # All or nothing: a lane that could be claimed beside one that could not would take chunks of the old seek.
            claims = {partition: await self._claim(partition) for partition in wanted}
            self.lanes = {partition: Lane(partition, claimed, self.setup) for partition, claimed in claims.items()}
            for partition, claimed in claims.items():
                if claimed.outbox:
                    self._unpublished[partition] = list(claimed.outbox)
                    self._behind.setdefault(partition, time.monotonic())
            self._pace = {partition: _Pace(time.monotonic()) for partition in wanted}
            self.seek_number = seek_number
            self.lost.clear()
            await self._make_room()
            return {partition: dict(lane.offsets) for partition, lane in self.lanes.items()}

    async def _claim(self, partition: int) -> Claimed:
        try:
            return await self._checkpoint.claim(partition)
        except Unavailable:
            self._behind.setdefault(partition, time.monotonic())
            raise

    async def revoke(self) -> None:
        """Save what can be saved and let go of every lane."""
        async with self._lock:
            for lane in list(self.lanes.values()):
                if lane.dirty:
                    await self._settle_or_drop(lane)
            self._let_go()
            self._behind.clear()
            await self._make_room()

    def _let_go(self) -> None:
        self.lanes.clear()
        self._pace.clear()
        self._unpublished.clear()
        self._publish_at.clear()

    async def offer(self, chunk: Chunk) -> None:
        """Queue a chunk; waits while its lane is full. A chunk from before the last seek is dropped."""
        while True:
            lane = self.lanes.get(chunk.partition)
            if lane is None or chunk.seek != self.seek_number:
                return
            if self._has_room(lane):
                if not lane.offer(chunk):
                    self._drop(lane, StaleWriter(f"records before {chunk.topic} {chunk.first_offset} went elsewhere"))
                self._wake.set()
                return
            async with self._room:
                await self._room.wait()

    def _has_room(self, lane: Lane) -> bool:
        settings = self._settings
        return lane.waiting_records < settings.waiting_records and lane.waiting_bytes < settings.waiting_bytes

    # -- the loop ---------------------------------------------------------------------------------------------------

    async def run(self, should_stop: Callable[[], bool]) -> None:
        """Take and save until `should_stop`.

        Raises:
            Unavailable: a partition made no progress for `stuck_seconds`.
        """
        while not should_stop():
            busy = await self.turn()
            if busy:
                await asyncio.sleep(0)
                continue
            self._wake.clear()
            try:
                await asyncio.wait_for(self._wake.wait(), timeout=self._next_due())
            except TimeoutError:
                continue

    async def turn(self, *, settle_all: bool = False) -> bool:
        """Give every lane one chunk, and save those that are due; whether any chunk still waits.

        Raises:
            Unavailable: a partition made no progress for `stuck_seconds`.
        """
        async with self._lock:
            self._watch()
            for lane in list(self.lanes.values()):
                if lane.partition not in self._unpublished:
                    await self._take(lane)
                    await asyncio.sleep(0)
            await self._make_room()
            due = [lane for lane in self.lanes.values() if self._due(lane, settle_all=settle_all)]
            await asyncio.gather(*(self._settle_or_drop(lane) for lane in due))
            return any(not lane.idle and lane.partition not in self._unpublished for lane in self.lanes.values())

    async def _take(self, lane: Lane) -> None:
        waiting = lane.waiting_records
        try:
            if self.setup.clock == "wall":
                lane.tick(self._wall_clock())
            lane.run_next()
        except StepFailed:
            await self._isolate(lane)
        self.counts.records += waiting - lane.waiting_records
        if lane.dirty:
            self._behind.setdefault(lane.partition, time.monotonic())

    async def _isolate(self, lane: Lane) -> None:
        self.counts.isolated += 1
        try:
            lane.isolate(await self._checkpoint.reread(lane.partition, lane.epoch))
        except (StaleWriter, Unavailable) as error:
            self._drop(lane, error)

    def behind_seconds(self) -> dict[int, float]:
        """Partition -> for how long it has had work that is not saved and published; 0 where it has none.

        May be called from another thread.
        """
        now, behind = time.monotonic(), dict(self._behind)
        partitions = sorted({*list(self.lanes), *behind})
        return {part: now - behind.get(part, now) if self._waits(part) else 0.0 for part in partitions}

    def _waits(self, partition: int) -> bool:
        lane = self.lanes.get(partition)
        return lane is None or lane.dirty or not lane.idle or partition in self._unpublished

    def _watch(self) -> None:
        """End the worker where a partition that has work could neither claim, save nor publish for too long."""
        most = self._settings.stuck_seconds
        for partition, seconds in self.behind_seconds().items():
            if seconds > most:
                raise Unavailable(f"partition {partition} could not be saved and published for {most:.0f} s")

    def _due(self, lane: Lane, *, settle_all: bool) -> bool:
        now = time.monotonic()
        if lane.partition in self._unpublished:
            return settle_all or now >= self._publish_at.get(lane.partition, 0.0)
        if not lane.dirty:
            return False
        return settle_all or lane.urgent or now >= self._save_at(lane)

    def _save_at(self, lane: Lane) -> float:
        pace = self._pace[lane.partition]
        gap = self._gap(pace, idle=lane.idle)
        if lane.only_ticks:
            gap = max(gap, min(self._settings.tick_save_seconds, self._settings.stuck_seconds / 2))
        return pace.saved_at + gap

    def _gap(self, pace: _Pace, *, idle: bool) -> float:
        """How long to leave a lane unsaved: longer while there is work that a save would hold up."""
        share = self._settings.idle_save_share if idle else self._settings.save_share
        gap = max(self._settings.save_interval_seconds, pace.cost * (1 - share) / share)
        return min(gap, self._settings.stuck_seconds / 2)

    def _next_due(self) -> float:
        now = time.monotonic()
        waits = [self._save_at(lane) - now for lane in self.lanes.values() if lane.dirty]
        waits += [at - now for at in self._publish_at.values()]
        return max(0.001, min([*waits, self.setup.tick_seconds if self.setup.clock == "wall" else 1.0]))

    # -- effects ----------------------------------------------------------------------------------------------------

    async def _settle_or_drop(self, lane: Lane) -> None:
        try:
            await self._settle(lane)
        except StepFailed:
            await self._isolate(lane)
        except (StaleWriter, Unavailable) as error:
            self._drop(lane, error)

    async def _settle(self, lane: Lane) -> None:
        if lane.partition not in self._unpublished:
            await self._save(lane)
        try:
            await self._publish(lane, self._unpublished[lane.partition])
        except Unavailable as error:
            # It is saved, and this lane's alone: it waits, and the others go on.
            log.warning("partition %d: outputs wait to go out: %s", lane.partition, error)
            self._publish_at[lane.partition] = time.monotonic() + self._settings.publish_again_seconds

    async def _save(self, lane: Lane) -> None:
        started = time.monotonic()
        save = lane.cut()
        await self._checkpoint.save(lane.partition, save)
        lane.saved(save)
        self._unpublished[lane.partition] = list(save.outbox)
        cost = time.monotonic() - started
        self._pace[lane.partition] = _Pace(time.monotonic(), cost=cost)
        self.counts.saves += 1
        self.counts.save_seconds += cost

    async def _publish(self, lane: Lane, entries: list[bytes]) -> None:
        partition = lane.partition
        await self._publisher.publish([outbox.decode(entry) for entry in entries])
        await self._checkpoint.clear_outbox(partition, lane.epoch, len(entries))
        self._unpublished.pop(partition, None)
        self._publish_at.pop(partition, None)
        self._behind.pop(partition, None)
        self.counts.outputs += len(entries)
        await self._commit(partition, lane.saved_offsets)

    def _drop(self, lane: Lane, error: Exception) -> None:
        """What this lane holds may not be the truth any more: never write with it again, claim anew."""
        log.warning("partition %d is let go and claimed anew: %s", lane.partition, error)
        self.lanes.pop(lane.partition, None)
        self._pace.pop(lane.partition, None)
        self._unpublished.pop(lane.partition, None)
        self._publish_at.pop(lane.partition, None)
        self._behind.setdefault(lane.partition, time.monotonic())
        self.counts.lost += 1
        self.lost.set()

    async def _make_room(self) -> None:
        async with self._room:
            self._room.notify_all()
