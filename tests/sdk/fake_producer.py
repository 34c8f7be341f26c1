"""What the tests of the emitter without Kafka share: a producer that answers as it is told, and how to emit."""

import json
import threading
from datetime import timedelta
from typing import Any

from trueup.sdk import Counts, Emitter, EmitterLimits
from trueup.sdk.kafka_port import Done, NotNow

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


def emit(emitter: Emitter, number: int = 0, **changes: Any) -> None:
    usual = {"prediction_id": str(number), "model_id": "m", "model_version": "1", "prediction": number}
    emitter.emit_prediction(**{**usual, **changes})


def is_settled(counts: Counts) -> bool:
    return counts.offered == counts.delivered + counts.dropped + counts.failed + counts.pending
