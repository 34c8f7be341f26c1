"""The emitter with its real thread, on a producer that answers as it is told."""

import asyncio
import gc
import json
import logging
import math
import signal
import threading
import tracemalloc
from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from enum import IntEnum
from itertools import count
from typing import Any

import numpy as np
import pytest

from trueup.sdk import Counts, Emitter, EmitterLimits, outbox
from trueup.sdk.kafka_port import Done, InvalidSecurity, NotNow

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
        self.asked = 0
        self.closed = threading.Event()

    def send(self, topic: str, *, key: bytes, value: bytes, done: Done) -> None:
        self.asked += 1
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

    def _raise(self, *_: object) -> Any:
        raise ZeroDivisionError

    __str__ = __repr__ = __eq__ = __hash__ = __len__ = __bool__ = __iter__ = __float__ = __int__ = __format__ = _raise


class Liar:
    """Says that it is a text."""

    __class__ = str  # type: ignore[assignment]


class HostileText(str):
    __str__ = __repr__ = __eq__ = __hash__ = __len__ = __bool__ = __iter__ = __format__ = Hostile._raise


class HostileError(Exception):
    __str__ = __repr__ = Hostile._raise


class NamelessError(type):
    __name__ = property(Hostile._raise)


class Unspeakable(Exception, metaclass=NamelessError):
    """Not even its class can be named."""


class RaisesUnspeakable:
    def __getattr__(self, name: str) -> Any:
        raise Unspeakable


class Odd(Mapping[Any, Any]):
    """A mapping that has the items it is told to, and says that it has none."""

    def __init__(self, items: Callable[[], Any]) -> None:
        self._items = items

    def items(self) -> Any:
        return self._items()

    def __getitem__(self, key: object) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Any:
        raise ZeroDivisionError

    def __len__(self) -> int:
        return 0


