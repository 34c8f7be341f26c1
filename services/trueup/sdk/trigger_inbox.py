"""`TriggerInbox`: what a pipeline iterates over to learn what it is to do."""

from __future__ import annotations

import json
import logging
import queue
import threading
import time
from collections import deque
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from typing import Any, Literal

from trueup.sdk.encoding import LONGEST_TEXT
from trueup.sdk.kafka_port import KafkaPythonProducer, NotNow, Producer, Servers, named
from trueup.sdk.received_trigger import (
    FINAL,
    TAKEN_UP,
    AlreadyFinished,
    ReceivedTrigger,
    UpdateNotDelivered,
    UpdateStatus,
    parse_trigger,
    too_late,
)
from trueup.sdk.security import InvalidSecurity, Security, checked
from trueup.sdk.trigger_ledger import TriggerLedger
from trueup.sdk.trigger_log import KafkaTriggerLog, TriggerLog, TriggerLogUnavailable, TriggerRecord

log = logging.getLogger(__name__)

Action = Literal["retrain", "rollback", "promote"]

#: A wait is cut into slices of this length, so that `stop` is heard.
SLICE_S = 0.5
#: How long Kafka is left alone after it could not be reached, and how often that is said.
RETRY_S = 1.0
WARNING_INTERVAL_S = 60.0


