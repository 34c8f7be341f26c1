"""Two monitors and an alerter on a real Kafka and Redis; one is killed, one is restarted; every count is exact.

events     ████████████████████████████████████████
monitor a  ══════════✗ kill -9          ══ again ═══
monitor b  ═══════════════ takes all ═══ stop, start
alerter    ═══════✗ kill -9, again ═════════════════
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import orjson
import pytest

from benchmarks.faults.installation import Installation, wait
from benchmarks.faults.recount import counted, events, records, recount
from trueup.console.status import read_status
from trueup.sdk import Emitter

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

MODELS = ("spam", "fraud", "churn", "search", "prices", "photos")
START = 1_760_000_000.0
CONFIG = """
[monitor]
false_pages_per_month = 100000
[monitor.defaults]
reference_labels = 400
reference_days = 0
"""


def test_every_count_is_exact_though_a_worker_is_killed_and_another_restarted(
    install: Callable[[str, str], Installation],
) -> None:
    here = install("killed", CONFIG)
    a, b, alerter = here.start("monitor", name="a"), here.start("monitor", name="b"), here.start("alerter")
    rng, progress = random.Random(7), here.progress
    with Emitter(here.bootstrap, topic_prefix=here.prefix) as emitter:
        emit(emitter, rng, 0, 8_000)
        wait("a monitor has saved something", lambda: saved(here) > 0)
        a.kill()
        emit(emitter, rng, 8_000, 16_000)
        alerter.kill()
        alerter.start()
        wait("the other one takes over", lambda: progress.settled("monitor"))
        a.start()
        emit(emitter, rng, 16_000, 22_000)
        b.stop()
        b.start()
        emit(emitter, rng, 22_000, 24_000)
        assert emitter.flush(30)
        assert emitter.counts.delivered == emitter.counts.offered
    wait("everything is settled", lambda: progress.settled("monitor", "alerter"))

    status = read_status(progress)
    assert counted(status) == recount(
        events(here.bootstrap, "killed.predictions"), events(here.bootstrap, "killed.feedback")
    )
    assert status["dead_letters"] == {}
    assert len([alert for alert in status["alerts"] if alert["kind"] == "performance_drop"]) >= len(MODELS)
    for kind in ("alert", "trigger"):
        by_id = bytes_by_id(records(here.bootstrap, f"killed.{kind}s"), kind)
        assert all(len(values) == 1 for values in by_id.values()), "one id, and different bytes"
        assert {shown[f"{kind}_id"] for shown in status[f"{kind}s"]} == {key[0] for key in by_id}


def emit(emitter: Emitter, rng: random.Random, first: int, last: int) -> None:
    """Predictions and feedback of six models: in any order, some twice, some corrected, some never told."""
    for number in range(first, last):
        model_id, version = MODELS[number % len(MODELS)], rng.choice(("v1", "v1", "v2"))
        error_rate = 0.05 if number < 12_000 else 0.5
        truth, at = rng.randrange(3), START + number
        answer = truth if rng.random() > error_rate else truth + 1
        tell = [(f"p{number}", truth)] if rng.random() < 0.95 else []
        if rng.random() < 0.03:
            tell.append((f"p{number}", rng.choice((truth, 2 - truth))))
        if rng.random() < 0.02:
            tell.append((f"nobody{number}", truth))
        before = rng.random() < 0.3
        for prediction_id, actual in tell if before else []:
            emitter.emit_feedback(prediction_id=prediction_id, model_id=model_id, actual=actual, observed_at=at + 60)
        for _ in range(2 if rng.random() < 0.03 else 1):
            emitter.emit_prediction(
                prediction_id=f"p{number}", model_id=model_id, model_version=version, prediction=answer, predicted_at=at
            )
        for prediction_id, actual in [] if before else tell:
            emitter.emit_feedback(prediction_id=prediction_id, model_id=model_id, actual=actual, observed_at=at + 60)
        if number % 2_000 == 1_999:
            assert emitter.flush(30)


def bytes_by_id(found: list[Any], kind: str) -> dict[tuple[str, int], set[bytes]]:
    """(id, revision) -> the different values that records of that id had."""
    values: dict[tuple[str, int], set[bytes]] = {}
    for record in found:
        value = orjson.loads(record.value)
        values.setdefault((value[f"{kind}_id"], value.get("revision", 0)), set()).add(record.value)
    return values


def saved(here: Installation) -> int:
    return sum(sum(part.offsets.values()) for part in here.progress.saved("monitor", views=False).values())
