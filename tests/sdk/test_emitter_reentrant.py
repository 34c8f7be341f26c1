"""Many threads, a signal handler, a finalizer, an event loop: whoever emits, whatever it interrupted."""

import asyncio
import gc
import signal
import threading

import pytest

from sdk.fake_producer import PATIENT, FakeProducer, emit, is_settled
from trueup.sdk import Counts, Emitter


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
