"""From the outbox to Kafka: the thread that owns the producer, and writes the JSON of what the app's calls left to it.

One record carries events of one topic and one model, in the order in which they were offered. Between Kafka and here
every batch is counted exactly once, whoever speaks first: the broker, the deadline, or the rebuilding of a producer
that went silent.
"""

from __future__ import annotations

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import partial

from trueup.sdk import encoding
from trueup.sdk.kafka_port import NotNow, Producer, named
from trueup.sdk.limits import EmitterLimits
from trueup.sdk.losses import LossReport
from trueup.sdk.outbox import Event, Outbox, size_bytes

log = logging.getLogger(__name__)

#: How long a topic, or the producer, is left alone after Kafka could not take a record.
RETRY_S = 0.5
#: How often deadlines and a silent producer are looked at while records are on their way.
WATCH_S = 1.0
#: How long a producer is given to close.
CLOSE_S = 1.0
#: After so many events written as JSON the app's threads get the interpreter for a moment. Without it they would wait
#: until all is written, or for `sys.getswitchinterval()`, 5 ms, at a time.
BREATH_EVENTS = 16
BREATH_S = 50e-6
#: A breath that takes longer met an app that computes without a pause, and would cost this thread 5 ms every time.
LONG_BREATH_S = 2e-3


@dataclass(eq=False, slots=True)
class Batch:
    """One record to be: `events` events of one topic and model, `size_bytes` as the outbox counts them."""

    topic: str
    key: bytes
    value: bytes
    events: int
    size_bytes: int
    deadline: float


def batches(events: Iterable[Event], limits: EmitterLimits, deadline: float) -> Iterator[Batch]:
    """Cut events into batches: grouped by topic and model, each group in order, each batch within the limits.

    A batch of one is a bare JSON object, a larger one a JSON array.
    """
    groups: dict[tuple[str, str], list[Event]] = {}
    for event in events:
        groups.setdefault(event[:2], []).append(event)
    for (topic, model_id), group in groups.items():
        for part in _parts(group, limits):
            value = part[0].body if len(part) == 1 else b"[" + b",".join([event.body for event in part]) + b"]"
            yield Batch(topic, model_id.encode(), value, len(part), sum(map(size_bytes, part)), deadline)


def _parts(group: list[Event], limits: EmitterLimits) -> Iterator[list[Event]]:
    part: list[Event] = []
    part_bytes = 0
    for event in group:
        if part and (len(part) == limits.max_batch_events or part_bytes + len(event.body) > limits.max_batch_bytes):
            yield part
            part, part_bytes = [], 0
        part.append(event)
        part_bytes += len(event.body) + 1
    if part:
        yield part


def _breathe() -> bool:
    """Let other threads have the interpreter; whether they gave it back soon."""
    before = time.monotonic()
    time.sleep(BREATH_S)
    return time.monotonic() - before < LONG_BREATH_S


