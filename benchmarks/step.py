"""What one core of the monitor does with bytes in memory: no Kafka, no Redis, everything else as in production.

The same 40,000 events (predictions with six features, and their truth; as many again of each model are taken before)
are decoded alone; decoded and folded by a monitor that gives its effects every ten chunks of 1,000, once with all
detectors and once with three ADWINs a model; and taken by the plain job of the same shape (`plain_job`); in turn, five
times. They are of 20 models, and of 10,000, of which a chunk holds one event each. Printed: microseconds of CPU per
event and, in effects, per model that changed (medians); `ratio`: what three ADWINs cost for each microsecond of the
plain job (median of the rounds).
"""

from __future__ import annotations

import gc
import json
import random
import statistics
import time
from collections.abc import Callable
from functools import partial
from typing import NamedTuple

from benchmarks.plain_job import PlainJob
from trueup.monitor.config import ModelConfig, MonitorConfig
from trueup.monitor.step import MonitorStep, Place
from trueup.step import NOTHING_FOUND, Arrival
from trueup_schemas import topics
from trueup_schemas.codec import Codec, encode, encode_batch

IDS, SAVE_EVERY, ROUNDS = 20_000, 10, 5
#: Events in a record, and models: of thousands, each record is one event.
CASES = ((1, 20), (200, 20), (1, 10_000))
START = 1_760_000_000.0
#: Seconds between two predictions of a model.
SECONDS_APART = 20.0
#: When the records came: later than any event in them.
CAME = START + 2 * IDS * SECONDS_APART
ALL = MonitorConfig()
#: On errors, on scores and on one feature, as the plain job has them.
THREE = MonitorConfig(
    defaults=ModelConfig(loss_detectors=("adwin",), mistake_detectors=(), watch_features=("a",), pages=False)
)


class Chunk(NamedTuple):
    """Some records of one topic."""

    topic: str
    values: list[bytes]


class Load(NamedTuple):
    """The chunks that are measured, and those before them, from which every model is known."""

    before: list[Chunk]
    chunks: list[Chunk]


class Cost(NamedTuple):
    """Seconds of CPU for all events, of which in `effects`, and for how many models there."""

    whole: float
    effects: float = 0.0
    saved_models: int = 1


def run() -> None:
    """Measure, and print one JSON line for each case."""
    for size, models in CASES:
        chunks = _chunks(size, models, 2 * IDS)
        load = Load(chunks[: len(chunks) // 2], chunks[len(chunks) // 2 :])
        works: dict[str, Callable[[], Cost]] = {
            "decode": partial(_decode, load),
            "all": partial(_fold, load, ALL),
            "three": partial(_fold, load, THREE),
            "plain": partial(_plain, load, single=size == 1),
        }
        costs = [{name: work() for name, work in works.items()} for _ in range(ROUNDS)]
        events = 2 * IDS / 1e6
        row: dict[str, object] = {"benchmark": "step", "events_per_record": size, "models": models}
        for name in works:
            row[f"{name}_us"] = round(statistics.median(cost[name].whole for cost in costs) / events, 2)
        for name in ("all", "three"):
            effects = statistics.median(cost[name].effects / cost[name].saved_models for cost in costs)
            row[f"{name}_effects_us_per_model"] = round(effects * 1e6, 1)
        row["ratio"] = round(statistics.median(cost["three"].whole / cost["plain"].whole for cost in costs), 2)
        print(json.dumps(row))


def _chunks(size: int, models: int, ids: int) -> list[Chunk]:
    """Chunks of predictions and feedback in turn, `size` events of one model in each record; those of models mixed."""
    rng = random.Random(1)
    chunks = []
    for first in range(0, ids, 1_000):
        told: dict[str, list[dict[str, object]]] = {}
        made: dict[str, list[dict[str, object]]] = {}
        for number in range(first, first + 1_000):
            model = f"model-{(number // 200 if size > 1 else number) % models}"
            truth, at = rng.randrange(2), START + number * SECONDS_APART / models
            made.setdefault(model, []).append(_prediction(rng, model, number, truth, at))
            told.setdefault(model, []).append(
                {"prediction_id": f"id-{number}", "model_id": model, "actual": truth, "observed_at": at + 60}
            )
        for topic, by_model in ((topics.PREDICTIONS, made), (topics.FEEDBACK, told)):
            batches = [events[at : at + size] for events in by_model.values() for at in range(0, len(events), size)]
            batches.sort(key=lambda events: int(str(events[0]["prediction_id"])[3:]))
            values = [encode(topic, *batch) if size == 1 else encode_batch(topic, batch) for batch in batches]
            chunks.append(Chunk(topic.name, values))
    return chunks


def _prediction(rng: random.Random, model: str, number: int, truth: int, at: float) -> dict[str, object]:
    return {
        "prediction_id": f"id-{number}",
        "model_id": model,
        "model_version": "v1",
        "prediction": truth if rng.random() > 0.1 else 1 - truth,
        "predicted_at": at,
        "probability": rng.random(),
        "features": {"a": rng.random(), "b": rng.random(), "c": number % 7, "d": "red", "e": None, "f": 1.5},
        "segment": {"country": "nl"},
    }


def _codecs() -> dict[str, Codec]:
    return {"predictions": Codec(topics.PREDICTIONS), "feedback": Codec(topics.FEEDBACK)}


def _decode(load: Load) -> Cost:
    codecs = _codecs()
    before = _begin()
    for chunk in load.chunks:
        codecs[chunk.topic].decode_many(chunk.values)
    return Cost(time.process_time() - before)


def _begin() -> float:
    """The time to count from; what there is by now is kept for ever, as workers say to the collector of garbage."""
    gc.unfreeze()
    gc.collect()
    gc.freeze()
    return time.process_time()


def _fold(load: Load, config: MonitorConfig) -> Cost:
    codecs, step = _codecs(), MonitorStep(Place(0, 1), config)
    positions = {"predictions": 0, "feedback": 0}
    for chunk in load.before:
        _take(step, codecs[chunk.topic], chunk, positions)
    step.effects()
    effects, models = 0.0, 0
    before = _begin()
    for number, chunk in enumerate(load.chunks):
        _take(step, codecs[chunk.topic], chunk, positions)
        if number % SAVE_EVERY == SAVE_EVERY - 1:
            start = time.process_time()
            models += len(step.effects().views)
            effects += time.process_time() - start
    return Cost(time.process_time() - before, effects, models)


def _take(step: MonitorStep, codec: Codec, chunk: Chunk, positions: dict[str, int]) -> None:
    """Decode a chunk and fold it in."""
    arrivals = []
    offset = positions[chunk.topic]
    for found in codec.decode_many(chunk.values):
        if isinstance(found, dict):
            arrivals.append(Arrival(offset, 0, CAME, found))
        else:
            arrivals += [Arrival(offset, place, CAME, event) for place, event in found.events]
        offset += 1
    positions[chunk.topic] = offset
    step.needs(chunk.topic, arrivals)
    step.take(chunk.topic, arrivals, positions, NOTHING_FOUND)


def _plain(load: Load, *, single: bool) -> Cost:
    job = PlainJob(single=single)
    for chunk in load.before:
        _take_plainly(job, chunk)
    before = _begin()
    for chunk in load.chunks:
        _take_plainly(job, chunk)
    return Cost(time.process_time() - before)


def _take_plainly(job: PlainJob, chunk: Chunk) -> None:
    if chunk.topic == "predictions":
        job.predictions(chunk.values)
    else:
        job.feedback(chunk.values)