class TriggerInbox:
    """Triggers, each handed out once, and again after a restart until it is finished.

        with TriggerInbox("localhost:9092", group="nightly", action="retrain") as inbox:
            for trigger in inbox:
                trigger.accept()
                trigger.succeeded(model_version=train(trigger.dataset))

    A trigger is finished once an update said succeeded, failed or rejected, by whomever. Kafka's offset moves past
    a trigger only then, and in order, so a pipeline that is killed in the middle gets the same trigger again; those
    that finished meanwhile are known from reading `trigger-updates` back. Nothing is lost by a training that
    takes days: no group membership is at stake. In exchange, **one inbox at a time runs for a group** with the same
    `action` and `model_id`; a second one would get the same triggers. Replace a pipeline by stopping the old one
    first. Inboxes of one group with other filters do not disturb each other, each commits under a name of its own
    (`nightly.action=retrain`).

    A trigger that nobody accepted before its `deadline_at` is not handed out any more: Trueup has given it up, and has
    called somebody. One that was accepted in time is handed out again whenever that is.

    `security` is a `KafkaSecurity`, or kafka-python's own settings, as for the `Emitter`.

    While Kafka is away the inbox waits and says so in the log. Iterate in one thread; triggers may be reported on
    from any. After a fork, make a new inbox.
    """

    def __init__(
        self,
        bootstrap_servers: Servers,
        *,
        group: str,
        action: Action | None = None,
        model_id: str | None = None,
        topic_prefix: str = "trueup.",
        report_timeout: timedelta = timedelta(seconds=30),
        security: Security | None = None,
        open_log: Callable[[], TriggerLog] | None = None,
        connect: Callable[[], Producer] | None = None,
    ) -> None:
        if not group:
            raise ValueError("an inbox needs a group: the name under which Kafka keeps what is done")
        settings = checked(security)
        self._action = action
        self._model_id = model_id
        self._updates = f"{topic_prefix}trigger-updates"
        self._report_timeout_s = report_timeout.total_seconds()
        self._open_log = open_log or (
            lambda: KafkaTriggerLog(
                bootstrap_servers,
                group_id=_group_id(group, action, model_id),
                triggers=f"{topic_prefix}triggers",
                updates=self._updates,
                security=settings,
            )
        )
        self._connect = connect or (
            lambda: KafkaPythonProducer(
                bootstrap_servers,
                security=settings,
                request_timeout=min(report_timeout, timedelta(seconds=5)),
                delivery_timeout=report_timeout,
            )
        )
        self._ledger = TriggerLedger()
        self._ledger_lock = threading.RLock()
        #: Each with the time at which it was published.
        self._arrived: deque[tuple[ReceivedTrigger, datetime | None]] = deque()
        self._log: TriggerLog | None = None
        self._log_lock = threading.RLock()
        self._producer: Producer | None = None
        self._producer_lock = threading.RLock()
        self._stopped = False
        self._closed = False
        self._next_warning = float("-inf")

    def __iter__(self) -> TriggerInbox:
        return self

    def __next__(self) -> ReceivedTrigger:
        """The next trigger, however long that takes; the iteration ends after `stop` or `close`."""
        while not self._stopped:
            trigger = self.poll(SLICE_S)
            if trigger is not None:
                return trigger
        raise StopIteration

    def poll(self, timeout: float = 0.0) -> ReceivedTrigger | None:
        """The next trigger, or None where there is none within `timeout` seconds, or after `stop`.

        Connecting, at first and after Kafka was away, may take some seconds beyond `timeout`.

        Raises:
            ValueError: kafka-python does not know a setting in `security`.
        """
        deadline = time.monotonic() + timeout
        with self._log_lock:
            while not self._stopped:
                self._read(0.0 if self._arrived else max(0.0, min(SLICE_S, deadline - time.monotonic())))
                while self._arrived:
                    trigger, published_at = self._arrived.popleft()
                    if not self._is_over(trigger, published_at):
                        return trigger
                if time.monotonic() >= deadline:
                    break
            if self._closed:
                self._close_log()
        return None

    def stop(self) -> None:
        """End the iteration soon: within half a second, or some seconds while Kafka is away.

        For another thread, or a signal handler.
        """
        self._stopped = True

    def close(self) -> None:
        """Stop, commit what is finished, and let go of the connections, in bounded time. Never raises.

        Not for a signal handler: that calls `stop`.
        """
        self._stopped = self._closed = True
        if self._log_lock.acquire(timeout=2 * SLICE_S):  # Else a poll is still opening a connection, and closes it.
            try:
                self._commit()
                self._close_log()
            finally:
                self._log_lock.release()
        with self._producer_lock:
            self._close_producer()

    def __enter__(self) -> TriggerInbox:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def _is_over(self, trigger: ReceivedTrigger, published_at: datetime | None) -> bool:
        """Whether there is nothing left to do about it: it is finished, or it waited here or in Kafka for too long."""
        with self._ledger_lock:
            if self._ledger.is_finished(trigger.id):
                return True
            over = not self._ledger.is_taken_up(trigger.id) and too_late(
                trigger, published_at=published_at, now=datetime.now(UTC)
            )
            if over:
                log.warning("Skipped trigger %s: it was to be accepted by %s", trigger.id, trigger.deadline_at)
                self._ledger.finish(trigger.id)
            return over

    def _read(self, timeout_s: float) -> None:
        """One look at Kafka. What goes wrong is said in the log, and tried again with a new connection."""
        try:
            if self._log is None:
                self._log = self._open_log()
            news = self._log.read(timeout_s)
        except InvalidSecurity:
            raise
        except TriggerLogUnavailable as problem:
            self._warn("No triggers can be read at present: %s", problem)
            self._close_log()
            time.sleep(min(timeout_s, RETRY_S))
            return
        with self._ledger_lock:
            for update in news.updates:
                self._note_update(update)
            for record in news.triggers:
                self._note_trigger(record)
        self._commit()

    def _note_update(self, value: bytes) -> None:
        """Remember how far a trigger is. Updates are written by anyone: the alerter complains of what is none."""
        try:
            parsed = json.loads(value)
        except (ValueError, RecursionError):
            return
        for update in parsed if isinstance(parsed, list) else [parsed]:
            if not isinstance(update, dict):
                continue
            trigger_id, status = update.get("trigger_id"), update.get("status")
            if isinstance(trigger_id, str) and isinstance(status, str):
                self._note_status(trigger_id, status)

    def _note_status(self, trigger_id: str, status: str) -> None:
        if status in FINAL:
            self._ledger.finish(trigger_id)
        elif status in TAKEN_UP:
            self._ledger.take_up(trigger_id)

    def _note_trigger(self, record: TriggerRecord) -> None:
        try:
            trigger = parse_trigger(record.value, self._report)
        except ValueError as problem:
            log.warning("Skipped partition %d offset %d of the triggers: %s", record.partition, record.offset, problem)
            self._ledger.arrive(record.partition, record.offset, None)
            return
        wanted = self._action in (None, trigger.action) and self._model_id in (None, trigger.model_id)
        if self._ledger.arrive(record.partition, record.offset, trigger.id if wanted else None):
            self._arrived.append((trigger, record.published_at))

    def _commit(self) -> None:
        """Commit what is finished. Where that fails the next time does; until then `trigger-updates` knows it."""
        with self._ledger_lock:
            offsets = self._ledger.to_commit()
        if not offsets or self._log is None:
            return
        try:
            self._log.commit(offsets)
        except TriggerLogUnavailable as problem:
            self._warn("What is finished could not be committed: %s", problem)
            return
        with self._ledger_lock:
            self._ledger.committed(offsets)

    def _report(
        self, trigger: ReceivedTrigger, status: UpdateStatus, *, model_version: str | None, detail: str | None
    ) -> None:
        if self._ledger.is_finished(trigger.id):
            raise AlreadyFinished(f"trigger {trigger.id} is finished: it cannot become {status} any more")
        update = {
            "trigger_id": trigger.id,
            "model_id": trigger.model_id,
            "status": status,
            "model_version": model_version,
            "detail": None if detail is None else detail[:LONGEST_TEXT],
            "updated_at": datetime.now(UTC).isoformat(timespec="milliseconds"),
        }
        self._publish(trigger, {name: value for name, value in update.items() if value is not None})
        if status in FINAL:
            with self._ledger_lock:
                self._ledger.finish(trigger.id)
            # Another thread may be reading: it commits when it has done so.
            if self._log_lock.acquire(blocking=False):
                try:
                    self._commit()
                finally:
                    self._log_lock.release()

    def _publish(self, trigger: ReceivedTrigger, update: dict[str, Any]) -> None:
        """Hand an update to Kafka and wait for its word.

        Raises:
            UpdateNotDelivered: there was no good word within the report timeout, or the inbox is closed.
        """
        value = json.dumps(update, ensure_ascii=False, separators=(",", ":")).encode()
        with self._producer_lock:
            problem = "the inbox is closed" if self._closed else self._deliver(trigger.model_id.encode(), value)
            if problem is not None:
                self._close_producer()
                raise UpdateNotDelivered(
                    f"{update['status']!r} of trigger {trigger.id} did not reach topic {self._updates}: {problem}. "
                    "The trigger stays open: report again once Kafka answers."
                )

    def _deliver(self, key: bytes, value: bytes) -> str | None:
        """None, or what went wrong."""
        deadline = time.monotonic() + self._report_timeout_s
        word: queue.SimpleQueue[BaseException | None] = queue.SimpleQueue()
        while True:
            try:
                if self._producer is None:
                    self._producer = self._connect()
                self._producer.send(self._updates, key=key, value=value, done=word.put)
                error = word.get(timeout=max(0.0, deadline - time.monotonic()))
            except NotNow as problem:
                if time.monotonic() >= deadline:
                    return str(problem)
            except queue.Empty:
                return f"no answer within {self._report_timeout_s:g} s"
            else:
                return None if error is None else named(error)

    def _close_log(self) -> None:
        if self._log is not None:
            self._log.close()
            self._log = None

    def _close_producer(self) -> None:
        if self._producer is not None:
            self._producer.close(timeout_s=1.0)
            self._producer = None

    def _warn(self, message: str, problem: Exception) -> None:
        now = time.monotonic()
        if now >= self._next_warning:
            self._next_warning = now + WARNING_INTERVAL_S
            log.warning(message, problem)


def _group_id(group: str, action: str | None, model_id: str | None) -> str:
    """Kafka's name of a group with these filters: what one of them skips is not skipped for another."""
    filters = {"action": action, "model": model_id}
    return ".".join([group, *(f"{name}={value}" for name, value in filters.items() if value)])
