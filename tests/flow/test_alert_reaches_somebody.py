"""From a prediction and its truth to a signed webhook, through every worker; and Prometheus can read them all."""

from __future__ import annotations

import json
import random
import socket
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from threading import Thread

import pytest
from prometheus_client.parser import text_string_to_metric_families
from standardwebhooks.webhooks import Webhook

from benchmarks.faults.installation import Installation, wait
from trueup.sdk import Emitter, TriggerInbox

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

SECRET = "whsec_" + "MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"
START = 1_760_000_000.0


class Receiver(ThreadingHTTPServer):
    """Takes deliveries; refuses the very first, as a receiver in trouble would."""

    def __init__(self) -> None:
        self.got: list[tuple[bytes, dict[str, str]]] = []
        self.refused = 0
        super().__init__(("127.0.0.1", 0), _Handler)


class _Handler(BaseHTTPRequestHandler):
    server: Receiver

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["content-length"]))
        if not self.server.refused:
            self.server.refused += 1
            self.send_response(503)
        else:
            self.server.got.append((body, {name.lower(): value for name, value in self.headers.items()}))
            self.send_response(204)
        self.end_headers()

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


@contextmanager
def receiver() -> Iterator[Receiver]:
    with Receiver() as server:
        thread = Thread(target=server.serve_forever)
        thread.start()
        yield server
        server.shutdown()
        thread.join()


def free_port() -> str:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


def metrics(port: str) -> dict[str, float]:
    """Sample name -> the sum over its labels."""
    with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as answer:
        text = answer.read().decode()
    sums: dict[str, float] = {}
    for family in text_string_to_metric_families(text):
        for sample in family.samples:
            sums[sample.name] = sums.get(sample.name, 0.0) + sample.value
    return sums


def test_a_fall_in_accuracy_reaches_on_call_and_a_pipeline(install: Callable[[str, str], Installation]) -> None:
    with receiver() as hook:
        here = install(
            "reach",
            f"""
            [monitor]
            false_pages_per_month = 100
            [monitor.defaults]
            reference_labels = 500
            reference_days = 0
            [channels.webhook]
            url = "http://127.0.0.1:{hook.server_address[1]}/"
            secret = "{SECRET}"
            """,
        )
        ports = {"monitor": free_port(), "alerter": free_port(), "notifier": free_port()}
        here.start("monitor", TRUEUP_METRICS__PORT=ports["monitor"])
        here.start("alerter", TRUEUP_METRICS__PORT=ports["alerter"])
        here.start("notifier", TRUEUP_METRICS__PORT=ports["notifier"])
        rng = random.Random(3)
        with Emitter(here.bootstrap, topic_prefix=here.prefix) as emitter:
            for number in range(3_000):
                wrong = rng.random() < (0.1 if number < 1_500 else 0.4)
                at = START + number * 60
                emitter.emit_prediction(
                    prediction_id=str(number),
                    model_id="spam",
                    model_version="v1",
                    prediction="spam" if wrong else "ham",
                    predicted_at=at,
                )
                emitter.emit_feedback(prediction_id=str(number), model_id="spam", actual="ham", observed_at=at + 30)
            assert emitter.flush(30)
        wait("the alert is delivered", lambda: len(hook.got) > 0)
        wait("all is settled", lambda: here.progress.settled("monitor", "alerter", "notifier"))

        body, headers = hook.got[0]
        alert = Webhook(SECRET).verify(body, headers)
        assert alert["kind"] == "performance_drop"
        assert alert["status"] == "firing"
        assert alert["severity"] == "page"
        assert alert["summary"].startswith("spam v1: error rate")
        assert hook.refused == 1
        assert len({headers["webhook-id"] for _, headers in hook.got}) == len(hook.got)

        with TriggerInbox(here.bootstrap, group="test", action="retrain", topic_prefix=here.prefix) as inbox:
            trigger = inbox.poll(20)
            assert trigger is not None
            assert trigger.alert_id == alert["alert_id"]
            assert trigger.dataset is not None
            assert set(trigger.dataset["topics"]) == {"reach.predictions", "reach.feedback"}
            trigger.accept()
            trigger.succeeded(model_version="v2")

        def state_of_trigger() -> str:
            views = here.progress.saved("alerter").values()
            triggers = [state for part in views for view in part.views.values() for state in view.get("triggers", [])]
            return str(triggers[0]["status"])

        wait("the alerter heard of it", lambda: state_of_trigger() == "succeeded")
        for worker, port in ports.items():
            found = metrics(port)
            assert found["trueup_records_total"] > 0, worker
            assert found["trueup_saves_total"] > 0, worker
            assert found["trueup_step_failures_total"] == 0, worker
        json.loads(body)
