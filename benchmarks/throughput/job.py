"""The job that every contender does: decode, join, rolling accuracy, three ADWINs for each model.

Decoding and checking is `Codec.decode`, the worker's own; the rest is written as one would write it for a loop that
keeps its state in memory and loses it when it ends.
"""

from __future__ import annotations

from collections import deque
from typing import Any

from river.drift import ADWIN

from trueup_schemas import topics
from trueup_schemas.codec import Codec

LAST_OUTCOMES = 1_000
BUCKET_SECONDS = 300
#: Buckets of a day.
BUCKETS = 288


class ModelState:
    """All that is known of one model."""

    __slots__ = (
        "answers",
        "buckets",
        "correct",
        "drifts",
        "errors",
        "joined",
        "last",
        "last_correct",
        "latencies",
        "scores",
        "truths",
    )

    def __init__(self) -> None:
        #: Waiting for each other: prediction_id -> prediction, and what came before its prediction.
        self.answers: dict[str, Any] = {}
        self.truths: dict[str, tuple[Any, float]] = {}
        self.last: deque[bool] = deque()
        self.last_correct = self.joined = self.correct = self.drifts = 0
        self.buckets: dict[int, list[int]] = {}
        made: Any = ADWIN  # River's classes carry no types
        self.errors, self.scores, self.latencies = made(), made(), made()

    def predicted(self, event: dict[str, Any]) -> None:
        """A prediction came."""
        scores, latencies = self.scores, self.latencies
        scores.update(event["probability"])
        latencies.update(event["latency_ms"])
        self.drifts += scores.drift_detected + latencies.drift_detected
        prediction_id = event["prediction_id"]
        early = self.truths.pop(prediction_id, None)
        if early is None:
            self.answers[prediction_id] = event["prediction"]
        else:
            self._outcome(event["prediction"] == early[0], early[1])

    def told(self, event: dict[str, Any]) -> None:
        """Feedback came."""
        prediction_id = event["prediction_id"]
        answer = self.answers.pop(prediction_id, None)
        if answer is None:
            self.truths[prediction_id] = (event["actual"], event["observed_at"])
        else:
            self._outcome(answer == event["actual"], event["observed_at"])

    def _outcome(self, correct: bool, at: float) -> None:
        self.joined += 1
        self.correct += correct
        last = self.last
        last.append(correct)
        self.last_correct += correct
        if len(last) > LAST_OUTCOMES:
            self.last_correct -= last.popleft()
        number = int(at) // BUCKET_SECONDS
        bucket = self.buckets.get(number)
        if bucket is None:
            bucket = self.buckets[number] = [0, 0]
            if len(self.buckets) > BUCKETS:
                del self.buckets[min(self.buckets)]
        bucket[0] += 1
        bucket[1] += correct
        errors = self.errors
        errors.update(not correct)
        self.drifts += errors.drift_detected


class Job:
    """The job over any number of models, in the memory of this process."""

    def __init__(self) -> None:
        self.models: dict[str, ModelState] = {}
        self._predictions = Codec(topics.PREDICTIONS).decode
        self._feedback = Codec(topics.FEEDBACK).decode

    def model(self, model_id: str) -> ModelState:
        """The state of a model, new where it was not seen before."""
        model = self.models.get(model_id)
        if model is None:
            model = self.models[model_id] = ModelState()
        return model

    def predictions(self, value: bytes) -> int:
        """A record of predictions came; how many events it held."""
        found = self._predictions(value).events
        for _, event in found:
            self.model(event["model_id"]).predicted(event)
        return len(found)

    def feedback(self, value: bytes) -> int:
        """A record of feedback came; how many events it held."""
        found = self._feedback(value).events
        for _, event in found:
            self.model(event["model_id"]).told(event)
        return len(found)

    @property
    def joined(self) -> int:
        return sum(model.joined for model in self.models.values())

    @property
    def correct(self) -> int:
        return sum(model.correct for model in self.models.values())
