"""Each part as a user of its own, with the rights of docs/security.md and no others; TLS everywhere.

topics create ── app: Emitter ── monitor ── alerter ── pipeline: TriggerInbox ── operator: status, tail
    PLAIN            SCRAM        SCRAM     certificate       token                   SCRAM
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any

import pytest

from security.secure_stack import PASSWORDS, REDIS_PASSWORD, Secured, password_file, token
from trueup.sdk import Emitter, KafkaSecurity, TriggerInbox
from trueup.worker_process import WorkerProcess
from trueup.workers.setups import WorkerName

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

MODELS = ("spam", "fraud", "churn")
EACH = 1_200
CONFIG = """
[monitor]
false_pages_per_month = 100000
[monitor.defaults]
reference_labels = 300
reference_days = 0
"""


class Parts:
    """Makes settings for one user, and runs `trueup` or a worker with them."""

    def __init__(self, secured: Secured, folder: Path) -> None:
        self._secured = secured
        self._folder = folder
        (folder / "trueup.toml").write_text(CONFIG)
        (folder / "redis.password").write_text(REDIS_PASSWORD)
        self._stopping = ExitStack()
        self.said: list[str] = []

    def settings(self, user: str, mechanism: str = "SCRAM-SHA-512", redis: str = "trueup") -> dict[str, str]:
        """The environment of a process that is this user."""
        protocol = "SSL" if mechanism == "certificate" else "SASL_SSL"
        security = {"PROTOCOL": protocol, "CA_FILE": str(self._secured.authority.file)}
        if mechanism == "certificate":
            security["CERTIFICATE_FILE"] = str(self._secured.authority.certificate(common_name=user))
        else:
            file = password_file(self._folder, user)
            security |= {"MECHANISM": mechanism, "USERNAME": user, "PASSWORD_FILE": str(file)}
        return {
            "TRUEUP_CONFIG": str(self._folder / "trueup.toml"),
            "TRUEUP_KAFKA__BOOTSTRAP": self._secured.kafka(protocol),
            "TRUEUP_KAFKA__PARTITIONS": "2",
            "TRUEUP_KAFKA__SESSION_TIMEOUT_SECONDS": "6",
            "TRUEUP_KAFKA__HEARTBEAT_SECONDS": "1",
            **{f"TRUEUP_KAFKA__SECURITY__{name}": value for name, value in security.items()},
            "TRUEUP_REDIS__URL": self._secured.rediss,
            "TRUEUP_REDIS__USERNAME": redis,
            "TRUEUP_REDIS__PASSWORD_FILE": str(self._folder / "redis.password"),
            "TRUEUP_REDIS__CA_FILE": str(self._secured.authority.file),
        }

    def trueup(self, *arguments: str, **environment: str) -> subprocess.CompletedProcess[str]:
        """Run the command to its end."""
        kept = {name: value for name, value in os.environ.items() if not name.startswith("TRUEUP_")}
        done = subprocess.run(
            [sys.executable, "-m", "trueup", *arguments],
            cwd=self._folder,
            env={**kept, **environment},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        self.said += [done.stdout, done.stderr]
        return done

    def start(self, worker: WorkerName, environment: dict[str, str]) -> WorkerProcess:
        """Start a worker; it is stopped with the test."""
        process = WorkerProcess(worker, environment, self._folder)
        process.start()
        self._stopping.callback(process.close)
        return process

    def close(self) -> None:
        self._stopping.close()

    def secrets_in_logs(self) -> list[str]:
        """Secrets that were said by anything that ran."""
        text = "".join(self.said) + "".join(file.read_text() for file in self._folder.glob("*.log"))
        return [secret for secret in (*PASSWORDS.values(), REDIS_PASSWORD) if secret in text]


@pytest.fixture
def parts(secured: Secured, tmp_path: Path) -> Iterator[Parts]:
    made = Parts(secured, tmp_path)
    yield made
    made.close()


def wait(what: str, done: Callable[[], bool], seconds: float = 60.0) -> None:
    deadline, pause = time.monotonic() + seconds, threading.Event()
    while not done():
        assert time.monotonic() < deadline, f"not in {seconds:.0f} s: {what}"
        pause.wait(0.1)


def emit(emitter: Emitter) -> None:
    """Each model is right nine times in ten, then every other time."""
    for number in range(EACH):
        for model_id in MODELS:
            wrong = number % 10 == 0 if number < EACH / 2 else number % 2 == 0
            at = 1_760_000_000.0 + 60 * number
            emitter.emit_prediction(
                prediction_id=f"p{number}", model_id=model_id, model_version="v1", prediction=1, predicted_at=at
            )
            emitter.emit_feedback(
                prediction_id=f"p{number}", model_id=model_id, actual=0 if wrong else 1, observed_at=at + 1
            )


def test_every_part_does_its_work_with_its_own_rights_and_counts_are_right(secured: Secured, parts: Parts) -> None:
    topics = parts.settings("trueup-topics", "PLAIN")
    made = parts.trueup("topics", "create", **topics)
    assert made.returncode == 0, made.stderr
    assert parts.trueup("topics", "check", **topics).returncode == 0
    workers = [
        parts.start("monitor", parts.settings("trueup-monitor")),
        parts.start("alerter", parts.settings("trueup-alerter", "certificate")),
    ]
    app = KafkaSecurity(
        username="app", password=PASSWORDS["app"], mechanism="SCRAM-SHA-256", ca_file=secured.authority.file
    )
    with Emitter(secured.kafka("SASL_SSL"), security=app) as emitter:
        emit(emitter)
        assert emitter.flush(30), workers[0].tail
        assert emitter.counts.delivered == 2 * EACH * len(MODELS)

    operator = parts.settings("trueup-operator", redis="trueup-operator")
    status = wait_for_status(parts, operator, workers)
    for model in status["models"]:
        [version] = model["versions"]
        assert (version["predictions"], version["joined"], version["correct"]) == (EACH, EACH, EACH * 0.7)
    assert status["dead_letters"] == {}

    pipeline = KafkaSecurity(token=lambda: token("pipeline"), ca_file=secured.authority.file)
    with TriggerInbox(secured.kafka("SASL_SSL"), group="nightly", action="retrain", security=pipeline) as inbox:
        trigger = inbox.poll(20)
        assert trigger is not None
        trigger.accept()
        trigger.succeeded(model_version="v2")
    tailed = parts.trueup("tail", "alerts", "--json", "--from-start", "--no-follow", **operator)
    assert {json.loads(line)["value"]["model_id"] for line in tailed.stdout.splitlines()} == set(MODELS)
    assert parts.secrets_in_logs() == []


def wait_for_status(parts: Parts, operator: dict[str, str], workers: list[WorkerProcess]) -> dict[str, Any]:
    """The status once everything was taken in, and a trigger has come of it."""
    found: dict[str, Any] = {}

    def there() -> bool:
        assert all(worker.running for worker in workers), "\n".join(worker.tail for worker in workers)
        shown = parts.trueup("status", "--json", **operator)
        assert shown.returncode == 0, shown.stderr
        found.update(json.loads(shown.stdout))
        joined = sum(version["joined"] for model in found["models"] for version in model["versions"])
        return joined == EACH * len(MODELS) and bool(found["triggers"])

    wait("all is counted, and a trigger is there", there)
    return found


@pytest.mark.parametrize("command", [("monitor",), ("status",), ("topics", "check"), ("tail", "alerts")])
def test_a_wrong_password_is_one_sentence_without_it(parts: Parts, tmp_path: Path, command: tuple[str, ...]) -> None:
    (tmp_path / "wrong").write_text("hunter2-wrong")
    settings = parts.settings("trueup-monitor", redis="trueup-operator")
    settings["TRUEUP_KAFKA__SECURITY__PASSWORD_FILE"] = str(tmp_path / "wrong")
    done = parts.trueup(*command, **settings)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "refuses user trueup-monitor" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize("command", ["monitor", "status"])
def test_a_wrong_password_for_redis_is_one_sentence_without_it(parts: Parts, command: str, tmp_path: Path) -> None:
    (tmp_path / "wrong").write_text("hunter2-wrong")
    settings = parts.settings("trueup-monitor") | {"TRUEUP_REDIS__PASSWORD_FILE": str(tmp_path / "wrong")}
    done = parts.trueup(command, **settings)
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert "refuses user trueup" in done.stderr
    assert "hunter2" not in done.stdout + done.stderr


@pytest.mark.parametrize(
    ("command", "said"),
    [
        pytest.param(("monitor",), "read trueup.predictions", id="monitor"),
        pytest.param(("topics", "check"), "look at the topics", id="topics check"),
        pytest.param(("topics", "create"), "set the topics up", id="topics create"),
        pytest.param(("tail", "alerts"), "trueup.alerts", id="tail"),
        pytest.param(("status",), "describe trueup.predictions", id="status"),
    ],
)
def test_a_user_without_rights_is_told_so(parts: Parts, command: tuple[str, ...], said: str) -> None:
    done = parts.trueup(
        *command, **parts.settings("stranger", redis="trueup-operator" if command == ("status",) else "trueup")
    )
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    assert said in done.stderr
    assert "right" in done.stderr
    assert parts.secrets_in_logs() == []


def test_a_password_without_tls_is_refused_unless_said_twice(secured: Secured, parts: Parts) -> None:
    settings = parts.settings("trueup-topics") | {
        "TRUEUP_KAFKA__BOOTSTRAP": secured.kafka("SASL_PLAINTEXT"),
        "TRUEUP_KAFKA__SECURITY__PROTOCOL": "SASL_PLAINTEXT",
    }
    del settings["TRUEUP_KAFKA__SECURITY__CA_FILE"]
    refused = parts.trueup("topics", "create", **settings)
    assert refused.returncode == 2
    assert "without TLS" in refused.stderr
    taken = parts.trueup("topics", "create", TRUEUP_KAFKA__SECURITY__ALLOW_PLAINTEXT_PASSWORD="true", **settings)
    assert taken.returncode == 0, taken.stderr


@pytest.mark.parametrize("mechanism", ["SCRAM-SHA-512", "certificate"])
def test_a_worker_that_lacks_rights_ends_and_names_them(parts: Parts, mechanism: str) -> None:
    """Whoever may only look may neither write nor take part in the group."""
    done = parts.trueup("monitor", **parts.settings("trueup-operator", mechanism))
    assert done.returncode == 2
    assert done.stderr.count("\n") == 1
    for missing in ("write trueup.signals", "write trueup.journal", "read with group trueup-monitor"):
        assert missing in done.stderr
    assert "read trueup.predictions" not in done.stderr
