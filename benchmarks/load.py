"""The load of the benchmarks: what models answered and what turned out to be true, the same for the same seed.

    prediction 0 ─ 1 ─ 2 ─ … ─ lag ─ lag+1 ─ …      every model takes part at random
                                └ feedback 0 └ feedback 1 …

A prediction has six features or more, a probability and a latency; its feedback follows `lag` predictions later. Event
times lie in the past and move on evenly. Which answers are right is drawn: how many are is known beforehand.

Pure: no Kafka. `benchmarks.produce` writes it there.
"""

from __future__ import annotations

import random
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from typing import Any

from trueup_schemas import topics
from trueup_schemas.codec import encode, encode_batch
from trueup_schemas.topics import Topic

#: 2025-01-01: event times lie in the past, or they would be taken for a wrong clock.
START = 1_735_689_600.0


@dataclass(frozen=True, slots=True)
class Load:
    """What is produced. Every prediction gets its feedback."""

    models: int = 20
    predictions: int = 200_000
    #: How many predictions lie between one and its feedback.
    lag: int = 2_000
    #: Event time between two predictions.
    seconds_apart: float = 0.1
    #: Event time of the first prediction.
    start: float = START
    error_rate: float = 0.1
    #: Of a prediction: six of all kinds, and then numbers.
    features: int = 6
    seed: int = 1

    @property
    def events(self) -> int:
        """Predictions and feedback."""
        return 2 * self.predictions


@dataclass(frozen=True, slots=True)
class Message:
    """One record, before it is sent."""

    topic: Topic
    key: bytes
    value: bytes
    events: int


def events(load: Load) -> Iterator[tuple[Topic, dict[str, Any]]]:
    """All events in the order of their time."""
    rng = random.Random(load.seed)
    owed: list[dict[str, Any]] = []
    for number in range(load.predictions + load.lag):
        at = load.start + number * load.seconds_apart
        if number < load.predictions:
            truth = rng.randrange(2)
            model = f"model-{rng.randrange(load.models)}"
            yield topics.PREDICTIONS, _prediction(rng, number, model, truth, at, load)
            owed.append({"prediction_id": f"id-{number}", "model_id": model, "actual": truth})
        if number >= load.lag:
            yield topics.FEEDBACK, {**owed[number - load.lag], "observed_at": at}


def _prediction(rng: random.Random, number: int, model: str, truth: int, at: float, load: Load) -> dict[str, Any]:
    return {
        "prediction_id": f"id-{number}",
        "model_id": model,
        "model_version": "v1",
        "prediction": truth if rng.random() >= load.error_rate else 1 - truth,
        "predicted_at": at,
        "probability": round(rng.random(), 6),
        "features": {
            "amount": round(rng.expovariate(0.01), 2),
            "age_days": rng.randrange(4_000),
            "weekday": number % 7,
            "channel": rng.choice(("web", "app", "shop")),
            "returning": rng.random() < 0.5,
            "discount": None,
            **{f"number_{more}": round(rng.gauss(0.0, 1.0), 4) for more in range(load.features - 6)},
        },
        "segment": {"country": rng.choice(("nl", "de", "fr"))},
        "latency_ms": round(rng.expovariate(0.05), 3),
    }


def messages(stream: Iterable[tuple[Topic, dict[str, Any]]], per_record: int) -> Iterator[Message]:
    """Records of `per_record` events of one topic and model each, sent when full; the last ones as they are."""
    waiting: dict[tuple[str, str], list[dict[str, Any]]] = {}
    for topic, event in stream:
        if per_record == 1:
            yield Message(topic, event["model_id"].encode(), encode(topic, event), 1)
            continue
        batch = waiting.setdefault((topic.name, event["model_id"]), [])
        batch.append(event)
        if len(batch) == per_record:
            yield _batch(topic, batch)
            batch.clear()
    for (name, _), batch in waiting.items():
        if batch:
            yield _batch(topics.TOPICS[name], batch)


def _batch(topic: Topic, batch: list[dict[str, Any]]) -> Message:
    return Message(topic, batch[0]["model_id"].encode(), encode_batch(topic, batch), len(batch))


def correct_answers(load: Load) -> int:
    """How many predictions of a load are right: the generator's own count."""
    answers: dict[str, int] = {}
    correct = 0
    for topic, event in events(load):
        if topic is topics.PREDICTIONS:
            answers[event["prediction_id"]] = event["prediction"]
        else:
            correct += answers.pop(event["prediction_id"]) == event["actual"]
    return correct
