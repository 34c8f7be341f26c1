"""A checkpoint and a publisher that do what they promise, and can be told to fail or to be killed at a named place.

fail         no answer, and not done (a publication: half of it)
lose         done, and the answer is lost
kill         the process ends just before (a publication: halfway)
kill-after   the process ends just after
break        something is raised that nobody foresees

A place can also be `held`: whoever comes there waits until it is let on.
"""

from __future__ import annotations

import asyncio
from collections import Counter
from collections.abc import Callable, Coroutine, Mapping, Sequence
from typing import Any, TypeVar

from trueup.engine.checkpoint import Checkpoint, Claimed, Save
from trueup.engine.publisher import Publisher
from trueup.errors import Unavailable
from trueup.step import Found, Needs, Output

Result = TypeVar("Result")
PLACES = ("claim", "reread", "read", "save", "publish", "clear")
WAYS = ("fail", "lose", "kill", "kill-after")


class Killed(BaseException):
    """The process ended here."""


class Broken(Exception):
    """Nobody foresees this."""


class Faults:
    """What goes wrong, next time, and where. `happened` counts what did."""

    def __init__(self) -> None:
        self.armed: dict[str, str] = {}
        #: Places that fail until they are taken out again.
        self.down: set[str] = set()
        self._spared: dict[str, int] = {}
        self.happened: list[tuple[str, str]] = []
        #: How many came to a place.
        self.reached: Counter[str] = Counter()
        self._held: dict[str, asyncio.Event] = {}

    def hold(self, place: str) -> asyncio.Event:
        """Let whoever comes here wait for this."""
        return self._held.setdefault(place, asyncio.Event())

    def pass_by(self, place: str) -> None:
        """Hold nobody more here; whoever waits goes on waiting."""
        del self._held[place]

    def let_on(self, place: str) -> None:
        """Hold nobody here any longer."""
        self._held.pop(place).set()

    def later(self, place: str, *, after: int) -> None:
        """Fail at this place, once it went well so many times."""
        self.armed[place], self._spared[place] = "fail", after

    async def at(self, place: str, call: Callable[[], Coroutine[Any, Any, Result]]) -> Result:
        """Make the call, or not, as told."""
        self.reached[place] += 1
        if (held := self._held.get(place)) is not None:
            await held.wait()
        if self._spared.get(place, 0) > 0:
            self._spared[place] -= 1
            return await call()
        way = "fail" if place in self.down else self.armed.pop(place, None)
        if way is None:
            return await call()
        self.happened.append((place, way))
        if way in ("lose", "kill-after"):
            await call()
        if way in ("kill", "kill-after"):
            raise Killed(place)
        if way == "break":
            raise Broken(place)
        raise Unavailable(f"{place}: {way}")


class FaultyCheckpoint:
    """`Checkpoint` that passes calls on, but for what `faults` says."""

    def __init__(self, checkpoint: Checkpoint, faults: Faults) -> None:
        self._checkpoint = checkpoint
        self._faults = faults

    async def claim(self, partition: int) -> Claimed:
        async def call() -> Claimed:
            return await self._checkpoint.claim(partition)

        return await self._faults.at("claim", call)

    async def reread(self, partition: int, epoch: int) -> Claimed:
        async def call() -> Claimed:
            return await self._checkpoint.reread(partition, epoch)

        return await self._faults.at("reread", call)

    async def read(self, partition: int, needs: Needs) -> Found:
        async def call() -> Found:
            return await self._checkpoint.read(partition, needs)

        return await self._faults.at("read", call)

    async def save(self, partition: int, save: Save) -> None:
        async def call() -> None:
            await self._checkpoint.save(partition, save)

        await self._faults.at("save", call)

    async def begin_anew(self, partition: int, epoch: int, saves: int) -> None:
        await self._checkpoint.begin_anew(partition, epoch, saves)

    async def sweep(self, partition: int, epoch: int, turn: int, outdated: Mapping[int, int], *, saves: int) -> int:
        return await self._checkpoint.sweep(partition, epoch, turn, outdated, saves=saves)

    async def clear_outbox(
        self, partition: int, epoch: int, count: int, *, saves: int, journal_at: int | None = None
    ) -> None:
        async def call() -> None:
            await self._checkpoint.clear_outbox(partition, epoch, count, saves=saves, journal_at=journal_at)

        await self._faults.at("clear", call)

    async def views(self, partition: int) -> Mapping[str, bytes]:
        return await self._checkpoint.views(partition)

    async def offsets(self, partition: int) -> Mapping[str, int]:
        return await self._checkpoint.offsets(partition)


class FaultyPublisher:
    """`Publisher` that passes calls on, but for what `faults` says: then half of them go out."""

    def __init__(self, publisher: Publisher, faults: Faults) -> None:
        self._publisher = publisher
        self._faults = faults

    async def publish(self, outputs: Sequence[Output]) -> list[int]:
        half = list(outputs[: len(outputs) // 2])

        async def call() -> list[int]:
            return await self._publisher.publish(outputs)

        if self._faults.armed.get("publish") in ("fail", "kill"):
            await self._publisher.publish(half)
        return await self._faults.at("publish", call)
