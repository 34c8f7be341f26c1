"""The topics counted again, with plain dictionaries and nothing of Trueup but the names of the fields."""

from __future__ import annotations

import json
from collections import Counter, defaultdict
from collections.abc import Iterable, Iterator
from itertools import pairwise
from typing import Any

from kafka import KafkaConsumer, TopicPartition

PARTITIONS = 4


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
    for record in records(bootstrap, topic):
        try:
            value = json.loads(record.value)
        except ValueError:
            continue
        for event in value if isinstance(value, list) else [value]:
            if isinstance(event, dict) and isinstance(event.get("prediction_id"), str) and "model_id" in event:
                yield event


def recount(predictions: Iterable[dict[str, Any]], feedback: Iterable[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """model_id -> its counts, and version -> its counts; for labels, with the last feedback as the truth."""
    answers: dict[tuple[str, str], dict[str, Any]] = defaultdict(dict)
    repeats: Counter[tuple[str, str]] = Counter()
    for event in predictions:
        versions = answers[event["model_id"], event["prediction_id"]]
        if event["model_version"] in versions:
            repeats[event["model_id"], event["model_version"]] += 1
        else:
            versions[event["model_version"]] = event["prediction"]
    told: dict[tuple[str, str], list[Any]] = defaultdict(list)
    for event in feedback:
        told[event["model_id"], event["prediction_id"]].append(event["actual"])

    counts: dict[str, dict[str, Any]] = {}
    for model_id in {key[0] for key in (*answers, *told)}:
        ids = {key for key in (*answers, *told) if key[0] == model_id}
        changes = {key: sum(a != b for a, b in pairwise(said)) for key, said in told.items()}
        found = {version for key in ids for version in answers.get(key, {})}
        counts[model_id] = {
            "feedback": sum(len(told[key]) for key in ids if key in told),
            "orphans": sum(1 for key in ids if key in told and not answers.get(key)),
            "versions": {
                version: _version(version, ids, answers, told, changes, repeats[model_id, version]) for version in found
            },
        }
    return counts


def _version(
    version: str,
    ids: set[tuple[str, str]],
    answers: dict[tuple[str, str], dict[str, Any]],
    told: dict[tuple[str, str], list[Any]],
    changes: dict[tuple[str, str], int],
    repeated: int,
) -> dict[str, int]:
    mine = [key for key in ids if version in answers.get(key, {})]
    joined = [key for key in mine if key in told]
    return {
        "predictions": len(mine),
        "joined": len(joined),
        "pending": len(mine) - len(joined),
        "correct": sum(answers[key][version] == told[key][-1] for key in joined),
        "feedback": sum(len(told[key]) for key in joined),
        "corrections": sum(changes[key] for key in joined),
        "duplicates": repeated + sum(len(told[key]) - 1 - changes[key] for key in joined),
    }
