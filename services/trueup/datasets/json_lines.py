"""JSON lines: each line is an event as an app would have sent it, of whichever topic it is.

What a line is, its fields say: `role` makes it a deployment, `model_version` a prediction, the rest is feedback. A
line that is no such event is refused and counted.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import orjson

from trueup.datasets import falls
from trueup.datasets.falls import Answered, Fall, Tolerance
from trueup.datasets.source import Stream, Times, Told, in_slices
from trueup.engine.records import Chunk
from trueup.errors import InvalidSettings
from trueup_schemas import topics
from trueup_schemas.codec import Codec

Event = dict[str, Any]

#: Topic -> the field that says when it happened.
TIMES = {"deployments": "deployed_at", "predictions": "predicted_at", "feedback": "observed_at"}


class JsonLines:
    """A `Source` made of a file, all of which is held in memory."""

    def __init__(self, path: Path, *, slice_seconds: float, fall: Fall | None, tolerance: Tolerance) -> None:
        """`fall` is planted, where there is one.

        Raises:
            InvalidSettings: the file cannot be read, holds no event, or the fall cannot be planted.
        """
        self._slice_seconds = slice_seconds
        self.refused: Mapping[str, int] = {}
        self._events: dict[str, list[Event]] = {topic: [] for topic in TIMES}
        self._read(path)
        if fall is not None:
            self._plant(fall, tolerance)

    def chunks(self, partitions: int) -> Iterator[Chunk]:
        streams: dict[str, Stream] = {topic: _Dated(events, TIMES[topic]) for topic, events in self._events.items()}
        yield from in_slices(streams, self._slice_seconds, partitions)

    def _read(self, path: Path) -> None:
        codecs = {topic: Codec(topics.TOPICS[topic]) for topic in TIMES}
        refused = Counter[str]()
        try:
            lines = path.read_bytes().splitlines()
        except OSError as error:
            raise InvalidSettings(f"{path} cannot be read: {error}") from error
        for line in lines:
            if not line.strip():
                continue
            topic = _topic(line)
            decoded = codecs[topic].decode(line)
            refused.update(f"{topic}: {fault.reason.value}" for fault in decoded.faults)
            for _, event in decoded.events:
                if event.get(TIMES[topic]) is None:
                    refused[f"{topic}: without {TIMES[topic]}"] += 1
                else:
                    self._events[topic].append(event)
        if not any(self._events.values()):
            raise InvalidSettings(f"{path} holds no event that can be used: {dict(refused) or 'it is empty'}")
        for topic, events in self._events.items():
            events.sort(key=lambda event: float(event[TIMES[topic]]))
        self.refused = refused

    def _plant(self, fall: Fall, tolerance: Tolerance) -> None:
        made = {(event["model_id"], event["prediction_id"]): event for event in self._events["predictions"]}
        answered = []
        for row, truth in enumerate(self._events["feedback"]):
            model_id, prediction_id, actual = truth["model_id"], truth["prediction_id"], truth.get("actual")
            own = made.get((model_id, prediction_id), {})
            known = actual is not None and own.get("prediction") is not None
            if known and fall.concerns(model_id, own["predicted_at"]):
                answered.append(Answered(row, model_id, prediction_id, own["prediction"], actual))
        for row, actual in falls.plant(fall, answered, tolerance).items():
            self._events["feedback"][row]["actual"] = actual


def _topic(line: bytes) -> str:
    try:
        said = orjson.loads(line)
    except orjson.JSONDecodeError:
        return "predictions"  # whose codec says what is wrong with it
    event = said[0] if isinstance(said, list) and said else said
    if isinstance(event, dict) and "role" in event:
        return "deployments"
    return "predictions" if not isinstance(event, dict) or "model_version" in event else "feedback"


class _Dated:
    """Events of one topic, in order already."""

    def __init__(self, events: list[Event], time: str) -> None:
        self._events = events
        self.times: Times = np.array([event[time] for event in events], dtype=np.float64)

    def told(self, first: int, end: int) -> list[Told]:
        return [Told(event["model_id"], orjson.dumps(event)) for event in self._events[first:end]]
