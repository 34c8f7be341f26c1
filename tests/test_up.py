"""Everything on one machine: the settings that the workers have, what is started again, and what is not."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest
import redis

from trueup.embedded import ServerFailed
from trueup.errors import InvalidSettings
from trueup.up import HEALTHY_SECONDS, LONGEST_WAIT_SECONDS, Restarts, Together

DEADLINE_S = 40.0


def test_each_death_soon_after_a_start_makes_the_next_wait_longer_up_to_the_longest() -> None:
    restarts = Restarts()
    assert [restarts.wait(1.0) for _ in range(9)] == [0.5, 1.0, 2.0, 4.0, 8.0, 16.0, 30.0, 30.0, 30.0]


def test_a_death_after_a_healthy_life_is_the_first_one_again() -> None:
    restarts = Restarts(LONGEST_WAIT_SECONDS)
    assert restarts.wait(HEALTHY_SECONDS - 1) == LONGEST_WAIT_SECONDS
    assert restarts.wait(HEALTHY_SECONDS) == 0.5
    assert restarts.wait(1.0) == 1.0


@pytest.mark.live
def test_workers_read_the_file_that_was_read_here_and_dead_servers_are_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A worker that claims its partitions under the key prefix of `./trueup.toml` has read it."""
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEUP_CONFIG", raising=False)
    (tmp_path / "trueup.toml").write_text('[redis]\nkey_prefix = "mine"\n')
    with Together(tmp_path / "data", workers=("monitor",), say=lambda _: None) as running:
        assert running.settings.redis.key_prefix == "mine"
        with redis.Redis.from_url(running.settings.redis.url) as client:
            _wait(running, lambda: bool(client.keys("{mine:monitor:*")))
        running.stack.kill_redis()
        with pytest.raises(ServerFailed, match=r"Redis has ended \(.*redis\.log may say why\)"):
            running.supervise()


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