class Delivery:
    """Empties an outbox into Kafka until the outbox is closed and empty. `run` is the thread's whole life.

    A second thread has nothing to do here. There is one where the app was interrupted between starting the first and
    learning that it had started.
    """

    def __init__(self, outbox: Outbox, connect: Callable[[], Producer], limits: EmitterLimits) -> None:
        self._outbox = outbox
        self._connect = connect
        self._limits = limits
        self._losses = LossReport(outbox)
        #: Connecting takes a moment: that Kafka is not there is worth a word once a record waited for a request's time.
        self._patience_s = (limits.delivery_timeout - limits.request_timeout).total_seconds()
        self._producer: Producer | None = None
        self._waiting: dict[str, deque[Batch]] = {}
        self._not_before: dict[str, float] = {}
        self._in_flight: set[Batch] = set()
        self._last_word = 0.0
        self._has_thread = threading.Lock()

    def run(self) -> None:
        if not self._has_thread.acquire(blocking=False):
            return
        while self._outbox.is_open or self._outbox.counts.pending:
            try:
                self._round()
            except Exception as error:
                # The thread outlives whatever may be raised: its events are counted, the next ones tried anew.
                self._losses.note(f"the delivery broke down ({named(error)})")
                log.debug("The delivery of events broke down", exc_info=True)
                self._close_producer()
                self._fail_waiting(lambda _: True, "the delivery to Kafka broke down")
                time.sleep(RETRY_S)
        self._close_producer()
        self._losses.report(time.monotonic(), last=True)

    def abandon(self) -> None:
        """In a forked child: the parent's thread is not here, and its connection is not ours to use or to close."""
        if self._producer is not None:
            self._producer.abandon()

    def _round(self) -> None:
        taken = self._outbox.take(wait_s=self._wait_s(), linger_s=self._limits.linger.total_seconds())
        now = time.monotonic()
        for batch in batches(self._written(taken), self._limits, now + self._limits.delivery_timeout.total_seconds()):
            self._waiting.setdefault(batch.topic, deque()).append(batch)
        self._fail_waiting(lambda batch: batch.deadline <= now, "Kafka could not be reached in time")
        for topic in [topic for topic in self._waiting if self._not_before.get(topic, 0) <= now]:
            self._send(topic)
        self._replace_silent_producer(time.monotonic())
        self._losses.report(now)

    def _written(self, taken: list[Event]) -> Iterator[Event]:
        """The events with their JSON. One that cannot have any has failed."""
        breathes, more_bytes = True, 0
        for place, event in enumerate(taken, start=1):
            if event.is_snapshot:
                try:
                    json = encoding.json_of(event.body, max_bytes=self._limits.max_batch_bytes)
                except Exception as problem:
                    why = encoding.complaint(f"an event of {event.topic}", problem)
                    self._outbox.settle(events=1, size_bytes=size_bytes(event), error=why)
                    continue
                more_bytes += len(json) - len(event.body)
                event = Event(event.topic, event.model_id, json)
                if breathes and place % BREATH_EVENTS == 0:
                    breathes = _breathe()
            yield event
        self._outbox.weigh(more_bytes)

    def _wait_s(self) -> float | None:
        if self._waiting:
            return RETRY_S
        return WATCH_S if self._in_flight else None

    def _send(self, topic: str) -> None:
        """Hand over what waits for a topic, in order, until Kafka cannot take more or the emitter has given up."""
        waiting = self._waiting[topic]
        while waiting and self._outbox.counts.pending:
            try:
                self._hand_over(waiting[0])
            except NotNow as problem:
                now = time.monotonic()
                if now > waiting[0].deadline - self._patience_s:
                    self._losses.note(str(problem))
                self._not_before[topic] = now + RETRY_S
                return
            waiting.popleft()
        del self._waiting[topic]
        self._not_before.pop(topic, None)

    def _hand_over(self, batch: Batch) -> None:
        producer = self._open_producer()
        if not self._in_flight:
            self._last_word = time.monotonic()
        self._in_flight.add(batch)
        try:
            producer.send(batch.topic, key=batch.key, value=batch.value, done=partial(self._done, batch))
        except NotNow:
            self._in_flight.discard(batch)
            raise
        except Exception as error:
            # Too large for Kafka, no name for a topic, ...: this record will never do, the next one may.
            self._done(batch, error)

    def _open_producer(self) -> Producer:
        if self._producer is None:
            try:
                self._producer = self._connect()
            except Exception as error:
                self._losses.note(f"no producer could be made ({named(error)})")
                raise NotNow("no producer could be made") from error
        return self._producer

    def _done(self, batch: Batch, error: BaseException | None) -> None:
        """The word on one batch. Called by the producer's own thread too; only the first word counts."""
        self._last_word = time.monotonic()
        try:
            self._in_flight.remove(batch)
        except KeyError:
            return
        self._settle(batch, None if error is None else f"Kafka did not take a record of {batch.topic} ({named(error)})")

    def _settle(self, batch: Batch, error: str | None) -> None:
        self._outbox.settle(events=batch.events, size_bytes=batch.size_bytes, error=error)

    def _fail_waiting(self, where: Callable[[Batch], bool], why: str) -> None:
        for topic, waiting in list(self._waiting.items()):
            for batch in filter(where, waiting):
                self._settle(batch, why)
            kept = deque(batch for batch in waiting if not where(batch))
            if kept:
                self._waiting[topic] = kept
            else:
                del self._waiting[topic]

    def _replace_silent_producer(self, now: float) -> None:
        silence_s = 2 * self._limits.delivery_timeout.total_seconds()
        if self._in_flight and now - self._last_word > silence_s:
            self._losses.note(f"the producer said nothing for {silence_s:.0f} s and was replaced")
            self._close_producer()

    def _close_producer(self) -> None:
        """Close the producer; what it had in flight without a word has failed."""
        producer, self._producer = self._producer, None
        if producer is not None:
            producer.close(CLOSE_S)
        while self._in_flight:
            self._done(next(iter(self._in_flight)), TimeoutError())
