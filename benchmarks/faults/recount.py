"""The topics counted again, with plain dictionaries and nothing of Trueup but the names of the fields."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import pairwise
from typing import Any

from kafka import KafkaConsumer, TopicPartition

PARTITIONS = 4
#: What an event must have, besides ids that are text, and of which at least one.
ONE_OF = {"predictions": ("prediction", "error"), "feedback": ("actual", "score")}
IDS = {"predictions": ("prediction_id", "model_id", "model_version"), "feedback": ("prediction_id", "model_id")}


def records(bootstrap: str, topic: str) -> list[Any]:
    """Every record of a topic, partition after partition."""
    consumer = KafkaConsumer(bootstrap_servers=bootstrap, enable_auto_commit=False)
    try:
        parts = [TopicPartition(topic, partition) for partition in range(PARTITIONS)]
        consumer.assign(parts)
        consumer.seek_to_beginning(*parts)
        ends = consumer.end_offsets(parts)
        found: list[Any] = []
        while any(consumer.position(part) < ends[part] for part in parts):
            for batch in consumer.poll(timeout_ms=500).values():
                found += batch
        return sorted(found, key=lambda record: (record.partition, record.offset))
    finally:
        consumer.close()


def events(bootstrap: str, topic: str) -> Iterator[dict[str, Any]]:
    """Every event that is a JSON object with the required ids, alone or in a batch."""
    kind = topic.rpartition(".")[2]
    for record in records(bootstrap, topic):
        for event, fault in told(kind, record.value):
            if fault is None:
                yield event


def told(kind: str, value: bytes | None) -> Iterator[tuple[dict[str, Any], str | None]]:
    """What a record of this kind of topic holds: its events, each with what is wrong with it (None: nothing)."""
    if not value:
        yield {}, "empty"
        return
    try:
        read = json.loads(value)
    except ValueError:
        yield {}, "not_json"
        return
    for event in read if isinstance(read, list) else [read]:
        usable = isinstance(event, dict) and all(isinstance(event.get(name), str) for name in IDS[kind])
        usable = usable and any(event.get(name) is not None for name in ONE_OF[kind])
        yield event, None if usable else "invalid"


@dataclass
class _Said:
    """All that was said about one model."""

    #: prediction id -> version -> what it answered first, and on which day.
    answers: dict[str, dict[str, tuple[Any, str]]] = field(default_factory=lambda: defaultdict(dict))
    #: version -> predictions that came again.
    repeats: Counter[str] = field(default_factory=Counter)
    #: prediction id -> what was said to be true, in order.
    told: dict[str, list[Any]] = field(default_factory=lambda: defaultdict(list))

    def changes(self, prediction_id: str) -> int:
        """How often the truth of this id was corrected."""
        return sum(a != b for a, b in pairwise(self.told.get(prediction_id, ())))

    def again(self, prediction_id: str) -> int:
        """How often its truth was said once more."""
        return max(0, len(self.told.get(prediction_id, ())) - 1 - self.changes(prediction_id))


def recount(predictions: Iterable[dict[str, Any]], feedback: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """model_id -> its counts, and version -> its counts; for labels, with the last feedback as the truth."""
    models: dict[str, _Said] = defaultdict(_Said)
    for event in predictions:
        said, version = models[event["model_id"]], event["model_version"]
        versions = said.answers[event["prediction_id"]]
        if version in versions:
            said.repeats[version] += 1
        else:
            day = datetime.fromtimestamp(event["predicted_at"], UTC).date().isoformat()
            versions[version] = (event["prediction"], day)
    for event in feedback:
        models[event["model_id"]].told[event["prediction_id"]].append(event["actual"])
    return {model_id: _model(said) for model_id, said in models.items()}


def _model(said: _Said) -> dict[str, Any]:
    return {
        "feedback": sum(map(len, said.told.values())),
        "orphans": sum(1 for key in said.told if key not in said.answers),
        "corrections": sum(map(said.changes, said.told)),
        "duplicates": said.repeats.total() + sum(map(said.again, said.told)),
        "versions": {
            version: _version(version, said) for version in {name for given in said.answers.values() for name in given}
        },
    }


def _version(version: str, said: _Said) -> dict[str, Any]:
    mine = {key: given[version] for key, given in said.answers.items() if version in given}
    joined = [key for key in mine if key in said.told]
    right = [key for key in joined if mine[key][0] == said.told[key][-1]]
    return {
        "predictions": len(mine),
        "joined": len(joined),
        "pending": len(mine) - len(joined),
        "correct": len(right),
        "feedback": sum(len(said.told[key]) for key in joined),
        "corrections": sum(map(said.changes, joined)),
        "duplicates": said.repeats[version] + sum(map(said.again, joined)),
        "days": {
            "predictions": dict(Counter(day for _, day in mine.values())),
            "joined": dict(Counter(mine[key][1] for key in joined)),
            "correct": dict(Counter(mine[key][1] for key in right)),
        },
    }


def counted(status: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """What `trueup status --json` says, in the shape of the recount."""
    return {
        model["model_id"]: {
            **{name: model[name] for name in ("feedback", "orphans", "corrections", "duplicates")},
            "versions": {version["model_version"]: _counted(version) for version in model["versions"]},
        }
        for model in status["models"]
    }


def _counted(version: Mapping[str, Any]) -> dict[str, Any]:
    names = ("predictions", "joined", "pending", "correct", "feedback", "corrections", "duplicates")
    shown = ("predictions", "joined", "correct")
    days = {name: {day["day"]: day[name] for day in version["days"] if day[name]} for name in shown}
    return {**{name: version[name] for name in names}, "days": days}
