"""One lane, driven: what is taken when, what is saved when, what goes out.

The order of effects, which nothing may change:

    take ──> cut ──> save ──> publish ──> clear the outbox ──> commit
              ▲       │          │                │               │
              │       │          └ fails: again,  └ fails: drop   └ fails: a restart skips
              │       └ refused, or no answer: drop the lane         what the state holds
              └ not before the last cut is all the way out

While a cut is on its way, the lane goes on taking. A lane that was dropped never writes again: what it holds may not be
the truth any more.
"""

from __future__ import annotations

import asyncio
import logging
import time
import uuid
from collections.abc import Awaitable, Callable, Coroutine, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from typing import Any

import orjson

from trueup.engine import failpoints, outbox
from trueup.engine.checkpoint import Checkpoint, Save
from trueup.engine.failpoints import Failpoints
from trueup.engine.isolation import AsRead, NotRead, Taken
from trueup.engine.lane import Lane, StepFailed
from trueup.engine.pacing import Pacing, SavePace
from trueup.engine.publisher import JOURNAL, Publisher
from trueup.errors import StaleWriter, Unavailable
from trueup.step import NOTHING_FOUND, Found, Needs, Output

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class LoopSettings(SavePace):
    """How a worker paces itself."""

    #: What may wait in one lane, all topics together: of each, no more is read beyond its share.
    waiting_records: int = 20_000
    waiting_bytes: int = 8_388_608
    #: What may be taken and not saved, of all lanes together: then they are saved, whatever it costs.
    unsaved_bytes: int = 33_554_432
    #: What is far ahead of another topic waits for no longer than this for more of that.
    hold_seconds: float = 1.0
    #: Outputs that did not go out are sent again after so long.
    publish_again_seconds: float = 1.0
    #: How long to wait before a lane that was taken away is claimed again.
    reclaim_seconds: float = 2.0
    #: A partition that has had work for so long without one successful save and publication ends the worker.
    stuck_seconds: float = 120.0
    #: In a rebalance, the lane's last cut has so long to get out; what it does not, the next owner sends.
    revoke_seconds: float = 5.0
    #: Outdated entries are looked for this often.
    sweep_seconds: float = 1.0


@dataclass(slots=True)
class LoopCounts:
    """What a worker did since it started."""

    records: int = 0
    saves: int = 0
    save_seconds: float = 0.0
    outputs: int = 0
    lost: int = 0
    refused: int = 0
    isolated: int = 0
    swept: int = 0


@dataclass(frozen=True, slots=True)
class Ports:
    """What the lanes of a worker share besides their setup."""

    checkpoint: Checkpoint
    publisher: Publisher
    commit: Callable[[int, Mapping[str, int]], Awaitable[None]]
    settings: LoopSettings
    counts: LoopCounts
    wall_clock: Callable[[], float]
    points: Failpoints
    #: Partition -> what last kept it from being claimed, saved or published.
    troubles: dict[int, str] = field(default_factory=dict)


