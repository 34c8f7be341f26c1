"""One partition has far more to do than the worker can; what comes to the three others does not wait for it.

hot     ████████████████████████████████████████████████ 300,000 predictions lie there
quiet      p0     p1     p2    each is counted before the hot ones are
"""

from __future__ import annotations

import json
from collections.abc import Callable

import pytest
from kafka import KafkaProducer

from benchmarks.faults.installation import Installation, wait
from trueup.engine.partitioner import partition_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

PARTITIONS = 4
BATCHES, PER_BATCH = 1_500, 200
#: One model for each partition.
MODELS = {partition_for(model.encode(), PARTITIONS): model for model in map("m{}".format, range(40))}
HOT = MODELS[0]


def prediction(model: str, number: int) -> dict[str, object]:
    return {
        "prediction_id": f"{model}-{number}",
        "model_id": model,
        "model_version": "v1",
        "prediction": number % 2,
        "predicted_at": 1_760_000_000 + number,
        "probability": 0.5,
        "features": {"a": number, "b": "red", "c": None},
    }


def counted(here: Installation, model: str) -> int:
    """Predictions of a model, as saved."""
    views = [view for part in here.progress.saved("monitor").values() for view in part.views.values()]
    return sum(view["predictions"] for view in views if view.get("model_id") == model)


def test_a_hot_partition_keeps_no_other_waiting(install: Callable[[str, str], Installation]) -> None:
    here = install("hot", "")
    producer = KafkaProducer(bootstrap_servers=here.bootstrap, compression_type="gzip", linger_ms=50)
    topic, total = "hot.predictions", BATCHES * PER_BATCH
    try:
        for first in range(0, total, PER_BATCH):
            batch = [prediction(HOT, number) for number in range(first, first + PER_BATCH)]
            producer.send(topic, key=HOT.encode(), value=json.dumps(batch).encode())
        producer.flush(60)
        here.start("monitor")
        wait("the worker is at work", lambda: counted(here, HOT) > 0)
        for number in range(3):
            for partition in range(1, PARTITIONS):
                model = MODELS[partition]
                producer.send(topic, key=model.encode(), value=json.dumps(prediction(model, number)).encode()).get(20)
                wait(f"{model} is counted", lambda model=model, n=number: counted(here, model) == n + 1)  # type: ignore[misc]
        assert counted(here, HOT) < total, "the hot partition was no hindrance: it had nothing left to do"
        wait("the hot partition is done too", lambda: counted(here, HOT) == total, 180)
    finally:
        producer.close()
