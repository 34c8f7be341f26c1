"""A worker on parts in memory that can be told to fail, and what it takes to wait for it without a clock."""

from __future__ import annotations

import asyncio
import json
from collections.abc import AsyncIterator, Callable, Coroutine, Mapping
from contextlib import asynccontextmanager
from typing import Any

from engine.counting import MODELS, chunk, setup, value
from engine.faulty import Faults, FaultyCheckpoint, FaultyPublisher
from trueup.engine.lane import LaneSetup
from trueup.engine.loop import Loop, LoopSettings
from trueup.engine.memory import MemoryCheckpoint, MemoryLog, MemoryPublisher
from trueup.engine.publisher import Publisher
from trueup.engine.records import Chunk

#: Nothing but what is urgent is saved unless it is asked for.
CALM = LoopSettings(save_interval_seconds=1e6, stuck_seconds=1e9)
EAGER = LoopSettings(save_interval_seconds=0.0)


class Bench:
    """A worker on parts in memory that can be told to fail."""

    def __init__(self, settings: LoopSettings = CALM, *, shared: LaneSetup | None = None) -> None:
        self.log = MemoryLog(2)
        self.kept = MemoryCheckpoint()
        self.shared = shared or setup(clock="stream")
        self.faults = Faults()
        self.committed: list[tuple[int, dict[str, int]]] = []
        self.loop = self.worker(settings)

    def worker(self, settings: LoopSettings = CALM, *, publisher: Publisher | None = None) -> Loop:
        async def commit(partition: int, offsets: Mapping[str, int]) -> None:
            self.committed.append((partition, dict(offsets)))

        return Loop(
            setup=self.shared,
            checkpoint=FaultyCheckpoint(self.kept, self.faults),
            publisher=FaultyPublisher(publisher or MemoryPublisher(self.log), self.faults),
            commit=commit,
            settings=settings,
        )

    @property
    def said(self) -> list[str]:
        return [json.loads(record.value or b"")["id"] for record in self.log.all("signals")]


def ok(offset: int, *names: str, partition: int = 0, seek: int = 1) -> Chunk:
    values = [value(name, model=MODELS[partition][0]) for name in names]
    return chunk("predictions", offset, *values, partition=partition, seek=seek)


def within(seconds: float, work: Coroutine[Any, Any, None]) -> None:
    """Run it; it fails where it has not come to an end by then."""

    async def limited() -> None:
        async with asyncio.timeout(seconds):
            await work

    asyncio.run(limited())


@asynccontextmanager
async def running(bench: Bench, *partitions: int) -> AsyncIterator[asyncio.Task[None]]:
    """The worker's loop as a task, with these partitions; it is ended, if it has not been, and says what it raised."""
    stop = False
    await bench.loop.positions(partitions or [0], 1)
    task = asyncio.create_task(bench.loop.run(lambda: stop))
    await asyncio.sleep(0)
    try:
        yield task
    finally:
        stop = True
        if not task.done():
            task.cancel()
        await asyncio.gather(task, return_exceptions=True)


async def until(holds: Callable[[], bool]) -> None:
    """Let others go on until it holds."""
    while not holds():
        await asyncio.sleep(0)


async def settled(task: asyncio.Task[None]) -> bool:
    """Whether a task has come to an end, once it had every chance to."""
    for _ in range(20):
        await asyncio.sleep(0)
    return task.done()
