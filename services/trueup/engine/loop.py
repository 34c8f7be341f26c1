"""One worker: which partitions it holds, who claims them when, and when the worker has to end.

The transport asks for `positions` when partitions are assigned or lanes were lost, offers the chunks that it reads, and
does not read on for lanes that are `full`. What happens to the chunks of one partition is in `runner`.
"""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence

from trueup.engine.checkpoint import Checkpoint, Claimed
from trueup.engine.failpoints import Failpoints
from trueup.engine.history import History
from trueup.engine.lane import Lane, LaneSetup
from trueup.engine.publisher import Publisher
from trueup.engine.records import Chunk
from trueup.engine.redo import Redo
from trueup.engine.runner import LoopCounts, LoopSettings, Ports, Runner
from trueup.errors import StaleWriter, Unavailable

__all__ = ["Loop", "LoopCounts", "LoopSettings"]
log = logging.getLogger(__name__)

#: How often it is looked at whether a partition is stuck.
WATCH_SECONDS = 1.0


class Loop:
    """Drives the lanes of one worker. See `Runner` for the order of effects in each.

    `positions` and `revoke` are called by the transport on a rebalance; `offer` by whoever reads the chunks.
    """

    def __init__(
        self,
        *,
        setup: LaneSetup,
        checkpoint: Checkpoint,
        publisher: Publisher,
        commit: Callable[[int, Mapping[str, int]], Awaitable[None]],
        history: History | None = None,
        settings: LoopSettings | None = None,
        wall_clock: Callable[[], float] = time.time,
        points: Failpoints | None = None,
    ) -> None:
        self.setup = setup
        self.settings = settings or LoopSettings()
        self.counts = LoopCounts()
        #: Set when lanes were dropped: the transport has to claim `lost_partitions` and seek again.
        self.lost = asyncio.Event()
        self.lost_partitions: set[int] = set()
        self._runners: dict[int, Runner] = {}
        self._seeks: dict[int, int] = {}
        self._history = history
        self._ports = Ports(
            checkpoint, publisher, commit, self.settings, self.counts, wall_clock, points or Failpoints()
        )
        #: Partitions that could not be claimed, or were lost with work undone, and since when.
        self._behind: dict[int, float] = {}
        self._running = False
        self._failure: BaseException | None = None
        self._trouble = asyncio.Event()
        self._room = asyncio.Event()
        self._lock = asyncio.Lock()

    @property
    def lanes(self) -> Mapping[int, Lane]:
        """Partition -> its lane. May be read from another thread."""
        return {partition: runner.lane for partition, runner in dict(self._runners).items()}

    # -- the transport's side ---------------------------------------------------------------------------------------

    async def positions(self, partitions: Iterable[int], seek_number: int) -> dict[int, dict[str, int]]:
        """Claim these partitions and keep those held besides; the offset per topic at which each goes on.

        Topics that are missing in the answer start at their oldest record. What a predecessor published and Redis
        does not know is taken again; what it saved and may not have published goes out before the lane is cut again.
        A partition that is missing could not be claimed, and the others could: it is among the lost ones.

        Raises:
            Unavailable: none could be claimed, or Redis or Kafka does not answer; call again.
        """
        async with self._lock:
            wanted = sorted(set(partitions))
            for partition in wanted:
                self._abandon(partition)
            made = await self._take_over_all(wanted)
            for partition, runner in made.items():
                self._runners[partition] = runner
                self._seeks[partition] = seek_number
                runner.behind_since = self._behind.pop(partition, None) or runner.behind_since
            self.lost_partitions.difference_update(made)
            self.lost_partitions.update(set(wanted) - made.keys())
            (self.lost.set if self.lost_partitions else self.lost.clear)()
            self._share_out()
            for runner in made.values():
                if self._running:
                    runner.start()
            self._make_room()
            return {partition: dict(runner.lane.offsets) for partition, runner in made.items()}

    def _abandon(self, partition: int) -> None:
        held = self._runners.pop(partition, None)
        if held is not None:
            held.abandon()
            if held.has_work and held.behind_since is not None:
                self._behind.setdefault(partition, held.behind_since)

    async def _take_over_all(self, partitions: Sequence[int]) -> dict[int, Runner]:
        """Those that can be claimed: what is wrong with one partition's state is no other's business.

        Raises:
            Unavailable: there is none.
        """
        made: dict[int, Runner] = {}
        failed: Unavailable | None = None
        for partition in partitions:
            try:
                made[partition] = await self._take_over(partition)
            except Unavailable as error:
                log.warning("partition %d cannot be taken over yet: %s", partition, error)
                failed = error
        if failed is not None and not made:
            raise failed
        return made

    async def _take_over(self, partition: int) -> Runner:
        try:
            claimed = await self._ports.checkpoint.claim(partition)
            self._ports.points.hit("claim.after")
            lane = Lane(partition, claimed, self.setup)
            unpublished = await self._catch_up(lane, claimed)
        except (Unavailable, StaleWriter) as error:
            self._behind.setdefault(partition, time.monotonic())
            self._ports.troubles[partition] = str(error)
            if isinstance(error, StaleWriter):
                raise Unavailable(f"partition {partition} was claimed by another worker meanwhile") from error
            raise
        lost, failed, room = self._lost, self._fail, self._make_room
        return Runner(lane, self._ports, unpublished=unpublished, lost=lost, failed=failed, room=room)

    async def _catch_up(self, lane: Lane, claimed: Claimed) -> list[bytes]:
        """Take again what Redis does not know; what may not have gone out."""
        if self._history is None:
            return list(claimed.outbox)
        redo = Redo(lane, self._ports.checkpoint, self._history, self._ports.points, self._still_claiming)
        return await redo.run(claimed)

    def _still_claiming(self) -> None:
        """A claim gets on: those that wait for it are not stuck either."""
        now = time.monotonic()
        self._behind = dict.fromkeys(self._behind, now)

    def holds(self, partition: int, seek_number: int) -> bool:
        """Whether the lane of this partition is that of this seek."""
        return partition in self._runners and self._seeks.get(partition) == seek_number

    def keep(self, partitions: Iterable[int]) -> None:
        """These are all that are assigned: what was claimed, lost or waited for of others is theirs by now."""
        kept = set(partitions)
        for partition in set(self._runners) - kept:
            self._runners.pop(partition).abandon()
            self._seeks.pop(partition)
        for partition in set(self._behind) - kept:
            del self._behind[partition]
        self.lost_partitions &= kept
        if not self.lost_partitions:
            self.lost.clear()
        self._share_out()
        self._make_room()

    async def revoke(self) -> None:
        """Save what can be saved and let go of every lane.

        Raises:
            Exception: what no rule foresees of one of them; all are let go.
        """
        async with self._lock:
            ends = await asyncio.gather(*(runner.close() for runner in self._runners.values()), return_exceptions=True)
            self._runners.clear()
            self._seeks.clear()
            self._behind.clear()
            self.lost_partitions.clear()
            self.lost.clear()
            self._make_room()
            for error in filter(None, ends):
                raise error

    async def offer(self, chunk: Chunk) -> None:
        """Queue a chunk; waits while its lane is full of its topic. A chunk from before the last seek is dropped.

        Where the lane holds that back for another topic, what is awaited may be behind this chunk.
        """
        while True:
            runner = self._runners.get(chunk.partition)
            if runner is None or chunk.seek != self._seeks[chunk.partition]:
                return
            if runner.lane.held or chunk.topic not in self._full_of(runner.lane):
                if not runner.lane.offer(chunk):
                    runner.drop(StaleWriter(f"records before {chunk.topic} {chunk.first_offset} went elsewhere"))
                runner.wake()
                return
            self._room.clear()
            await self._room.wait()

    def full(self) -> set[tuple[str, int]]:
        """Topic and partition of what the lanes want no more chunks of for now: do not read it."""
        lanes = {partition: runner.lane for partition, runner in self._runners.items()}
        return {(topic, partition) for partition, lane in lanes.items() for topic in self._full_of(lane)}

    def _full_of(self, lane: Lane) -> list[str]:
        return lane.full(self.settings.waiting_records, self.settings.waiting_bytes)

    async def room(self, seconds: float) -> None:
        """Until a lane that was full may have room again, at most so long."""
        self._room.clear()
        try:
            async with asyncio.timeout(seconds):
                await self._room.wait()
        except TimeoutError:
            return

    # -- the loop ---------------------------------------------------------------------------------------------------

    async def run(self, should_stop: Callable[[], bool]) -> None:
        """Let every lane run until `should_stop`, which is asked every second; then save them and let go.

        Raises:
            Unavailable: a partition made no progress for `stuck_seconds`.
            Exception: whatever a lane raised that no rule foresees.
        """
        self._running = True
        for runner in self._runners.values():
            runner.start()
        try:
            while not should_stop():
                self._watch()
                self._trouble.clear()
                try:
                    async with asyncio.timeout(min(WATCH_SECONDS, self.settings.stuck_seconds)):
                        await self._trouble.wait()
                except TimeoutError:
                    continue
        except BaseException:
            for runner in self._runners.values():
                runner.abandon()
            raise
        finally:
            self._running = False
        await self.revoke()

    async def turn(self, *, settle_all: bool = False) -> bool:
        """Without `run`: give every lane one chunk, and save those that are due; whether any chunk can still be taken.

        Raises:
            as `run`.
        """
        async with self._lock:
            self._watch()
            for runner in list(self._runners.values()):
                await runner.turn(settle=settle_all)
            return any(runner.can_take for runner in self._runners.values())

    def behind_seconds(self) -> dict[int, float]:
        """Partition -> for how long it has had work that is not saved and published; 0 where it has none.

        May be called from another thread.
        """
        now, found = time.monotonic(), dict(self._behind)
        for partition, runner in dict(self._runners).items():
            since = runner.behind_since
            found[partition] = now if since is None or not runner.has_work else since
        return {partition: now - since for partition, since in sorted(found.items())}

    def _watch(self) -> None:
        """End the worker where a partition that has work could neither claim, save nor publish for too long."""
        if self._failure is not None:
            raise self._failure
        most = self.settings.stuck_seconds
        for partition, seconds in self.behind_seconds().items():
            if seconds > most:
                why = self._ports.troubles.get(partition, "it took so long")
                raise Unavailable(f"partition {partition} could not be saved and published for {most:.0f} s ({why})")

    def _lost(self, runner: Runner) -> None:
        partition = runner.lane.partition
        if self._runners.get(partition) is not runner:
            return
        del self._runners[partition]
        since = runner.behind_since
        self._behind.setdefault(partition, time.monotonic() if since is None else since)
        self.lost_partitions.add(partition)
        self.lost.set()
        self._make_room()

    def _fail(self, error: BaseException) -> None:
        self._failure = error
        self._trouble.set()

    def _share_out(self) -> None:
        for runner in self._runners.values():
            runner.share(len(self._runners))

    def _make_room(self) -> None:
        self._room.set()
