"""The emitter with its real thread, on a producer that answers as it is told."""

import json
import logging
import math
import signal
import threading
from collections.abc import Callable, Iterator
from datetime import timedelta
from typing import Any

import pytest

from trueup.sdk import Counts, Emitter, EmitterLimits
from trueup.sdk.kafka_port import Done, NotNow
from trueup.sdk.security import InvalidSecurity

Eventually = Callable[..., None]

QUICK = EmitterLimits(
    linger=timedelta(),
    request_timeout=timedelta(milliseconds=20),
    delivery_timeout=timedelta(milliseconds=50),
)
PATIENT = EmitterLimits(linger=timedelta())


class FakeProducer:
    """Acknowledges; or refuses, is not ready, or keeps silent, as `mood` says. `sent` holds what it took."""

    def __init__(self) -> None:
        self.mood = "acknowledge"
        self.sent: list[tuple[str, bytes, bytes]] = []
        self.silent: list[Done] = []
        self.closed = threading.Event()

    def send(self, topic: str, *, key: bytes, value: bytes, done: Done) -> None:
        if self.mood == "not ready":
            raise NotNow("the topic is not known")
        if self.mood == "raise":
            raise ZeroDivisionError
        self.sent.append((topic, key, value))
        if self.mood == "keep silent":
            self.silent.append(done)
        else:
            done(ConnectionError("secret") if self.mood == "refuse" else None)

    def close(self, timeout_s: float) -> None:  # noqa: ARG002
        self.closed.set()

    def abandon(self) -> None: ...

    def events(self) -> list[dict[str, Any]]:
        """What it took, batches opened."""
        values = [json.loads(value) for _, _, value in self.sent]
        return [event for value in values for event in (value if isinstance(value, list) else [value])]


@pytest.fixture
def producer() -> FakeProducer:
    return FakeProducer()


@pytest.fixture
def emitter(producer: FakeProducer) -> Iterator[Emitter]:
    with Emitter("unused", limits=PATIENT, connect=lambda: producer) as emitter:
        yield emitter


def emit(emitter: Emitter, number: int = 0, **changes: Any) -> None:
    usual = {"prediction_id": str(number), "model_id": "m", "model_version": "1", "prediction": number}
    emitter.emit_prediction(**{**usual, **changes})


def is_settled(counts: Counts) -> bool:
    return counts.offered == counts.delivered + counts.dropped + counts.failed + counts.pending


def test_events_reach_their_topics_keyed_by_model_without_the_fields_that_were_not_given(
    emitter: Emitter, producer: FakeProducer
) -> None:
    emit(emitter, predicted_at=1.5, features={"x": 1}, segment={"shop": "a"}, probability=0.5, latency_ms=3)
    emitter.emit_feedback(prediction_id="0", model_id="m", actual="yes", observed_at=2)
    emitter.emit_deployment(model_id="n", model_version="2", role="shadow", deployed_at=3, trigger_id="t")
    assert emitter.flush(5)
    assert {(topic, key): json.loads(value) for topic, key, value in producer.sent} == {
        ("trueup.predictions", b"m"): {
            "prediction_id": "0",
            "model_id": "m",
            "model_version": "1",
            "predicted_at": 1.5,
            "prediction": 0,
            "probability": 0.5,
            "features": {"x": 1},
            "segment": {"shop": "a"},
            "latency_ms": 3,
        },
        ("trueup.feedback", b"m"): {"prediction_id": "0", "model_id": "m", "observed_at": 2, "actual": "yes"},
        ("trueup.deployments", b"n"): {
            "model_id": "n",
            "model_version": "2",
            "role": "shadow",
            "deployed_at": 3,
            "trigger_id": "t",
        },
    }


def test_a_change_after_the_call_does_not_change_the_event(emitter: Emitter, producer: FakeProducer) -> None:
    features = {"x": 1}
    emit(emitter, features=features)
    features["x"] = 2
    assert emitter.flush(5)
    assert producer.events()[0]["features"] == {"x": 1}


def test_a_failed_call_needs_no_prediction(emitter: Emitter, producer: FakeProducer) -> None:
    emit(emitter, prediction=None, error=ValueError("no such model"))
    assert emitter.flush(5)
    assert producer.events()[0]["error"] == "ValueError: no such model"


