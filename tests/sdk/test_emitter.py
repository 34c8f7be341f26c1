"""The emitter with its real thread, on a producer that answers as it is told."""

import json
import logging
import math
import threading
import tracemalloc
from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest

from sdk.fake_producer import PATIENT, FakeProducer, emit, is_settled
from trueup.sdk import Counts, Emitter, EmitterLimits, outbox
from trueup.sdk.security import InvalidSecurity

Eventually = Callable[..., None]

QUICK = EmitterLimits(
    linger=timedelta(),
    request_timeout=timedelta(milliseconds=20),
    delivery_timeout=timedelta(milliseconds=50),
)


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


def test_an_app_that_is_ahead_writes_the_json_itself_and_the_order_stays(
    producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(outbox, "BEHIND_EVENTS", 3)
    lingering = EmitterLimits(linger=timedelta(seconds=30))
    with Emitter("unused", limits=lingering, connect=lambda: producer) as emitter:
        for number in range(10):
            emit(emitter, number)
        emit(emitter, prediction=math.nan)
        assert emitter.counts == Counts(offered=11, failed=1, pending=10)  # Found by the call, not by the thread.
        assert emitter.flush(5)
    assert [event["prediction"] for event in producer.events()] == list(range(10))


@pytest.mark.parametrize("features", [8, 100])
def test_memory_is_bounded_while_kafka_is_away(producer: FakeProducer, features: int) -> None:
    """Of 40 MB offered, the queue may hold 2 MB; what it takes in truth, the app's own lists aside, is near that."""
    producer.mood = "not ready"
    limits = EmitterLimits(max_pending_bytes=2_000_000, linger=timedelta())
    values = {f"feature {number}": number / 7 for number in range(features)}
    with Emitter("unused", limits=limits, connect=lambda: producer) as bounded:
        emit(bounded)
        tracemalloc.start()
        try:
            while bounded.counts.dropped < 20_000:
                emit(bounded, features={name: value + 1 for name, value in values.items()})
            held, _ = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()
        assert 1_000_000 < held < 3_000_000
        assert is_settled(bounded.counts)
        assert bounded.close(0).pending == 0


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


def test_an_event_that_only_the_thread_finds_invalid_is_logged_by_topic_and_reason(
    emitter: Emitter, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    with caplog.at_level(logging.WARNING, logger="trueup"):
        emit(emitter, prediction=math.nan, features={"card": "4111"})
        eventually(lambda: bool(caplog.records))
    assert "an event of trueup.predictions is invalid: a number is NaN or infinite" in caplog.text
    assert "4111" not in caplog.text


def test_a_kafka_that_takes_a_moment_to_answer_is_not_complained_about(
    emitter: Emitter, producer: FakeProducer, caplog: pytest.LogCaptureFixture, eventually: Eventually
) -> None:
    producer.mood = "not ready"
    with caplog.at_level(logging.WARNING, logger="trueup"):
        emit(emitter)
        eventually(lambda: producer.asked > 1)
        producer.mood = "acknowledge"
        assert emitter.flush(5)
    assert not caplog.records


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
