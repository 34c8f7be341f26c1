"""The same job without Trueup, as one would write it on an afternoon: what `step` is held against.

Decode, join by id in a dict, accuracy of the last thousand and by ten minutes, three ADWINs a model. It keeps all state
in memory for ever, saves nothing, and takes every event for valid and new.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from pydantic import TypeAdapter
from river.drift import ADWIN
from typing_extensions import TypedDict


class PlainPrediction(TypedDict):
    """A prediction, as far as the job needs it."""

    prediction_id: str
    model_id: str
    model_version: str
    prediction: int
    predicted_at: float
    probability: float
    features: dict[str, float | str | None]


class PlainFeedback(TypedDict):
    """A truth, as far as the job needs it."""

    prediction_id: str
    model_id: str
    actual: int
    observed_at: float


class PlainModel:
    """Accuracy and detectors of one model."""

    def __init__(self) -> None:
        self.correct = self.drifts = 0
        self.last: deque[int] = deque()
        self.buckets: dict[int, list[int]] = {}
        make: Any = ADWIN
        self.errors, self.scores, self.feature = make(), make(), make()

    def predicted(self, score: float, feature: Any) -> None:
        """Feed the detectors on what came in."""
        self.scores.update(score)
        self.feature.update(feature)
        self.drifts += self.scores.drift_detected or self.feature.drift_detected

    def joined(self, correct: int, at: float) -> None:
        """Count an outcome, and feed the detector on errors."""
        self.last.append(correct)
        self.correct += correct
        if len(self.last) > 1_000:
            self.correct -= self.last.popleft()
        bucket = self.buckets.setdefault(int(at) // 600, [0, 0])
        bucket[0] += 1
        bucket[1] += correct
        if len(self.buckets) > 144:
            del self.buckets[min(self.buckets)]
        self.errors.update(1 - correct)
        self.drifts += self.errors.drift_detected


class PlainJob:
    """All models. `single`: a record is one event; else an array of them."""

    def __init__(self, *, single: bool) -> None:
        kinds: tuple[Any, Any] = (PlainPrediction, PlainFeedback)
        if not single:
            kinds = (list[PlainPrediction], list[PlainFeedback])
        self._single = single
        self._prediction, self._feedback = (TypeAdapter(kind).validate_json for kind in kinds)
        self._models: dict[str, PlainModel] = {}
        self._waiting: dict[tuple[str, str], int] = {}

    def predictions(self, values: Sequence[bytes]) -> None:
        """Take the records of a chunk of predictions."""
        for value in values:
            found = self._prediction(value)
            for event in (found,) if self._single else found:
                model = self._models.get(event["model_id"])
                if model is None:
                    model = self._models[event["model_id"]] = PlainModel()
                model.predicted(event["probability"], event["features"]["a"])
                self._waiting[event["model_id"], event["prediction_id"]] = event["prediction"]

    def feedback(self, values: Sequence[bytes]) -> None:
        """Take the records of a chunk of feedback."""
        for value in values:
            found = self._feedback(value)
            for event in (found,) if self._single else found:
                prediction = self._waiting.pop((event["model_id"], event["prediction_id"]), None)
                if prediction is not None:
                    self._models[event["model_id"]].joined(int(prediction == event["actual"]), event["observed_at"])
