"""What a live monitor said, a backtest of its topics says again, byte for byte; without the journal, nearly so.

events    ██████████████████████████
monitor   ═══════✗ kill -9, again ══
backtest                              in the order of the journal ── the same signals
"""

from __future__ import annotations

import os
import random
import subprocess
import sys
from collections import Counter
from collections.abc import Callable
from datetime import UTC, datetime

import orjson
import pytest

from benchmarks.faults.installation import Installation, wait
from benchmarks.faults.recount import records
from trueup.backtest.drive import said
from trueup.backtest.power import known_of
from trueup.backtest.run import Asked, backtest
from trueup.console.status import read_status
from trueup.engine.checkpoint import Save
from trueup.sdk import Emitter
from trueup.workers.setups import WorkerName

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

MODELS = ("spam", "fraud", "churn")
EVENTS = 6_000
#: So many of them, the last ones, are told again with a fall in them.
FALLEN = 4_000
START = 1_760_000_000.0
CONFIG = """
[monitor]
false_pages_per_month = 100000
[monitor.defaults]
reference_labels = 400
reference_days = 0
"""


def emit(emitter: Emitter, rng: random.Random, first: int, end: int) -> None:
    """A prediction a minute with its truth; from half of them on, every second answer is wrong."""
    for number in range(first, end):
        model, at = MODELS[number % len(MODELS)], START + 60.0 * number
        wrong = rng.random() < (0.05 if number < EVENTS / 2 else 0.5)
        emitter.emit_prediction(
            prediction_id=f"p{number}", model_id=model, model_version="v1", prediction=1, predicted_at=at
        )
        emitter.emit_feedback(prediction_id=f"p{number}", model_id=model, actual=int(not wrong), observed_at=at + 30)


def test_the_signals_of_a_backtest_by_the_journal_are_those_of_the_live_run(
    install: Callable[[str, str], Installation],
) -> None:
    here = install("backtested", CONFIG)
    monitor, rng = here.start("monitor"), random.Random(3)
    with Emitter(here.bootstrap, topic_prefix=here.prefix) as emitter:
        emit(emitter, rng, 0, EVENTS // 3)
        assert emitter.flush(30)
        wait("half is saved", lambda: here.progress.settled("monitor"))
        emit(emitter, rng, EVENTS // 3, EVENTS)
        monitor.kill()
        assert emitter.flush(30)
    monitor.start()
    wait("all is settled", lambda: here.progress.settled("monitor"))

    again: dict[int | None, list[bytes]] = {}

    def overhear(worker: WorkerName, save: Save) -> None:
        for output in said(save) if worker == "monitor" else []:
            if output.topic == "signals":
                again.setdefault(output.partition, []).append(output.value)

    report = backtest(Asked("topics"), here.settings, overhear=overhear)

    assert report["order"] == "in the order of the journal"
    live = published(here)
    assert again == live
    assert Counter(orjson.loads(value)["type"] for values in live.values() for value in values)["change_detected"] >= 3
    assert {alert["model_id"] for alert in report["alerts"] if alert["severity"] == "page"} == set(MODELS)
    assert sum(model["joined"] for model in report["models"]) == EVENTS

    begin = datetime.fromtimestamp(START + 60.0 * (EVENTS - FALLEN), UTC).isoformat()
    for dated in (False, True):
        inject = f"accuracy -0.2 of fraud from {begin}"
        fallen = backtest(Asked("topics", by_time=dated, inject=inject), here.settings)
        assert [change["planted"] for change in fallen["changes"]] == [True]
        assert (fallen["order"] == report["order"]) is not dated
        right = {model["model_id"]: model["correct"] for model in fallen["models"]}
        before = {model["model_id"]: model["correct"] for model in report["models"]}
        assert {name for name in MODELS if right[name] != before[name]} == {"fraud"}
        assert before["fraud"] - right["fraud"] == pytest.approx(0.2 * FALLEN / len(MODELS), rel=0.15)

    known = known_of(next(model for model in read_status(here.progress)["models"] if model["model_id"] == "spam"))
    assert known["labels_per_day"] == pytest.approx(24 * 60 / len(MODELS), rel=0.5)
    assert set(known) == {"false_pages_per_month", "inflation", "base_rate", "labels_per_day", "delay_hours"}
    answer = power_of(here, "spam", "--fall", "0.2")
    assert (answer.returncode, answer.stderr) == (0, "")
    assert {name: orjson.loads(answer.stdout)[name] for name in known} == known
    assert "there is no model ham; known are churn, fraud, spam" in power_of(here, "ham").stderr

    by_time = backtest(Asked("topics", by_time=True), here.settings)
    assert by_time["order"] == "by the times of the records"
    assert [model["joined"] for model in by_time["models"]] == [model["joined"] for model in report["models"]]
    assert {alert["model_id"] for alert in by_time["alerts"] if alert["severity"] == "page"} == set(MODELS)


def power_of(here: Installation, model: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    """`trueup power --json` about a model of the installation."""
    command = [sys.executable, "-m", "trueup", "power", "--json", "--model", model, *arguments]
    environment = {**os.environ, **here.environment}
    return subprocess.run(command, env=environment, capture_output=True, text=True, timeout=100, check=False)


def published(here: Installation) -> dict[int | None, list[bytes]]:
    """The signals in the topic, by partition, each number once: a killed worker may have published one twice."""
    found: dict[int | None, dict[int, bytes]] = {}
    for record in records(here.bootstrap, here.prefix + "signals"):
        number = orjson.loads(record.value)["number"]
        assert found.setdefault(record.partition, {}).setdefault(number, record.value) == record.value
    return {partition: list(by_number.values()) for partition, by_number in found.items()}
