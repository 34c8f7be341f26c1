"""The bounded queue between an app's calls and the thread that delivers, and the count of what became of each event.

Nothing here knows Kafka. Every event offered is exactly one of delivered, dropped, failed or pending at any time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

#: What an event costs in memory beside its JSON: the tuple, the bytes object, its place in the list.
OVERHEAD_BYTES = 150


class Event(NamedTuple):
    """One event on its way: `json` is a JSON object."""

    topic: str
    model_id: str
    json: bytes


def size_bytes(event: Event) -> int:
    """What an event weighs against the bound in bytes."""
    return len(event[2]) + OVERHEAD_BYTES


@dataclass(frozen=True, slots=True)
class Counts:
    """What became of the events offered: offered = delivered + dropped + failed + pending.

    dropped: there was no room, or the emitter was closed. failed: it could not be an event, or Kafka did not
    acknowledge it in time (it may have arrived all the same). pending: neither is known yet.
    """

    offered: int = 0
    delivered: int = 0
    dropped: int = 0
    failed: int = 0
    pending: int = 0


class Outbox:
    """Bounded by events and bytes, counting also those taken out and not settled yet. Any thread may call anything.

    The lock is reentrant and held for a handful of instructions: an app may emit from a signal handler that
    interrupts an emit, and no call in the app's path may wait for one that does real work.
    """

    def __init__(self, *, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._changed = threading.Condition(threading.RLock())
        self._queued: list[Event] = []
        self._offered = self._delivered = self._dropped = self._failed = self._pending = 0
        self._pending_bytes = 0
        self._last_loss = ""
        #: Whether something happened since the last `take`, so that a busy app notifies once per take, not per event.
        self._news = False
        self._flushes = 0
        self._open = True

    def offer(self, event: Event) -> None:
        """Queue an event, or drop it where there is no room. Does not wait."""
        size = size_bytes(event)
        with self._changed:
            self._offered += 1
            if not self._open:
                self._dropped += 1
            elif self._pending >= self._max_events or self._pending_bytes + size > self._max_bytes:
                self._dropped += 1
                self._last_loss = "the queue is full"
            else:
                self._pending += 1
                self._pending_bytes += size
                self._queued.append(event)
            if not self._news:
                self._tell()

    def refuse(self, why: str) -> None:
        """Count one event that cannot be sent, whatever the state of the queue. Does not wait."""
        with self._changed:
            self._offered += 1
            self._failed += 1
            self._last_loss = why
            if not self._news:
                self._tell()

    def take(self, *, wait_s: float | None, linger_s: float) -> list[Event]:
        """Everything queued, in order. There is one taker: the thread that delivers.

        Waits up to `wait_s` for news (an event, a loss, a flush, the close; None: for as long as it takes). Then,
        where events are queued and nobody flushes or closes, waits `linger_s` for more of them.
        """
        with self._changed:
            self._wait_until(lambda: self._news, wait_s)
            if self._queued:
                self._wait_until(lambda: bool(self._flushes) or not self._open, linger_s)
            self._news = False
            taken, self._queued = self._queued, []
            return taken

    def settle(self, *, events: int, size_bytes: int, error: str | None) -> None:
        """Say what became of events taken: delivered, or failed where there is an `error`."""
        with self._changed:
            if not self._pending:
                return  # `give_up` has settled everything already.
            self._pending -= events
            self._pending_bytes -= size_bytes
            if error is None:
                self._delivered += events
            else:
                self._failed += events
                self._last_loss = error
            if error is not None or not self._pending:
                self._tell()

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Whether nothing is pending, `timeout_s` from now at the latest. The taker does not linger meanwhile."""
        with self._changed:
            self._flushes += 1
            self._tell()
            try:
                return self._wait_until(lambda: not self._pending, timeout_s)
            finally:
                self._flushes -= 1

    def close(self) -> None:
        """Take no more events. What is pending stays so."""
        with self._changed:
            self._open = False
            self._tell()

    def give_up(self) -> None:
        """Close, and count what is still pending as failed."""
        with self._changed:
            self._open = False
            if self._pending:
                self._last_loss = "the emitter was closed before Kafka acknowledged"
            self._failed += self._pending
            self._pending = self._pending_bytes = 0
            self._queued = []
            self._tell()

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def last_loss(self) -> str:
        """Why the last event was dropped or failed, in words that hold nothing of an event."""
        return self._last_loss

    @property
    def counts(self) -> Counts:
        """A consistent snapshot."""
        with self._changed:
            return Counts(self._offered, self._delivered, self._dropped, self._failed, self._pending)

    def _tell(self) -> None:
        self._news = True
        self._changed.notify_all()

    def _wait_until(self, holds: Callable[[], bool], timeout_s: float | None) -> bool:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not holds():
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                return False
            self._changed.wait(remaining)
        return True
