"""Contender: Faust as its documentation has it: agents over records, the state in Tables with a changelog in Kafka.

One table holds what waits for its other half, one the rest of each model; each event changes an entry of both.
"""

from __future__ import annotations

import os
import pickle
import tempfile
from pathlib import Path
from typing import Any

import faust

from benchmarks.throughput.contender import Stopwatch, Task, say, task
from benchmarks.throughput.job import ModelState
from trueup_schemas import topics
from trueup_schemas.codec import Codec


def build(told: Task, folder: Path) -> Any:
    """The application; it ends its process after the last event."""
    app = faust.App(
        told.group,
        broker=f"kafka://{told.bootstrap}",
        store="memory://",
        datadir=folder,
        web_enabled=False,
        topic_partitions=told.partitions,
        topic_replication_factor=1,
        topic_disable_leader=True,
        consumer_auto_offset_reset="earliest",
        stream_wait_empty=False,
    )
    watch, left = Stopwatch(), [told.events]
    raw: Any = faust.Schema(key_type=str, value_type=bytes, value_serializer="raw")
    models = app.Table("models", partitions=told.partitions, schema=raw)
    waiting = app.Table("waiting", partitions=told.partitions, schema=raw)
    totals = [0, 0]

    def take(method: str, event: dict[str, Any]) -> None:
        model_id, key = event["model_id"], f"{event['model_id']}/{event['prediction_id']}"
        saved, waits = models.get(model_id), waiting.get(key)
        state: ModelState = ModelState() if saved is None else pickle.loads(saved)
        if waits is not None:
            state.answers, state.truths = pickle.loads(waits)
        before = state.joined, state.correct
        getattr(state, method)(event)
        if state.answers or state.truths:
            waiting[key] = pickle.dumps((state.answers, state.truths))
        elif waits is not None:
            del waiting[key]
        state.answers, state.truths = {}, {}
        models[model_id] = pickle.dumps(state)
        totals[0] += state.joined - before[0]
        totals[1] += state.correct - before[1]

    def agent(name: str, method: str, decode: Any) -> None:
        topic = app.topic(name, key_type=bytes, key_serializer="raw", value_type=bytes, value_serializer="raw")

        async def read(stream: Any) -> None:
            async for value in stream:
                watch.start()
                for _, event in decode(value).events:
                    take(method, event)
                    left[0] -= 1
                if left[0] == 0:
                    say(watch.stop(joined=totals[0], correct=totals[1]))
                    os._exit(0)  # Faust's worker does not end with its app, and may hang when it is told to

        app.agent(topic, name=method)(read)

    agent(told.predictions, "predicted", Codec(topics.PREDICTIONS).decode)
    agent(told.feedback, "told", Codec(topics.FEEDBACK).decode)
    return app


if __name__ == "__main__":
    with tempfile.TemporaryDirectory() as name:
        application = build(task(), Path(name) / "faust")
        faust.Worker(application, loglevel="WARNING", quiet=True, redirect_stdouts=False).execute_from_commandline()
