"""The bounded queue between an app's calls and the thread that delivers, and the count of what became of each event.

Nothing here knows Kafka. Every event offered is exactly one of delivered, dropped, failed or pending at any time.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

#: What an event costs in memory beside its bytes: the tuple, the bytes object, its place in the list.
OVERHEAD_BYTES = 150
#: Snapshots in the queue from which on an app is ahead of the thread that writes their JSON (0.4 s at 5,000 a second).
BEHIND_EVENTS = 2_000
#: Nobody holds the lock for longer, unless it is a thread that was stopped for ever by the interpreter's exit.
LOCK_S = 1.0


class Event(NamedTuple):
    """One event on its way: `body` is a JSON object, or the snapshot from which it is to be written."""

    topic: str
    model_id: str
    body: bytes
    is_snapshot: bool = False


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

    The lock is reentrant and held for a handful of instructions: an app may emit from a signal handler, or from a
    finalizer that the garbage collector runs, in the middle of an emit; and no call in the app's path may wait for one
    that does real work. What is counted only grows, one number at a step, and pending is the difference: the balance
    holds wherever a call is interrupted.
    """

    def __init__(self, *, max_events: int, max_bytes: int) -> None:
        self._max_events = max_events
        self._max_bytes = max_bytes
        self._lock = threading.RLock()
        self._changed = threading.Condition(self._lock)
        self._queued: list[Event] = []
        self._offered = self._delivered = self._dropped = self._failed = 0
        self._held_bytes = 0
        self._last_loss = ""
        #: Whether something happened since the last `take`, so that a busy app notifies once per take, not per event.
        self._news = False
        self._flushes = 0
        self._open = True
        self._given_up = False
        #: Events that failed where nothing could be called any more, not even `refuse`.
        self.unheard = 0

    def offer(self, event: Event) -> None:
        """Queue an event, or drop it where there is no room. Does not wait. What raises has counted nothing."""
        if not self._open:
            return self.drop()
        size = len(event[2]) + OVERHEAD_BYTES
        with self._lock:
            # No call comes between the count and the append, so that no signal handler does either.
            self._offered += 1
            pending = self._offered - self._delivered - self._dropped - self._failed
            if pending > self._max_events or self._held_bytes + size > self._max_bytes or not self._open:
                self._dropped += 1
                self._last_loss = "the queue is full"
            else:
                self._held_bytes += size
                self._queued.append(event)
            if not self._news:
                try:
                    self._tell()
                except RecursionError:
                    return None  # The app has no frame left for it: the next event tells.
        return None

    def drop(self) -> None:
        """Count one event for which there is no room, or that comes too late. Waits for nothing but the lock."""
        self._lose(None)

    def refuse(self, why: str) -> None:
        """Count one event that cannot be sent, whatever the state of the queue. Waits for nothing but the lock."""
        self._lose(why)

    def _lose(self, why: str | None) -> None:
        """Count one event as failed, or where no reason is given as dropped. Also when the interpreter is on its way
        out, and whoever held the lock will never let it go."""
        locked = self._lock.acquire(timeout=LOCK_S)
        try:
            self._offered += 1
            if why is None:
                self._dropped += 1
                self._last_loss = "the queue is full" if self._open else self._last_loss
            else:
                self._failed += 1
                self._last_loss = why
            if locked and not self._news:
                self._tell()
        except RecursionError:
            return  # As above.
        finally:
            if locked:
                self._lock.release()

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
        with self._lock:
            if self._given_up:
                return  # `give_up` has settled everything already.
            self._held_bytes -= size_bytes
            if error is None:
                self._delivered += events
            else:
                self._failed += events
                self._last_loss = error
            if error is not None or not self._pending():
                self._tell()

    def weigh(self, more_bytes: int) -> None:
        """Events taken have become heavier by so much, or lighter: their JSON has been written."""
        with self._lock:
            if not self._given_up:
                self._held_bytes += more_bytes

    def wait_until_empty(self, timeout_s: float) -> bool:
        """Whether nothing is pending, `timeout_s` from now at the latest. The taker does not linger meanwhile."""
        with self._changed:
            self._flushes += 1
            self._tell()
            try:
                return self._wait_until(lambda: not self._pending(), timeout_s)
            finally:
                self._flushes -= 1

    def close(self) -> None:
        """Take no more events. What is pending stays so."""
        with self._changed:
            self._open = False
            self._tell()

    def give_up(self) -> None:
        """Close, and count what is still pending as failed."""
        with self._lock:
            self._open = False
            self._given_up = True
            if self._pending():
                self._last_loss = "the emitter was closed before Kafka acknowledged"
            self._failed += self._offered - self._delivered - self._dropped - self._failed
            self._held_bytes = 0
            self._queued = []
            self._tell()

    @property
    def is_open(self) -> bool:
        return self._open

    @property
    def is_full(self) -> bool:
        """Whether an event offered now would surely be dropped."""
        pending = self._offered - self._delivered - self._dropped - self._failed
        return pending >= self._max_events or self._held_bytes + OVERHEAD_BYTES >= self._max_bytes

    @property
    def is_behind(self) -> bool:
        """Whether so many snapshots are queued that an app should write the JSON of the next event itself."""
        return len(self._queued) >= BEHIND_EVENTS

    @property
    def last_loss(self) -> str:
        """Why the last event was dropped or failed, in words that hold nothing of an event."""
        return self._last_loss

    @property
    def counts(self) -> Counts:
        """A consistent snapshot."""
        locked = self._lock.acquire(timeout=LOCK_S)
        try:
            offered, delivered, dropped, failed = self._offered, self._delivered, self._dropped, self._failed
        finally:
            if locked:
                self._lock.release()
        pending = offered - delivered - dropped - failed
        unheard = self.unheard
        return Counts(offered + unheard, delivered, dropped, failed + unheard, pending)

    def _pending(self) -> int:
        return self._offered - self._delivered - self._dropped - self._failed

    def _tell(self) -> None:
        self._changed.notify_all()
        self._news = True

    def _wait_until(self, holds: Callable[[], bool], timeout_s: float | None) -> bool:
        deadline = None if timeout_s is None else time.monotonic() + timeout_s
        while not holds():
            remaining = None if deadline is None else deadline - time.monotonic()
            if remaining is not None and remaining <= 0:
                return False
            self._changed.wait(remaining)
        return True
