"""A worker in memory that has something to show."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping

from engine.counting import chunk, setup, value
from trueup.engine.loop import Loop
from trueup.engine.memory import MemoryCheckpoint, MemoryLog, MemoryPublisher


def busy_loop() -> Loop:
    """Holds partition 0: three predictions are taken and saved, one of them no JSON; one feedback waits."""
    loop = Loop(
        setup=setup(clock="stream"),
        checkpoint=MemoryCheckpoint(),
        publisher=MemoryPublisher(MemoryLog(2)),
        commit=_nothing,
    )
    asyncio.run(_work(loop))
    return loop


async def _work(loop: Loop) -> None:
    await loop.positions([0], 1)
    await loop.offer(chunk("predictions", 7, value("ok-1"), b"no JSON", value("ok-2"), seek=1))
    await loop.turn(settle_all=True)
    await loop.offer(chunk("feedback", 0, value("ok-1"), seek=1))


async def _nothing(partition: int, offsets: Mapping[str, int]) -> None:
    """Nobody is told how far it is."""
