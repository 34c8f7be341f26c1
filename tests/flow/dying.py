"""Runs a monitor in which something dies or gets stuck: `python -m flow.dying WHAT`."""

from __future__ import annotations

import asyncio
import sys
from typing import Any

from faust.transport.drivers.aiokafka import AIOKafkaConsumerThread

from trueup.engine.batches import ChunkConsumer
from trueup.engine.loop import Loop
from trueup.settings import read
from trueup.workers.run import run
from trueup.workers.service import Service


class Bug(Exception):
    """Nobody foresaw this."""


def raises(*_: Any, **__: Any) -> Any:
    raise Bug("at the worst moment")


async def raises_later(*_: Any, **__: Any) -> Any:
    raise Bug("at the worst moment")


async def is_cancelled(*_: Any, **__: Any) -> Any:
    raise asyncio.CancelledError


async def returns(*_: Any, **__: Any) -> None:
    return None


async def runs_out_of_memory(*_: Any, **__: Any) -> None:
    raise MemoryError


async def hangs(*_: Any, **__: Any) -> None:
    await asyncio.Event().wait()


async def fetches_nothing(*_: Any, **__: Any) -> Any:
    await asyncio.sleep(0.1)
    return {}


#: What happens -> what is there instead of what.
WAYS: dict[str, list[tuple[type, str, Any]]] = {
    "a task raises": [(Service, "_commit_positions", raises_later)],
    "a task is cancelled": [(Service, "_reclaim", is_cancelled)],
    "a task returns": [(Service, "_watch_reading", returns)],
    "the agent raises": [(Loop, "offer", raises_later)],
    "the fetcher raises": [(ChunkConsumer, "_wait_next_records", raises_later)],
    "taking over raises": [(Loop, "positions", raises_later)],
    "the thread of the consumer raises": [(AIOKafkaConsumerThread, "_create_consumer", raises)],
    "out of memory": [(Loop, "offer", runs_out_of_memory)],
    "it raises and hangs": [(Service, "_commit_positions", raises_later), (Service, "let_go", hangs)],
    "it reads nothing": [(ChunkConsumer, "_getmany", fetches_nothing)],
}

if __name__ == "__main__":
    for owner, name, instead in WAYS[sys.argv[1]]:
        setattr(owner, name, instead)
    run("monitor", read(None))