class Hostile:
    """Everything that can be asked of it raises."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)


BAD: list[Any] = [
    pytest.param({"prediction": math.nan}, id="NaN prediction"),
    pytest.param({"probability": math.inf}, id="infinite probability"),
    pytest.param({"prediction": object()}, id="object"),
    pytest.param({"prediction": None}, id="no prediction and no error"),
    pytest.param({"prediction_id": None}, id="no id"),
    pytest.param({"model_id": ""}, id="empty model"),
    pytest.param({"predicted_at": "yesterday"}, id="text for a time"),
    pytest.param({"features": 3}, id="number for features"),
    pytest.param({"features": Hostile()}, id="hostile features"),
    pytest.param({"latency_ms": Hostile()}, id="hostile number"),
    pytest.param({"features": {"x": "y" * 300_000}}, id="too large"),
]


@pytest.mark.parametrize("changes", BAD)
def test_what_cannot_be_sent_is_counted_as_failed_and_never_raises(
    emitter: Emitter, producer: FakeProducer, changes: dict[str, Any]
) -> None:
    emit(emitter, **changes)
    emit(emitter)
    assert emitter.flush(5)
    assert emitter.counts == Counts(offered=2, delivered=1, failed=1)
    assert len(producer.events()) == 1


def test_feedback_without_a_truth_is_counted_as_failed(emitter: Emitter) -> None:
    emitter.emit_feedback(prediction_id="0", model_id="m")
    assert emitter.counts == Counts(offered=1, failed=1)


def test_a_nan_feature_becomes_null(emitter: Emitter, producer: FakeProducer) -> None:
    emit(emitter, features={"x": math.nan, "y": 1})
    assert emitter.flush(5)
    assert producer.events()[0]["features"] == {"x": None, "y": 1}


def test_overflow_is_dropped_and_counted(producer: FakeProducer) -> None:
    producer.mood = "keep silent"
    limits = EmitterLimits(max_pending_events=10, linger=timedelta())
    with Emitter("unused", limits=limits, connect=lambda: producer) as emitter:
        for number in range(25):
            emit(emitter, number)
        assert emitter.counts == Counts(offered=25, dropped=15, pending=10)
        assert emitter.close(0) == Counts(offered=25, dropped=15, failed=10)


def test_events_wait_until_the_producer_is_ready_and_keep_their_order(
    emitter: Emitter, producer: FakeProducer, eventually: Eventually
) -> None:
    producer.mood = "not ready"
    for number in range(50):
        emit(emitter, number)
    assert emitter.counts.pending == 50
    producer.mood = "acknowledge"
    eventually(lambda: emitter.counts.delivered == 50)
    assert [event["prediction"] for event in producer.events()] == list(range(50))


def test_events_that_find_no_producer_in_time_have_failed(eventually: Eventually) -> None:
    def connect() -> FakeProducer:
        raise OSError("no route")

    with Emitter("unused", limits=QUICK, connect=connect) as emitter:
        emit(emitter)
        eventually(lambda: emitter.counts == Counts(offered=1, failed=1))


@pytest.mark.parametrize("mood", ["refuse", "raise"])
def test_what_kafka_refuses_has_failed_and_the_next_events_are_tried(
    emitter: Emitter, producer: FakeProducer, mood: str
) -> None:
    producer.mood = mood
    emit(emitter)
    assert emitter.flush(5)
    producer.mood = "acknowledge"
    emit(emitter)
    assert emitter.flush(5)
    assert emitter.counts == Counts(offered=2, delivered=1, failed=1)


def test_a_producer_that_went_silent_is_replaced_and_its_late_word_is_not_counted(eventually: Eventually) -> None:
    silent, healthy = FakeProducer(), FakeProducer()
    silent.mood = "keep silent"
    producers = iter([silent, healthy])
    with Emitter("unused", limits=QUICK, connect=lambda: next(producers)) as emitter:
        emit(emitter, 1)
        eventually(lambda: emitter.counts.failed == 1)
        assert silent.closed.is_set()
        healthy.mood = "keep silent"
        emit(emitter, 2)
        eventually(lambda: len(healthy.silent) == 1)
        silent.silent[0](None)
        assert emitter.counts == Counts(offered=2, failed=1, pending=1)
        healthy.silent[0](None)
        assert emitter.counts == Counts(offered=2, delivered=1, failed=1)


def test_a_closed_emitter_drops_and_closing_again_changes_nothing(emitter: Emitter, producer: FakeProducer) -> None:
    emit(emitter)
    assert emitter.close(5) == Counts(offered=1, delivered=1)
    assert producer.closed.is_set()
    emit(emitter)
    assert emitter.close(5) == Counts(offered=2, delivered=1, dropped=1)


def test_closing_an_emitter_that_was_never_used_starts_nothing(producer: FakeProducer) -> None:
    before = threading.active_count()
    assert Emitter("unused", connect=lambda: producer).close() == Counts()
    assert threading.active_count() == before


def test_flush_tells_when_events_are_still_pending(emitter: Emitter, producer: FakeProducer) -> None:
    producer.mood = "keep silent"
    emit(emitter)
    assert not emitter.flush(0.01)
    emitter.close(0)


def test_many_threads_lose_nothing_and_each_keeps_its_order(emitter: Emitter, producer: FakeProducer) -> None:
    def work(worker: int) -> None:
        for number in range(500):
            emit(emitter, number, model_id=f"m{worker}")
            assert is_settled(emitter.counts)

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(4)]
    for thread in workers:
        thread.start()
    for thread in workers:
        thread.join()
    assert emitter.flush(5)
    assert emitter.counts == Counts(offered=2_000, delivered=2_000)
    for worker in range(4):
        assert [e["prediction"] for e in producer.events() if e["model_id"] == f"m{worker}"] == list(range(500))


def test_a_signal_handler_may_emit_flush_and_close_in_the_middle_of_an_emit(
    emitter: Emitter, producer: FakeProducer
) -> None:
    """The handler interrupts the main thread wherever it is, also where it holds the queue's lock."""
    interrupted = 0

    def handle(signum: int, frame: object) -> None:  # noqa: ARG001
        nonlocal interrupted
        interrupted += 1
        emit(emitter, interrupted, model_id="from the handler")
        emitter.flush(0.001)
        if interrupted == 50:
            emitter.close(5)

    before = signal.signal(signal.SIGVTALRM, handle)
    signal.setitimer(signal.ITIMER_VIRTUAL, 0.001, 0.001)
    try:
        while interrupted < 60:
            emit(emitter)
    finally:
        signal.setitimer(signal.ITIMER_VIRTUAL, 0)
        signal.signal(signal.SIGVTALRM, before)
    counts = emitter.counts
    assert is_settled(counts)
    assert counts.pending == 0
    assert len(producer.events()) == counts.delivered
    assert sum(event["model_id"] == "from the handler" for event in producer.events()) in (49, 50)


