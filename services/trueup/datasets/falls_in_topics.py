"""A fall planted in what lies in the topics: that is looked through once, and truths are changed as it is read again.

    first   every chunk ──> answers and their truths ──> which truth of which record becomes another
    then    a chunk of feedback ──> the same records, these truths changed

The topics stay as they are. A record keeps its offset, its time, and whatever in it cannot be used.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any, NamedTuple

from trueup.datasets import falls
from trueup.datasets.falls import Answered, Fall, Tolerance
from trueup.engine.records import Chunk, Record
from trueup_schemas.codec import Codec
from trueup_schemas.topics import TOPICS

PREDICTIONS, FEEDBACK = "predictions", "feedback"
#: (partition, offset) -> place in the record -> the truth that stands there from now on.
Planted = Mapping[tuple[int, int], Mapping[int, Any]]


class _Place(NamedTuple):
    """Where a truth lies: in which record, and at which place of a batch."""

    partition: int
    offset: int
    place: int


class Planting:
    """Hears of all records once, in any order, and says which truths change."""

    def __init__(self, fall: Fall) -> None:
        self._fall = fall
        self._codecs = {topic: Codec(TOPICS[topic]) for topic in (PREDICTIONS, FEEDBACK)}
        #: (model, prediction) -> what was answered first, of those that the fall concerns.
        self._answers: dict[tuple[str, str], Any] = {}
        #: (model, prediction, truth, where it lies), of all: a truth may come before its prediction.
        self._truths: list[tuple[str, str, Any, _Place]] = []

    def hear(self, chunk: Chunk) -> None:
        """Take a chunk; one of any other topic is passed over."""
        codec = self._codecs.get(chunk.topic)
        if codec is None:
            return
        for record in chunk.records:
            for index, event in codec.decode(record.value).events:
                if chunk.topic == PREDICTIONS:
                    self._answered(event, record)
                elif event.get("actual") is not None:
                    place = _Place(chunk.partition, record.offset, index)
                    self._truths.append((event["model_id"], event["prediction_id"], event["actual"], place))

    def _answered(self, event: Mapping[str, Any], record: Record) -> None:
        predicted_at = event.get("predicted_at")
        moment = record.timestamp if predicted_at is None else predicted_at
        if event.get("prediction") is not None and self._fall.concerns(event["model_id"], moment):
            self._answers.setdefault((event["model_id"], event["prediction_id"]), event["prediction"])

    def plant(self, tolerance: Tolerance) -> Planted:
        """Which truths become others.

        Raises:
            InvalidSettings: no truth is concerned, or a model is not right often enough to fall so far.
        """
        answered = [
            Answered(row, model_id, prediction_id, self._answers[model_id, prediction_id], actual)
            for row, (model_id, prediction_id, actual, _) in enumerate(self._truths)
            if (model_id, prediction_id) in self._answers
        ]
        planted: dict[tuple[int, int], dict[int, Any]] = {}
        for row, truth in falls.plant(self._fall, answered, tolerance).items():
            place = self._truths[row][3]
            planted.setdefault((place.partition, place.offset), {})[place.place] = truth
        return planted


def planted_in(chunks: Iterable[Chunk], fall: Fall, tolerance: Tolerance) -> Planted:
    """Which truths of these chunks change; raises as `Planting.plant`."""
    planting = Planting(fall)
    for chunk in chunks:
        planting.hear(chunk)
    return planting.plant(tolerance)


def changed(chunk: Chunk, planted: Planted) -> Chunk:
    """The chunk with the truths that were planted in it."""
    if chunk.topic != FEEDBACK:
        return chunk
    records = [_changed(record, planted.get((chunk.partition, record.offset))) for record in chunk.records]
    return Chunk(chunk.topic, chunk.partition, records, chunk.seek, chunk.follows, chunk.behind)


def _changed(record: Record, truths: Mapping[int, Any] | None) -> Record:
    if truths is None or record.value is None:
        return record
    # Not orjson: a field that nobody knows may hold what only this reads, such as a number beyond a double.
    said = json.loads(record.value)
    events = said if isinstance(said, list) else [said]
    for index, truth in truths.items():
        events[index]["actual"] = truth
    return record._replace(value=json.dumps(said).encode())
