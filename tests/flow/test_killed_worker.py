"""Two monitors and an alerter on a real Kafka and Redis; one is killed, one is restarted; every count is exact.

events     ████████████████████████████████████████
monitor a  ══════════✗ kill -9          ══ again ═══
monitor b  ═══════════════ takes all ═══ stop, start
alerter    ═══════✗ kill -9, again ═════════════════
"""

from __future__ import annotations

import random
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import orjson
import pytest

from flow.recount import events, records, recount
from trueup.console.progress import Progress
from trueup.console.status import read_status
from trueup.embedded import Stack
from trueup.sdk import Emitter
from trueup.settings import read
from trueup.up import WorkerProcess, create_topics

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


@pytest.fixture
def environment(stack: Stack, tmp_path: Path) -> dict[str, str]:
    config = tmp_path / "trueup.toml"
    config.write_text(CONFIG)
    return {
        "TRUEUP_CONFIG": str(config),
        "TRUEUP_KAFKA__BOOTSTRAP": stack.addresses.kafka,
        "TRUEUP_KAFKA__TOPIC_PREFIX": "killed.",
        "TRUEUP_KAFKA__GROUP_PREFIX": "killed",
        "TRUEUP_KAFKA__SESSION_TIMEOUT_SECONDS": "6",
        "TRUEUP_KAFKA__HEARTBEAT_SECONDS": "1",
        "TRUEUP_REDIS__URL": stack.addresses.redis,
        "TRUEUP_REDIS__KEY_PREFIX": "killed",
    }


@pytest.fixture
def progress(environment: dict[str, str], monkeypatch: pytest.MonkeyPatch) -> Iterator[Progress]:
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    settings = read()
    create_topics(settings)
    with Progress(settings) as progress:
        yield progress


@pytest.fixture
def workers(environment: dict[str, str], tmp_path: Path, progress: Progress) -> Iterator[dict[str, WorkerProcess]]:
    del progress  # The topics are there.
    started = {
        "a": WorkerProcess("monitor", environment, tmp_path, "a"),
        "b": WorkerProcess("monitor", environment, tmp_path, "b"),
        "alerter": WorkerProcess("alerter", environment, tmp_path),
    }
    for worker in started.values():
        worker.start()
    yield started
    for worker in started.values():
        worker.close()


def test_every_count_is_exact_though_a_worker_is_killed_and_another_restarted(
    stack: Stack, progress: Progress, workers: dict[str, WorkerProcess]
) -> None:
    bootstrap = stack.addresses.kafka
    rng = random.Random(7)
    with Emitter(bootstrap, topic_prefix="killed.") as emitter:
        emit(emitter, rng, 0, 8_000)
        wait("a monitor has saved something", lambda: saved(progress) > 0)
        workers["a"].kill()
        emit(emitter, rng, 8_000, 16_000)
        workers["alerter"].kill()
        workers["alerter"].start()
        wait("the other one takes over", lambda: progress.settled("monitor"))
        workers["a"].start()
        emit(emitter, rng, 16_000, 22_000)
        workers["b"].stop()
        workers["b"].start()
        emit(emitter, rng, 22_000, 24_000)
        assert emitter.flush(30)
        assert emitter.counts.delivered == emitter.counts.offered
    wait("everything is settled", lambda: progress.settled("monitor", "alerter"))

    status = read_status(progress)
    expected = recount(events(bootstrap, "killed.predictions"), events(bootstrap, "killed.feedback"))
    assert counted(status) == expected
    assert status["dead_letters"] == {}
    for topic, kind in (("killed.alerts", "alert"), ("killed.triggers", "trigger")):
        by_id = bytes_by_id(records(bootstrap, topic), kind)
        assert all(len(versions) == 1 for versions in by_id.values()), "one id, and different bytes"
    alerts = {alert["alert_id"] for alert in status["alerts"]}
    assert alerts == {key[0] for key in bytes_by_id(records(bootstrap, "killed.alerts"), "alert")}
    assert len([a for a in status["alerts"] if a["kind"] == "performance_drop"]) >= len(MODELS)
    triggers = {state["trigger_id"] for state in status["triggers"]}
    assert triggers == {key[0] for key in bytes_by_id(records(bootstrap, "killed.triggers"), "trigger")}


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


def counted(status: dict[str, Any]) -> dict[str, dict[str, Any]]:
    """The status in the shape of the recount."""
    names = ("predictions", "joined", "pending", "correct", "feedback", "corrections", "duplicates")
    return {
        model["model_id"]: {
            "feedback": model["feedback"],
            "orphans": model["orphans"],
            "versions": {
                version["model_version"]: {name: version[name] for name in names} for version in model["versions"]
            },
        }
        for model in status["models"]
    }


def bytes_by_id(found: list[Any], kind: str) -> dict[tuple[str, int], set[bytes]]:
    """(id, revision) -> the different values that records of that id had."""
    values: dict[tuple[str, int], set[bytes]] = {}
    for record in found:
        value = orjson.loads(record.value)
        values.setdefault((value[f"{kind}_id"], value.get("revision", 0)), set()).add(record.value)
    return values


def saved(progress: Progress) -> int:
    return sum(sum(part.offsets.values()) for part in progress.saved("monitor", views=False).values())


def wait(what: str, done: Callable[[], bool], seconds: float = 60.0) -> None:
    """Until `done`, or fail saying what did not happen."""
    deadline = time.monotonic() + seconds
    pause = threading.Event()
    while not done():
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}"
        pause.wait(0.05)
