"""Contender: bytewax, one worker in one process, its state in memory (no recovery store)."""

from __future__ import annotations

from typing import Any

import bytewax.operators as op
from bytewax.connectors.kafka import KafkaSource
from bytewax.dataflow import Dataflow
from bytewax.testing import TestingSink, cluster_main

from benchmarks.throughput.contender import Result, Stopwatch, Task, say, task
from benchmarks.throughput.job import ModelState
from trueup_schemas import topics
from trueup_schemas.codec import Codec

Item = tuple[bool, dict[str, Any]]
#: What a keyed step keeps and passes on: the state, and that there is nothing to pass on.
Kept = tuple[ModelState, None]


def consume(told: Task) -> Result:
    """Do the job: the flow ends by itself at the ends of the topics, some time after its last event."""
    results: list[Result] = []
    cluster_main(_flow(told, results), [], 0)
    return results[0]


def _flow(told: Task, results: list[Result]) -> Any:
    watch, left = Stopwatch(), [told.events]
    models: dict[str, ModelState] = {}
    flow = Dataflow("job")
    source = KafkaSource(
        brokers=[told.bootstrap], topics=[told.predictions, told.feedback], tail=False, batch_size=5_000
    )
    records = op.input("read", flow, source)
    predictions, feedback = Codec(topics.PREDICTIONS).decode, Codec(topics.FEEDBACK).decode

    def decoded(record: Any) -> list[tuple[str, Item]]:
        watch.start()
        is_prediction = record.topic == told.predictions
        found = (predictions if is_prediction else feedback)(record.value).events
        return [(event["model_id"], (is_prediction, event)) for _, event in found]

    def counted(state: ModelState | None, item: Item) -> Kept:
        is_prediction, event = item
        if state is None:
            state = models[event["model_id"]] = ModelState()
        (state.predicted if is_prediction else state.told)(event)
        left[0] -= 1
        if left[0] == 0:
            joined, correct = (sum(getattr(model, what) for model in models.values()) for what in ("joined", "correct"))
            results.append(watch.stop(joined=joined, correct=correct))
        return state, None

    outcomes = op.stateful_map("count", op.flat_map("decode", records, decoded), counted)
    nothing = op.filter("nothing", outcomes, lambda pair: pair[1] is not None)
    op.output("out", nothing, TestingSink([]))
    return flow


if __name__ == "__main__":
    say(consume(task()))