BAD: list[Any] = [
    pytest.param({"prediction": math.nan}, id="NaN prediction"),
    pytest.param({"probability": math.inf}, id="infinite probability"),
    pytest.param({"probability": {"yes": math.nan}}, id="NaN for a label"),
    pytest.param({"prediction": object()}, id="object"),
    pytest.param({"prediction": 10**5_000}, id="number of 5,000 digits"),
    pytest.param({"prediction": "\ud800"}, id="lone surrogate"),
    pytest.param({"model_id": "\ud800"}, id="lone surrogate in the key"),
    pytest.param({"features": {"\udfff": 1}}, id="lone surrogate in a name"),
    pytest.param({"prediction": None}, id="no prediction and no error"),
    pytest.param({"prediction_id": None}, id="no id"),
    pytest.param({"model_id": ""}, id="empty model"),
    pytest.param({"predicted_at": "yesterday"}, id="text for a time"),
    pytest.param({"features": 3}, id="number for features"),
    pytest.param({"features": Hostile()}, id="hostile features"),
    pytest.param({"features": Odd(lambda: [(Hostile(), 1)])}, id="hostile name"),
    pytest.param({"features": Odd(lambda: 3)}, id="mapping without items"),
    pytest.param({"features": Odd(lambda: zip(count(), count(), strict=False))}, id="endless features"),
    pytest.param({"features": dict.fromkeys(map(str, range(2_001)), 0)}, id="too many features"),
    pytest.param({"segment": Odd(lambda: zip(count(), count(), strict=False))}, id="endless segment"),
    pytest.param({"probability": Odd(lambda: zip(count(), count(), strict=False))}, id="endless labels"),
    pytest.param({"segment": {"shop": Hostile()}}, id="hostile segment"),
    pytest.param({"segment": {"shop": Liar()}}, id="object that lies about its class"),
    pytest.param({"latency_ms": Hostile()}, id="hostile number"),
    pytest.param({"latency_ms": RaisesUnspeakable()}, id="error without a name"),
    pytest.param({"model_version": Hostile()}, id="hostile id"),
    pytest.param({"error": HostileError()}, id="hostile error"),
    pytest.param({"features": {"x": "y" * 300_000}}, id="too large"),
    pytest.param({"features": {str(number): "y" * 1_000 for number in range(300)}}, id="too large in sum"),
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


def test_hostile_features_become_null_or_what_they_hold(emitter: Emitter, producer: FakeProducer) -> None:
    recursive: list[Any] = []
    recursive.append(recursive)
    loop: dict[Any, Any] = {"n": 1}
    loop["loop"] = loop
    features: dict[Any, Any] = {
        "hostile": Hostile(),
        "liar": Liar(),
        "text": HostileText("held"),
        "recursive": recursive,
        "number": IntEnum("Number", "ONE").ONE,  # type: ignore[attr-defined]
        "numpy": np.float64(0.5),
        "numpy int": np.int8(3),
        "numpy bool": np.bool_(True),
        "numpy nan": np.float32("nan"),
        "array": np.zeros(2),
        7: "int key",
        None: "none key",
        (1, 2): "tuple key",
    }
    emit(emitter, features=features, prediction=HostileText("spam"))
    emit(emitter, features=loop)
    assert emitter.flush(5)
    first, second = producer.events()
    nothing = dict.fromkeys(["hostile", "liar", "recursive", "numpy nan", "array"])
    assert first["features"] == nothing | {
        "text": "held",
        "number": 1,
        "numpy": 0.5,
        "numpy int": 3,
        "numpy bool": True,
        "7": "int key",
        "None": "none key",
        "(1, 2)": "tuple key",
    }
    assert first["prediction"] == "spam"
    assert second["features"] == {"n": 1, "loop": None}


def test_an_app_at_its_last_frame_is_not_told_either(emitter: Emitter) -> None:
    """At every depth down to the recursion limit: where emit can be called at all, it raises nothing.

    An error that was raised in a frame of the SDK shows it in its traceback; one raised on the way into the call is
    the app's own.
    """
    emit(emitter)
    raised_inside: list[str] = []
    calls = 0

    def recurse() -> None:
        nonlocal calls
        try:
            emitter.emit_prediction(prediction_id="1", model_id="m", model_version="1", prediction=1)
            calls += 1
        except RecursionError as error:
            trace = error.__traceback__
            while trace is not None:
                raised_inside.append(trace.tb_frame.f_code.co_filename)
                trace = trace.tb_next
        recurse()

    with pytest.raises(RecursionError):
        recurse()
    assert calls > 100
    assert not [file for file in raised_inside if file != __file__]
    assert emitter.flush(5)
    counts = emitter.counts
    assert counts.offered == calls + 1
    assert is_settled(counts)


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
        interrupted = number = interrupted + 1  # The handler may be interrupted itself.
        emit(emitter, number, model_id="from the handler")
        emitter.flush(0.001)
        assert is_settled(emitter.counts)
        if number == 50:
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
    assert sum(event["model_id"] == "from the handler" for event in producer.events()) >= 49


def test_a_thread_that_started_though_its_start_was_interrupted_stays_the_only_one(
    emitter: Emitter, producer: FakeProducer, monkeypatch: pytest.MonkeyPatch
) -> None:
    started: list[threading.Thread] = []

    class Interrupted(threading.Thread):
        def start(self) -> None:
            started.append(self)
            super().start()
            if len(started) == 1:
                raise RecursionError

    monkeypatch.setattr(threading, "Thread", Interrupted)
    emit(emitter, 0)
    for number in range(1, 200):
        emit(emitter, number)
    assert emitter.flush(5)
    assert emitter.counts == Counts(offered=200, delivered=200)
    assert [event["prediction"] for event in producer.events()] == list(range(200))
    first, second = started
    second.join(5)
    assert first.is_alive()
    assert not second.is_alive()


def test_finalizers_that_the_collector_runs_in_the_middle_of_an_emit_may_emit(
    emitter: Emitter, producer: FakeProducer
) -> None:
    """The collector runs at nearly every container that is made, wherever that is: also under the queue's lock."""
    finalized = 0

    class Garbage:
        def __init__(self) -> None:
            self.itself = self

        def __del__(self) -> None:
            nonlocal finalized
            finalized += 1
            emit(emitter, finalized, model_id="from a finalizer")
            assert is_settled(emitter.counts)

    before = gc.get_threshold()
    gc.set_threshold(1, 1, 1)
    try:
        for number in range(300):
            Garbage()
            emit(emitter, number)
    finally:
        gc.set_threshold(*before)
    gc.collect()
    assert finalized == 300
    assert emitter.flush(5)
    assert emitter.counts == Counts(offered=600, delivered=600)
    assert sorted(e["prediction"] for e in producer.events() if e["model_id"] == "m") == list(range(300))


def test_an_event_loop_goes_on_while_the_emitter_waits_for_kafka(producer: FakeProducer) -> None:
    """connect: waits .................... until the loop has emitted everything, and run others in between."""
    may_connect = threading.Event()

    def connect() -> FakeProducer:
        assert may_connect.wait(30)
        return producer

    async def serve(emitter: Emitter) -> int:
        turns = 0

        async def other() -> None:
            nonlocal turns
            while True:
                turns += 1
                await asyncio.sleep(0)

        task = asyncio.create_task(other())
        for number in range(1_000):
            emit(emitter, number)
            await asyncio.sleep(0)
        assert emitter.counts == Counts(offered=1_000, pending=1_000)
        may_connect.set()
        assert await asyncio.to_thread(emitter.flush, 10)
        task.cancel()
        return turns

    with Emitter("unused", limits=PATIENT, connect=connect) as emitter:
        assert asyncio.run(serve(emitter)) >= 1_000
        assert emitter.counts == Counts(offered=1_000, delivered=1_000)


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