class Runner:
    """Drives one lane, in tasks of its own (`start`) or when told to (`take`, `settle`).

    `lost` is called once, when the lane is dropped; `failed` with what no rule foresees, which ends the worker; `room`
    whenever a chunk was taken out of the queue.
    """

    def __init__(
        self,
        lane: Lane,
        ports: Ports,
        *,
        unpublished: Sequence[bytes],
        lost: Callable[[Runner], None],
        failed: Callable[[BaseException], None],
        room: Callable[[], None],
    ) -> None:
        self.lane = lane
        #: Since when it has had something to save or publish; None where it has not.
        self.behind_since: float | None = None
        self._ports = ports
        self._lost = lost
        self._failed = failed
        self._room = room
        self._pacing = Pacing(ports.settings, ports.settings.stuck_seconds / 2)
        self._unpublished = list(unpublished)
        self._saved_offsets: Mapping[str, int] = dict(lane.offsets)
        self._on_its_way: asyncio.Task[None] | None = None
        self._task: asyncio.Task[None] | None = None
        #: Since when the lane holds back what is far ahead of another topic.
        self._held_since: float | None = None
        self._publish_at = 0.0
        self._sweep_at = 0.0
        self._sweeps = 0
        #: As the saved state has it, and as the last cut has it: whoever goes back to what is saved needs the rest.
        self._outdated: Mapping[int, int] = dict(lane.outdated)
        self._outdated_in_cut = self._outdated
        #: How many saves there were when that was saved.
        self._outdated_at = lane.saves
        self._wake = asyncio.Event()
        self._closing = False
        self._dropped = False
        #: A chunk is out of the queue and not folded in yet.
        self._taking = False
        if unpublished:
            self.behind_since = time.monotonic()

    # -- for the loop -----------------------------------------------------------------------------------------------

    def start(self) -> None:
        """Drive it in a task of its own, which ends when the lane is closed or lost."""
        self._task = self._watched(self._run)

    def _watched(self, work: Callable[[], Coroutine[Any, Any, None]]) -> asyncio.Task[None]:
        """A task that ends the lane in the same moment in which it fails: what is half taken is never saved."""

        async def watched() -> None:
            try:
                await work()
            except asyncio.CancelledError:
                # Where nobody ended the lane, a client did that was closed: nobody else would notice.
                self.drop(Unavailable("what drives it was cancelled"))
                raise
            except BaseException as error:  # nothing is swallowed: it ends the worker
                self._end()
                self._failed(error)

        return asyncio.create_task(watched(), name=f"partition {self.lane.partition}")

    async def turn(self, *, settle: bool) -> None:
        """Without a task of its own: take one chunk, and save where it is due or `settle` says so."""
        await self.take()
        if not self.is_dropped() and (settle or self._due()):
            await self.settle()
        if not self.is_dropped():
            await self._sweep()

    def wake(self) -> None:
        """Something came."""
        self._wake.set()

    def share(self, lanes: int) -> None:
        """So many lanes share the worker."""
        self._pacing.lanes = lanes

    @property
    def has_work(self) -> bool:
        """Whether anything waits to be taken, saved or published."""
        lane = self.lane
        return lane.dirty or not lane.idle or self._taking or self._on_its_way is not None or bool(self._unpublished)

    @property
    def can_take(self) -> bool:
        """Whether the lane has something to take, and room for it."""
        return not self.lane.idle and not self._full and not self.lane.held

    async def close(self) -> None:
        """Save what can be saved, and end.

        Raises:
            Exception: what no rule foresees; it has ended all the same.
        """
        self._closing = True
        self.wake()
        try:
            async with asyncio.timeout(self._ports.settings.revoke_seconds):
                await _ended(self._task)
                await _ended(self._on_its_way)  # its last cut may have been made meanwhile
                await self.settle()  # what did not go out yet
                await self.settle()
        except TimeoutError:
            log.warning("partition %d: its last cut is not out: the next owner sees to it", self.lane.partition)
        finally:
            self._end()

    def is_dropped(self) -> bool:
        """Whether it has ended."""
        return self._dropped

    def abandon(self) -> None:
        """End at once: it is claimed anew."""
        self._end()

    def _end(self) -> None:
        self._dropped = True
        for task in (self._task, self._on_its_way):
            if task is not None and task is not asyncio.current_task():
                task.cancel()
        self._on_its_way = None

    # -- the drive --------------------------------------------------------------------------------------------------

    async def _run(self) -> None:
        while not self._closing and not self.is_dropped():
            self._wake.clear()
            took = await self.take()
            if self.is_dropped():
                return
            if self._due():
                await self._send_on_its_way()
            await self._sweep()
            if took:
                await asyncio.sleep(0)
                continue
            if not self.has_work:
                self.behind_since = None
            if not self.can_take:
                await self._rest()

    async def _rest(self) -> None:
        try:
            async with asyncio.timeout(self._next_due()):
                await self._wake.wait()
        except TimeoutError:
            return

    async def _send_on_its_way(self) -> None:
        """Cut, and let the rest go on beside the next chunks. A cut may isolate, so nothing is taken meanwhile."""
        try:
            save = None if self._unpublished else await self._cut()
        except (StaleWriter, Unavailable) as error:
            self.drop(error)
            return
        task = self._on_its_way = self._watched(partial(self._send, save))
        task.add_done_callback(self._arrived)

    def _arrived(self, task: asyncio.Task[None]) -> None:
        if self._on_its_way is task:
            self._on_its_way = None
        self.wake()

    async def take(self) -> bool:
        """Give the lane the time and its next chunk; whether there was any."""
        lane, ports = self.lane, self._ports
        try:
            if lane.setup.clock == "wall" and (tick := lane.tick(ports.wall_clock())) is not None:
                await self._give(tick)
            self._hold()
            item = lane.next() if self.can_take else None
            if item is not None:
                self._has_work_since_now()
                self._taking = True
                self._room()
                await self._give(item)
                if (tick := lane.tick_by_stream()) is not None:
                    await self._give(tick)
        except (StaleWriter, Unavailable) as error:
            self.drop(error)
            return False
        self._taking = False
        if lane.dirty:
            self._has_work_since_now()
        return item is not None

    def _hold(self) -> None:
        """Let the lane hold back what is far ahead for so long, and no longer."""
        if not self.lane.held:
            self._held_since = None
        elif self._held_since is None:
            self._held_since = time.monotonic()
        elif time.monotonic() >= self._held_since + self._ports.settings.hold_seconds:
            self.lane.go_ahead()

    def _has_work_since_now(self) -> None:
        if self.behind_since is None:
            self.behind_since = time.monotonic()

    async def _give(self, item: Taken) -> None:
        lane = self.lane
        started = time.perf_counter()
        try:
            needs = lane.needs(item)
            found = NOTHING_FOUND
            if needs:
                found = await self._read(needs)
                started = time.perf_counter()
            lane.give(item, found)
        except StepFailed:
            await self.isolate()
        self._pacing.worked(time.perf_counter() - started)
        if item.chunk is not None:
            self._pacing.took()
            self._ports.counts.records += len(item.chunk.records)
            self._ports.points.hit("take.after")

    async def _read(self, needs: Needs) -> Found:
        """From the saved state. A section that falls asleep in a cut can be read once that is written."""
        if needs.asleep and self._on_its_way is not None:
            await asyncio.wait([self._on_its_way])
        return await self._ports.checkpoint.read(self.lane.partition, needs)

    async def isolate(self) -> None:
        """Find out what the step cannot take, from the saved state: which is the last cut, once that is written.

        Raises:
            StaleWriter, Unavailable: drop the lane.
        """
        lane, checkpoint = self.lane, self._ports.checkpoint
        if self._on_its_way is not None:
            await asyncio.wait([self._on_its_way])
        self._ports.counts.isolated += 1
        saved, read = await checkpoint.reread(lane.partition, lane.epoch), AsRead()
        while True:
            try:
                lane.isolate(saved, read)
                return
            except NotRead as more:
                read.add(more.needs, await checkpoint.read(lane.partition, more.needs))

    async def _sweep(self) -> None:
        now, ports = time.monotonic(), self._ports
        if not self._outdated or now < self._sweep_at:
            return
        self._sweep_at = now + ports.settings.sweep_seconds
        self._sweeps += 1
        try:
            ports.counts.swept += await ports.checkpoint.sweep(
                self.lane.partition, self.lane.epoch, self._sweeps, self._outdated, saves=self._outdated_at
            )
        except (StaleWriter, Unavailable) as error:
            self.drop(error)

    # -- when -------------------------------------------------------------------------------------------------------

    def _due(self) -> bool:
        if self._on_its_way is not None:
            return False
        if self._unpublished:
            return time.monotonic() >= self._publish_at
        return self.lane.dirty and (self._full or time.monotonic() >= self._save_at())

    @property
    def _full(self) -> bool:
        return self.lane.unsaved_bytes * self._pacing.lanes >= self._ports.settings.unsaved_bytes

    def _save_at(self) -> float:
        return self._pacing.due(urgent=self.lane.urgent, only_ticks=self.lane.only_ticks)

    def _next_due(self) -> float:
        now = time.monotonic()
        waits = [self.lane.setup.tick_seconds if self.lane.setup.clock == "wall" else 1.0]
        if self._on_its_way is None and self._unpublished:
            waits.append(self._publish_at - now)
        elif self._on_its_way is None and self.lane.dirty:
            waits.append(self._save_at() - now)
        if self._held_since is not None:
            waits.append(self._held_since + self._ports.settings.hold_seconds - now)
        return max(0.001, min(waits))

    # -- effects ----------------------------------------------------------------------------------------------------

    async def settle(self) -> None:
        """Get out what is saved and did not go out, else cut, save and publish; the lane is dropped where need be."""
        if self.is_dropped() or not (self._unpublished or self.lane.dirty):
            return
        try:
            save = None if self._unpublished else await self._cut()
        except (StaleWriter, Unavailable) as error:
            self.drop(error)
            return
        await self._send(save)

    async def _send(self, save: Save | None) -> None:
        try:
            if save is not None:
                await self._save(save)
            await self._publish()
        except (StaleWriter, Unavailable) as error:
            self.drop(error)

    async def _save(self, save: Save) -> None:
        ports, started = self._ports, time.monotonic()
        ports.points.hit("save.before")
        await ports.checkpoint.save(self.lane.partition, save)
        ports.points.hit("save.after")
        self._saved_offsets, self._outdated = save.offsets, self._outdated_in_cut
        self._outdated_at = save.saves + 1
        self._unpublished = list(save.outbox)
        ports.counts.saves += 1
        ports.counts.save_seconds += time.monotonic() - started + self._pacing.cost

    async def _cut(self) -> Save:
        while True:
            started = time.perf_counter()
            try:
                save = self.lane.cut()
            except StepFailed:
                await self.isolate()
                continue
            self._outdated_in_cut = dict(self.lane.outdated)
            self._pacing.cut(time.perf_counter() - started)
            if self._ports.points.on(failpoints.RANDOM_IDS):
                return replace(save, outbox=[outbox.encode(_with_random_id(outbox.decode(raw))) for raw in save.outbox])
            return save

    async def _publish(self) -> None:
        lane, ports, entries = self.lane, self._ports, self._unpublished
        outputs = [outbox.decode(entry) for entry in entries]
        try:
            offsets = await ports.publisher.publish(outputs)
            ports.points.hit("publish.after")
            journal_at = [
                at + 1 for at, output in zip(offsets, outputs, strict=True) if output.topic == JOURNAL and at >= 0
            ]
            await ports.checkpoint.clear_outbox(
                lane.partition,
                lane.epoch,
                len(entries),
                saves=lane.saves,
                journal_at=max(journal_at, default=None),
            )
        except Unavailable as error:
            # It is saved, and this lane's alone: it waits, and the others go on.
            log.warning("partition %d: outputs wait to go out: %s", lane.partition, error)
            ports.troubles[lane.partition] = str(error)
            self._publish_at = time.monotonic() + ports.settings.publish_again_seconds
            return
        ports.points.hit("clear.after")
        self._unpublished = []
        self.behind_since = time.monotonic() if lane.dirty else None
        ports.counts.outputs += len(entries)
        await ports.commit(lane.partition, self._saved_offsets)

    def drop(self, error: Exception) -> None:
        """What this lane holds may not be the truth any more: never write with it again, claim anew."""
        if self.is_dropped():
            return
        log.warning("partition %d is let go and claimed anew: %s", self.lane.partition, error)
        self._ports.troubles[self.lane.partition] = str(error)
        self._ports.counts.lost += 1
        self._ports.counts.refused += isinstance(error, StaleWriter)
        self._end()
        self._lost(self)


async def _ended(task: asyncio.Task[None] | None) -> None:
    if task is not None:
        await asyncio.wait([task])


def _with_random_id(output: Output) -> Output:
    """An alert or a trigger under an id that no replay gives again: a control for tests."""
    if output.topic not in ("alerts", "triggers"):
        return output
    said = orjson.loads(output.value)
    return replace(output, value=orjson.dumps({**said, f"{output.topic[:-1]}_id": str(uuid.uuid4())}))
