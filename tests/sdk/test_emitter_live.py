"""The emitter on a real Kafka, with and without it."""

import subprocess
import sys
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from trueup.embedded import Stack
from trueup.sdk import Counts, Emitter, EmitterLimits

pytestmark = pytest.mark.live

Eventually = Callable[..., None]

HURRIED = EmitterLimits(request_timeout=timedelta(seconds=1), delivery_timeout=timedelta(seconds=2))
IGNORE_REFUSED_SOCKETS = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


def emit(emitter: Emitter, number: int, model_id: str = "m") -> None:
    emitter.emit_prediction(prediction_id=str(number), model_id=model_id, model_version="1", prediction=number)


def is_settled(counts: Counts) -> bool:
    return counts.offered == counts.delivered + counts.dropped + counts.failed + counts.pending


def test_everything_arrives_once_in_order_and_in_batches_on_one_partition_for_each_model(topics: Any) -> None:
    topics.create("predictions", "feedback")
    models = [f"model-{number}" for number in range(8)]
    with Emitter(topics.servers, topic_prefix=topics.prefix) as emitter:
        for number in range(4_000):
            emit(emitter, number, models[number % 8])
            assert is_settled(emitter.counts)
        emitter.emit_feedback(prediction_id="0", model_id=models[0], actual=1)
        assert emitter.flush(10)
        assert emitter.counts == Counts(offered=4_001, delivered=4_001)
    events = topics.events("predictions")
    for place, model in enumerate(models):
        assert [e["prediction"] for e in events if e["model_id"] == model] == list(range(place, 4_000, 8))
    records = topics.records("predictions")
    assert len(records) < 400
    assert len({(record.key, record.partition) for record in records}) == len(models)
    assert len({record.partition for record in records}) > 1
    assert len(topics.events("feedback")) == 1


@pytest.mark.parametrize("compression", ["gzip"])
def test_records_may_be_compressed(topics: Any, compression: str) -> None:
    topics.create("predictions")
    with Emitter(topics.servers, topic_prefix=topics.prefix, compression=compression) as emitter:
        emit(emitter, 1)
    assert [event["prediction"] for event in topics.events("predictions")] == [1]


def test_a_topic_that_is_missing_fails_its_own_events_alone(topics: Any, eventually: Eventually) -> None:
    topics.create("predictions")
    with Emitter(topics.servers, topic_prefix=topics.prefix, limits=HURRIED) as emitter:
        emitter.emit_feedback(prediction_id="0", model_id="m", actual=1)
        emit(emitter, 1)
        eventually(lambda: emitter.counts == Counts(offered=2, delivered=1, failed=1))


@IGNORE_REFUSED_SOCKETS
@pytest.mark.usefixtures("refused_sockets")
def test_without_kafka_calls_return_at_once_the_overflow_is_dropped_and_closing_is_quick(
    eventually: Eventually,
) -> None:
    limits = replace(HURRIED, max_pending_events=100)
    emitter = Emitter("127.0.0.1:1", limits=limits)
    slowest = 0.0
    for number in range(1_000):
        before = time.perf_counter()
        emit(emitter, number)
        slowest = max(slowest, time.perf_counter() - before)
        assert is_settled(emitter.counts)
    assert slowest < 0.5
    assert emitter.counts == Counts(offered=1_000, dropped=900, pending=100)
    before = time.perf_counter()
    assert emitter.close(0.2) == Counts(offered=1_000, dropped=900, failed=100)
    assert time.perf_counter() - before < 1.5
    eventually(lambda: not any("emitter" in thread.name for thread in threading.enumerate()))


@IGNORE_REFUSED_SOCKETS
@pytest.mark.usefixtures("refused_sockets")
def test_delivery_goes_on_after_kafka_was_killed_and_started_again(
    tmp_path: Path, make_topics: Any, eventually: Eventually
) -> None:
    """m: 0 ........ killed ........ restarted ........ close        every id delivered, in order, at least once"""
    with Stack(tmp_path) as stack:
        topics = make_topics(stack.addresses.kafka)
        topics.create("predictions")
        patient = EmitterLimits(delivery_timeout=timedelta(seconds=90))
        with Emitter(topics.servers, topic_prefix=topics.prefix, limits=patient) as emitter:
            for number in range(100):
                emit(emitter, number)
            assert emitter.flush(10)
            stack.kill_kafka()
            for number in range(100, 200):
                emit(emitter, number)
            assert emitter.counts == Counts(offered=200, delivered=100, pending=100)
            stack.restart_kafka()
            for number in range(200, 300):
                emit(emitter, number)
            eventually(lambda: emitter.counts.pending == 0, within_s=60)
            assert emitter.counts == Counts(offered=300, delivered=300)
        arrived = [event["prediction"] for event in topics.events("predictions")]
        assert list(dict.fromkeys(arrived)) == list(range(300))


