"""`Emitter`: what an app calls for every prediction, every truth and every deployment."""

from __future__ import annotations

import atexit
import os
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Any

from trueup.sdk import encoding
from trueup.sdk.delivery import Delivery
from trueup.sdk.encoding import Fields, InvalidEvent
from trueup.sdk.kafka_port import KafkaPythonProducer, Producer, Servers
from trueup.sdk.limits import EmitterLimits
from trueup.sdk.outbox import Counts, Event, Outbox
from trueup.sdk.security import Security, checked

Time = datetime | float

#: How long the exit of an interpreter may be held up for events that are still pending.
EXIT_FLUSH_S = 2.0


class Emitter:
    """Sends events to Kafka without ever being felt by the app.

    The `emit_` methods serialise (so the arguments may change afterwards) and put into a bounded queue. They never
    wait for Kafka, never raise, and take a few microseconds; what became of their events is told by `counts`. A
    daemon thread delivers, started by the first event in each process. Any thread may call anything; after a fork
    the child has a queue, a count and a thread of its own, and leaves the parent's events to the parent.

    Times are aware datetimes or seconds since 1970, and default to now. Events of one topic and model arrive in the
    order in which they were emitted; an event may arrive twice after a broken connection (Trueup counts it once).
    At the interpreter's exit what is pending is given two seconds; a process that leaves in another way (`os._exit`,
    a child of `multiprocessing`) calls `flush` or `close` first.

    `security` is a `KafkaSecurity`, or kafka-python's own settings (`security_protocol`, `sasl_mechanism`, ...), and is
    never logged. A password without TLS is refused unless `allow_plaintext_password` is said besides. `compression` is
    `gzip`, or what kafka-python finds installed: `lz4`, `snappy`, `zstd`.

    Raises:
        ValueError: `limits` or `security` are wrong. Kafka being away raises nothing, here or later.
    """

    def __init__(
        self,
        bootstrap_servers: Servers,
        *,
        topic_prefix: str = "trueup.",
        limits: EmitterLimits | None = None,
        compression: str | None = None,
        security: Security | None = None,
        connect: Callable[[], Producer] | None = None,
    ) -> None:
        self._predictions = f"{topic_prefix}predictions"
        self._feedback = f"{topic_prefix}feedback"
        self._deployments = f"{topic_prefix}deployments"
        self._limits = limits = limits or EmitterLimits()
        settings = checked(security)
        self._connect = connect or (
            lambda: KafkaPythonProducer(
                bootstrap_servers,
                security=settings,
                request_timeout=limits.request_timeout,
                delivery_timeout=limits.delivery_timeout,
                compression=compression,
            )
        )
        self._of_parent: list[Delivery] = []
        self._thread: threading.Thread | None = None
        self._starting = threading.RLock()
        self._begin()
        self._at_exit = _calling(self, "_close_at_exit")
        atexit.register(self._at_exit)
        os.register_at_fork(after_in_child=_calling(self, "_begin_in_child"))

    def emit_prediction(
        self,
        *,
        prediction_id: str,
        model_id: str,
        model_version: str,
        prediction: str | float | None,
        probability: float | Mapping[str, float] | None = None,
        features: Mapping[str, Any] | None = None,
        segment: Mapping[str, str] | None = None,
        predicted_at: Time | None = None,
        latency_ms: float | None = None,
        error: str | BaseException | None = None,
    ) -> None:
        """One answer of a model. `prediction` may be None only where `error` says that the call failed.

        `probability` is that of the positive class, or one for each label. A feature that is NaN, infinite or
        neither number, text nor bool is sent as null.
        """
        try:
            event: Fields = {
                "prediction_id": encoding.identifier("prediction_id", prediction_id),
                "model_id": encoding.identifier("model_id", model_id),
                "model_version": encoding.identifier("model_version", model_version),
                "predicted_at": _now() if predicted_at is None else encoding.moment("predicted_at", predicted_at),
            }
            if prediction is not None:
                event["prediction"] = encoding.label("prediction", prediction)
            if probability is not None:
                event["probability"] = encoding.probability(probability)
            if features is not None:
                event["features"] = encoding.features(features)
            if segment is not None:
                event["segment"] = encoding.segment(segment)
            if latency_ms is not None:
                event["latency_ms"] = encoding.number("latency_ms", latency_ms)
            if error is not None:
                event["error"] = encoding.text("error", error)
            elif prediction is None:
                raise InvalidEvent("prediction may be None only with an error")
            self._put(self._predictions, event)
        except Exception as problem:
            self._refuse("a prediction", problem)

    def emit_feedback(
        self,
        *,
        prediction_id: str,
        model_id: str,
        actual: str | float | None = None,
        score: float | None = None,
        observed_at: Time | None = None,
        source: str | None = None,
    ) -> None:
        """What turned out to be true: `actual`, or `score` (0 to 1) for a judged answer."""
        try:
            event: Fields = {
                "prediction_id": encoding.identifier("prediction_id", prediction_id),
                "model_id": encoding.identifier("model_id", model_id),
                "observed_at": _now() if observed_at is None else encoding.moment("observed_at", observed_at),
            }
            if actual is not None:
                event["actual"] = encoding.label("actual", actual)
            if score is not None:
                event["score"] = encoding.number("score", score)
            elif actual is None:
                raise InvalidEvent("feedback needs an actual or a score")
            if source is not None:
                event["source"] = encoding.text("source", source)
            self._put(self._feedback, event)
        except Exception as problem:
            self._refuse("a feedback", problem)

    def emit_deployment(
        self,
        *,
        model_id: str,
        model_version: str,
        role: str,
        deployed_at: Time | None = None,
        traffic: float | None = None,
        trigger_id: str | None = None,
        reference: str | None = None,
    ) -> None:
        """A version takes a role: champion, challenger, shadow or retired. `traffic` is its share of calls, 0 to 1."""
        try:
            event: Fields = {
                "model_id": encoding.identifier("model_id", model_id),
                "model_version": encoding.identifier("model_version", model_version),
                "role": encoding.text("role", role),
                "deployed_at": _now() if deployed_at is None else encoding.moment("deployed_at", deployed_at),
            }
            if traffic is not None:
                event["traffic"] = encoding.number("traffic", traffic)
            if trigger_id is not None:
                event["trigger_id"] = encoding.identifier("trigger_id", trigger_id)
            if reference is not None:
                event["reference"] = encoding.text("reference", reference)
            self._put(self._deployments, event)
        except Exception as problem:
            self._refuse("a deployment", problem)

    @property
    def counts(self) -> Counts:
        """What became of the events offered in this process so far: a consistent snapshot."""
        return self._outbox.counts

    def flush(self, timeout: float = 10.0) -> bool:
        """Wait up to `timeout` seconds; whether nothing is pending any more. Never raises."""
        return self._outbox.wait_until_empty(timeout)

    def close(self, timeout: float = 10.0) -> Counts:
        """Take no more events, deliver the pending ones within `timeout` seconds, count the rest as failed.

        Later events are dropped and counted. Never raises; closing again changes nothing.
        """
        deadline = time.monotonic() + timeout
        self._outbox.close()
        self._outbox.wait_until_empty(timeout)
        self._outbox.give_up()
        if self._thread is not None and self._thread is not threading.current_thread():
            self._thread.join(max(0.0, deadline - time.monotonic()))
        atexit.unregister(self._at_exit)
        return self._outbox.counts

    def __enter__(self) -> Emitter:
        return self

    def __exit__(self, *exception: object) -> None:
        self.close()

    def __del__(self) -> None:
        # Forgotten without `close`: the thread delivers what is pending and ends. Missing where __init__ raised.
        outbox = getattr(self, "_outbox", None)
        if outbox is not None:
            outbox.close()

    def _put(self, topic: str, event: Fields) -> None:
        json = encoding.to_json(event)
        if len(json) > self._limits.max_batch_bytes:
            raise InvalidEvent(f"its {len(json):,} bytes are more than max_batch_bytes")
        self._outbox.offer(Event(topic, event["model_id"], json))
        if self._thread is None:
            self._start()

    def _refuse(self, what: str, problem: Exception) -> None:
        """The promise of the `emit_` methods is kept here: whatever an argument did, the app does not notice."""
        reason = str(problem) if isinstance(problem, InvalidEvent) else type(problem).__name__
        self._outbox.refuse(f"{what} is invalid: {reason}")
        if self._thread is None:
            self._start()

    def _start(self) -> None:
        """Start the thread that delivers, once. Where no thread can be had (at exit), the next event tries again."""
        with self._starting:
            if self._thread is not None or not self._outbox.is_open:
                return
            thread = threading.Thread(target=self._delivery.run, name="trueup-emitter", daemon=True)
            self._thread = thread
            try:
                thread.start()
            except RuntimeError:
                self._thread = None

    def _begin(self) -> None:
        limits = self._limits
        self._outbox = Outbox(max_events=limits.max_pending_events, max_bytes=limits.max_pending_bytes)
        self._delivery = Delivery(self._outbox, self._connect, limits)
        self._thread = None
        self._starting = threading.RLock()

    def _begin_in_child(self) -> None:
        """After a fork, in the child: the parent's thread, locks and connection are left where they were."""
        was_open = self._outbox.is_open
        self._delivery.abandon()
        self._of_parent.append(self._delivery)  # Kept, so that nothing of the parent's is closed by being collected.
        self._begin()
        if not was_open:
            self._outbox.close()

    def _close_at_exit(self) -> None:
        self.close(EXIT_FLUSH_S)


def _now() -> float:
    return round(time.time(), 3)


def _calling(emitter: Emitter, method: str) -> Callable[[], None]:
    """A call of one of its methods that does not keep the emitter alive."""
    reference = weakref.ref(emitter)

    def call() -> None:
        alive = reference()
        if alive is not None:
            getattr(alive, method)()

    return call
