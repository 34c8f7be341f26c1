"""Everything on one machine: the settings that the workers have, what is started again, and what is not."""

from __future__ import annotations

import gc
import logging
import random
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.faults.recount import counted, events, recount
from flow.test_killed_worker import emit
from trueup.console.progress import Progress
from trueup.console.status import read_status
from trueup.errors import InvalidSettings, Unavailable
from trueup.sdk import Emitter
from trueup.up import Together

DEADLINE_S = 60.0


@pytest.mark.live
@pytest.mark.timeout(240)
@pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")
def test_kafka_and_redis_that_are_killed_come_back_and_every_count_is_exact(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    """The workers have read the file that was read here: their keys have its prefix."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEUP_CONFIG", raising=False)
    (tmp_path / "trueup.toml").write_text('[redis]\nkey_prefix = "mine"\n')
    said: list[str] = []
    with (
        caplog.at_level(logging.CRITICAL, logger="kafka"),  # Records that are kept keep refused sockets.
        Together(tmp_path / "data", workers=("monitor",), say=said.append) as running,
        Progress(running.settings) as progress,
        Emitter(running.settings.kafka.bootstrap) as emitter,
    ):
        assert running.settings.redis.key_prefix == "mine"
        rng = random.Random(3)

        def settled() -> bool:
            try:
                return progress.settled("monitor")
            except Unavailable:
                return False

        for number, kill in enumerate((running.stack.kill_redis, running.stack.kill_kafka)):
            emit(emitter, rng, number * 2_000, number * 2_000 + 1_000)
            kill()
            _wait(running, lambda: not running.stack.ended)
            emit(emitter, rng, number * 2_000 + 1_000, number * 2_000 + 2_000)
            assert emitter.flush(30)
            _wait(running, settled)
        assert emitter.counts.delivered == emitter.counts.offered
        at = running.settings.kafka.bootstrap
        again = recount(events(at, "trueup.predictions"), events(at, "trueup.feedback"))
        assert counted(read_status(progress)) == again
    gc.collect()  # kafka-python leaves refused sockets to it.
    for name in ("Redis", "Kafka"):
        assert [line.partition(" ")[2].partition(" (")[0] for line in said if line.startswith(name)] == [
            "has ended",
            "runs again, on the same data",
        ]


@pytest.mark.parametrize(
    "text",
    [
        pytest.param('[kafka.security]\nprotocol = "SSL"\n', id="TLS to Kafka"),
        pytest.param('[redis]\nurl = "rediss://redis"\n', id="TLS to Redis"),
        pytest.param('[redis]\npassword = "s3cret"\nallow_plaintext_password = true\n', id="a password"),
    ],
)
def test_security_that_was_asked_for_is_not_left_out_in_silence(tmp_path: Path, text: str) -> None:
    file = tmp_path / "trueup.toml"
    file.write_text(text)
    with (
        pytest.raises(InvalidSettings, match="without either"),
        Together(tmp_path / "data", config=file, say=lambda _: None),
    ):
        pass
    assert not (tmp_path / "data").exists()


def _wait(running: Together, done: Callable[[], bool]) -> None:
    deadline, pause = time.monotonic() + DEADLINE_S, threading.Event()
    while not done():
        running.supervise()
        assert time.monotonic() < deadline, running.workers[0].tail
        pause.wait(0.1)