@IGNORE_REFUSED_SOCKETS
@pytest.mark.usefixtures("refused_sockets")
def test_an_app_that_never_pauses_sees_a_true_balance_through_the_death_of_kafka(
    tmp_path: Path, make_topics: Any, eventually: Eventually
) -> None:
    """calls: ......... killed, records on their way ........ restarted ........ close

    Every call is compared with its own count. What was delivered lies in the topic; what was failed may.
    """
    with Stack(tmp_path) as stack:
        topics = make_topics(stack.addresses.kafka)
        topics.create("predictions")
        patient = EmitterLimits(delivery_timeout=timedelta(seconds=90), linger=timedelta(milliseconds=5))
        stop = threading.Event()
        wrong: list[Counts] = []
        calls = 0

        def serve() -> None:
            nonlocal calls
            while not stop.wait(0.001):
                emit(emitter, calls, f"m{calls % 3}")
                calls += 1
                counts = emitter.counts
                if counts.offered != calls or not is_settled(counts) or counts.pending < 0:
                    wrong.append(counts)

        with Emitter(topics.servers, topic_prefix=topics.prefix, limits=patient) as emitter:
            app = threading.Thread(target=serve)
            app.start()
            try:
                eventually(lambda: emitter.counts.delivered > 200)
                stack.kill_kafka()
                away = emitter.counts
                eventually(lambda: emitter.counts.pending > 500)
                assert emitter.counts.delivered == away.delivered
                stack.restart_kafka()
                back = emitter.counts.offered
                eventually(lambda: emitter.counts.delivered > back, within_s=60)
            finally:
                stop.set()
                app.join()
            counts = emitter.close(60)
        assert not wrong
        assert (counts.offered, counts.pending) == (calls, 0)
        arrived = {event["prediction"] for event in topics.events("predictions")}
        assert counts.delivered <= len(arrived) <= counts.delivered + counts.failed
        assert arrived <= set(range(calls))


FORKING = """
import os, sys
from trueup.sdk import Emitter
emitter = Emitter(sys.argv[1], topic_prefix=sys.argv[2])
def emit(number):
    emitter.emit_prediction(prediction_id=str(number), model_id="m", model_version="1", prediction=number)
emit(0)
emitter.flush(10)
for number in range(1, 50):
    emit(number)
child = os.fork()
if child == 0:
    assert emitter.counts.offered == 0, emitter.counts
    for number in range(100, 150):
        emit(number)
    counts = emitter.close(10)
    assert counts.delivered == counts.offered == 50, counts
    sys.exit(0)
_, status = os.waitpid(child, 0)
counts = emitter.close(10)
assert counts.delivered == counts.offered == 50, counts
sys.exit(os.waitstatus_to_exitcode(status))
"""


def test_a_forked_child_sends_its_own_events_and_leaves_the_pending_ones_to_its_parent(topics: Any) -> None:
    topics.create("predictions")
    subprocess.run([sys.executable, "-c", FORKING, topics.servers, topics.prefix], check=True, timeout=60)
    arrived = Counter(event["prediction"] for event in topics.events("predictions"))
    assert arrived == Counter([*range(50), *range(100, 150)])


FORKED_AND_UNUSED = FORKING.replace("for number in range(100, 150):\n        emit(number)", "sys.exit(0)")

LEAVING = """
import sys
from trueup.sdk import Emitter
emitter = Emitter(sys.argv[1], topic_prefix=sys.argv[2])
for number in range(100):
    emitter.emit_prediction(prediction_id=str(number), model_id="m", model_version="1", prediction=number)
    if number == 0:
        emitter.flush(10)  # So that the connection stands, and has its own ideas of what to do at exit.
"""


@pytest.mark.parametrize(
    ("program", "events"),
    [pytest.param(LEAVING, 100, id="exit"), pytest.param(FORKED_AND_UNUSED, 50, id="child exits")],
)
def test_what_is_pending_at_exit_is_delivered_and_nothing_is_printed(topics: Any, program: str, events: int) -> None:
    topics.create("predictions")
    run = subprocess.run(
        [sys.executable, "-c", program, topics.servers, topics.prefix],
        check=True,
        timeout=30,
        capture_output=True,
        text=True,
    )
    assert (run.stdout, run.stderr) == ("", "")
    assert len(topics.events("predictions")) == events