def test_a_forgotten_emitter_still_delivers_and_ends_its_thread(producer: FakeProducer, eventually: Eventually) -> None:
    emitter = Emitter("unused", limits=PATIENT, connect=lambda: producer)
    emit(emitter)
    del emitter
    eventually(producer.closed.is_set)
    assert len(producer.events()) == 1


def test_losses_are_logged_once_a_minute_without_payload_or_message(
    emitter: Emitter, producer: FakeProducer, caplog: pytest.LogCaptureFixture
) -> None:
    producer.mood = "refuse"
    with caplog.at_level(logging.WARNING, logger="trueup"):
        for number in range(20):
            emit(emitter, number, features={"card": "4111"})
            assert emitter.flush(5)
        emitter.close(5)
    messages = [record.getMessage() for record in caplog.records]
    assert len(messages) == 2  # The first loss, and the rest on closing.
    assert messages[0].startswith("1 events were lost since the last report (Kafka did not take a record of trueup.")
    assert messages[1].startswith("19 events were lost")
    assert not any("4111" in message or "secret" in message for message in messages)


def test_settings_that_cannot_be_used_are_named_without_their_values(
    caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    with (
        caplog.at_level(logging.WARNING, logger="trueup"),
        Emitter("localhost:1", limits=QUICK, security={"sasl_pasword": "hunter2"}) as emitter,
    ):
        emit(emitter)
        eventually(lambda: bool(caplog.records))
    assert "sasl_pasword" in caplog.text
    assert "hunter2" not in caplog.text
    assert issubclass(InvalidSecurity, ValueError)


WRONG_LIMITS: list[Any] = [
    pytest.param({"max_pending_events": 0}, "max_pending_events must be positive", id="no events"),
    pytest.param({"linger": timedelta(seconds=-1)}, "linger must be positive", id="negative linger"),
    pytest.param({"max_batch_bytes": 2_000_000}, "max_batch_bytes must be at most 1,000,000", id="too large a batch"),
    pytest.param({"delivery_timeout": timedelta(seconds=1)}, "at least request_timeout", id="timeouts"),
]


@pytest.mark.parametrize(("limits", "why"), WRONG_LIMITS)
def test_limits_are_checked_when_they_are_built(limits: dict[str, Any], why: str) -> None:
    with pytest.raises(ValueError, match=why):
        EmitterLimits(**limits)
