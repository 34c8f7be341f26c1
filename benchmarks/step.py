"""What one core of the monitor does with bytes in memory: no Kafka, no Redis, everything else as in production.

The same 40,000 events (20 models, predictions with six features, and their truth) are decoded alone, and decoded and
folded by a lane with a save every 2,000 events; in turn, five times. Printed: microseconds of CPU per event (medians),
and how much the whole costs for each microsecond of decoding.
"""

from __future__ import annotations

import json
import random
import statistics
import time
from collections.abc import Callable

from trueup.engine.checkpoint import Claimed
from trueup.engine.lane import Lane
from trueup.engine.records import Chunk, Record
from trueup.settings import Settings
from trueup.workers.setups import lane_setup
from trueup_schemas import topics
from trueup_schemas.codec import Codec, encode, encode_batch

MODELS, IDS, SAVE_EVERY, ROUNDS = 20, 20_000, 10, 5
START = 1_760_000_000.0


def run() -> None:
    """Measure, and print one JSON line for single events and one for batches of 200."""
    for size in (1, 200):
        chunks = _chunks(size)
        events = 2 * IDS
        decode, fold = [], []
        for _ in range(ROUNDS):
            decode.append(_cpu(_decode, chunks) / events * 1e6)
            fold.append(_cpu(_fold, chunks) / events * 1e6)
        row = {
            "benchmark": "step",
            "events_per_record": size,
            "decode_us": round(statistics.median(decode), 2),
            "decode_and_fold_us": round(statistics.median(fold), 2),
            "ratio": round(statistics.median(f / d for f, d in zip(fold, decode, strict=True)), 2),
        }
        print(json.dumps(row))


def _cpu(work: Callable[[list[Chunk]], None], chunks: list[Chunk]) -> float:
    before = time.process_time()
    work(chunks)
    return time.process_time() - before


def _chunks(size: int) -> list[Chunk]:
    """Chunks of predictions and feedback in turn, `size` events of one model in each record."""
    rng = random.Random(1)
    chunks, offset = [], {"predictions": 0, "feedback": 0}
    for first in range(0, IDS, 1_000):
        told: dict[str, list[dict[str, object]]] = {}
        made: dict[str, list[dict[str, object]]] = {}
        for number in range(first, first + 1_000):
            model = f"model-{number // 200 % MODELS if size > 1 else number % MODELS}"
            truth, at = rng.randrange(2), START + number
            made.setdefault(model, []).append(_prediction(rng, model, number, truth, at))
            told.setdefault(model, []).append(
                {"prediction_id": f"id-{number}", "model_id": model, "actual": truth, "observed_at": at + 60}
            )
        for topic, by_model in ((topics.PREDICTIONS, made), (topics.FEEDBACK, told)):
            values = [
                encode(topic, events[at]) if size == 1 else encode_batch(topic, events[at : at + size])
                for events in by_model.values()
                for at in range(0, len(events), size)
            ]
            records = [Record(offset[topic.name] + at, START, None, value) for at, value in enumerate(values)]
            offset[topic.name] += len(records)
            chunks.append(Chunk(topic.name, 0, records))
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


def _decode(chunks: list[Chunk]) -> None:
    codecs = {"predictions": Codec(topics.PREDICTIONS), "feedback": Codec(topics.FEEDBACK)}
    for chunk in chunks:
        decode = codecs[chunk.topic].decode
        for record in chunk.records:
            decode(record.value)


def _fold(chunks: list[Chunk]) -> None:
    settings = Settings()
    kafka = settings.kafka.model_copy(update={"partitions": 1})
    setup = lane_setup("monitor", settings.model_copy(update={"kafka": kafka}))
    lane = Lane(0, Claimed(1, {}, {}, []), setup)
    for number, chunk in enumerate(chunks):
        lane.offer(chunk)
        while (item := lane.next()) is not None:
            lane.give(item)
        if number % SAVE_EVERY == SAVE_EVERY - 1:
            lane.cut()
