"""How a worker ends: one sentence as the last line on stderr, and an exit code that says what to do next.

    0  it was asked to stop: it has saved, and left the group
    1  it could not go on, and a later start may: Kafka or Redis is away, the memory is used up, a fault of ours
    2  a person has to mend something first: settings, topics, a snapshot of another version

Whatever dies first decides. From then on the worker has some seconds to save and to leave the group; then it ends in
any case: a process that is half alive holds its partitions, and nobody else works on them.
"""

from __future__ import annotations

import asyncio
import logging
import os
import signal
import sys
import threading
import traceback
from dataclasses import dataclass
from typing import NoReturn

import aiokafka.errors
import kafka.errors
import redis.exceptions

from trueup.errors import InvalidSettings, TopicWentBack, TrueupError, UnknownSnapshot

log = logging.getLogger(__name__)

ASKED, AGAIN, MEND = 0, 1, 2
#: For saving, and for leaving the group. Whoever asks a container to stop kills it after ten.
GRACE_SECONDS = 8.0

_TO_MEND = (InvalidSettings, UnknownSnapshot, TopicWentBack)
_NO_RIGHT = (
    aiokafka.errors.TopicAuthorizationFailedError,
    aiokafka.errors.GroupAuthorizationFailedError,
    aiokafka.errors.ClusterAuthorizationFailedError,
    aiokafka.errors.SaslAuthenticationFailed,
)


@dataclass(frozen=True, slots=True)
class Ending:
    """Why a worker ends. `traceback` is empty where the sentence says all there is to say."""

    code: int
    sentence: str
    traceback: str = ""


def ending(error: BaseException) -> Ending:
    """What there is to say of this error, and whether a later start may do better."""
    if isinstance(error, TrueupError):
        return Ending(MEND if isinstance(error, _TO_MEND) else AGAIN, _one_line(str(error)))
    if isinstance(error, MemoryError):
        return Ending(AGAIN, "out of memory")
    if isinstance(error, _NO_RIGHT):
        return Ending(MEND, _one_line(f"Kafka does not let us: {error!r}"))
    of_kafka = isinstance(error, (aiokafka.errors.KafkaError, kafka.errors.KafkaError))
    if of_kafka and not isinstance(error, aiokafka.errors.IllegalStateError):
        return Ending(AGAIN, _one_line(f"Kafka does not answer, or refuses: {error!r}"))
    if isinstance(error, redis.exceptions.RedisError):
        return Ending(AGAIN, _one_line(f"Redis does not answer, or refuses: {error!r}"))
    told = "".join(traceback.format_exception(error))
    return Ending(AGAIN, _one_line(f"a fault of Trueup's own: {error!r}"), told)


def leave(name: str, how: Ending) -> NoReturn:
    """End the process now: no thread and no exit handler of a library can hold it up."""
    if how.code != ASKED:
        sys.stderr.write(f"{how.traceback}{name} ends: {how.sentence}\n")
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except (OSError, ValueError):
            continue  # Nobody reads any more.
    os._exit(how.code)


def _one_line(text: str) -> str:
    return " ".join(text.split())


class Ends:
    """Sees to it that one process ends, once, with what happened first. `name` begins its sentence.

    `crash` and `ask` may be called from any thread, any number of times.
    """

    def __init__(self, name: str, *, grace_seconds: float = GRACE_SECONDS) -> None:
        self._name = name
        self._grace_seconds = grace_seconds
        self._ending: Ending | None = None
        self._lock = threading.Lock()
        self._left = threading.Lock()
        self._loop: asyncio.AbstractEventLoop | None = None
        self._come = asyncio.Event()

    @property
    def ending(self) -> Ending | None:
        """Why it ends; None: it does not."""
        return self._ending

    def listen(self) -> None:
        """Take SIGTERM and SIGINT as a request to stop. For the main thread."""
        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, lambda *_: self.ask())

    def ask(self) -> None:
        """Somebody wants it to stop."""
        if self._loop is None:
            self._ending = self._ending or Ending(ASKED, "")
            self.leave()  # Nothing is connected, nothing was taken.
        self._end(Ending(ASKED, ""))

    def crash(self, error: BaseException) -> None:
        """This ends it, unless something else has already."""
        self._end(ending(error))

    def _end(self, how: Ending) -> None:
        with self._lock:
            if self._ending is not None:
                return
            self._ending = how
        timer = threading.Timer(self._grace_seconds, self._out_of_time)
        timer.daemon = True
        timer.start()
        if self._loop is not None:
            self._loop.call_soon_threadsafe(self._come.set)

    async def wait(self) -> None:
        """Until there is a reason to end."""
        self._loop = asyncio.get_running_loop()
        if self._ending is None:
            await self._come.wait()

    def _out_of_time(self) -> None:
        log.warning("not done with stopping after %.0f s: what is not saved is taken again", self._grace_seconds)
        self.leave()

    def leave(self) -> NoReturn:
        """End the process now, with what happened first."""
        self._left.acquire()
        leave(self._name, self._ending or ending(RuntimeError("ended without a reason")))
