"""Contender: a loop around confluent-kafka with all state in memory, as one writes it who knows the client.

Nothing survives its end: after a crash it would have to read all again.
"""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException

from benchmarks.throughput.contender import Result, Stopwatch, Task, say, task
from benchmarks.throughput.job import Job


def consume(told: Task) -> Result:
    """Do the job."""
    job, watch, left = Job(), Stopwatch(), told.events
    consumer = Consumer(
        {
            "bootstrap.servers": told.bootstrap,
            "group.id": told.group,
            "auto.offset.reset": "earliest",
            "queued.min.messages": 100_000,
        }
    )
    consumer.subscribe([told.predictions, told.feedback])
    predictions_topic, predictions, feedback = told.predictions, job.predictions, job.feedback
    while left > 0:
        batch = consumer.consume(num_messages=5_000, timeout=0.1)
        if batch:
            watch.start()
        for message in batch:
            if message.error() is not None:
                raise KafkaException(message.error())
            take = predictions if message.topic() == predictions_topic else feedback
            left -= take(message.value())
    result = watch.stop(joined=job.joined, correct=job.correct)
    consumer.close()
    return result


if __name__ == "__main__":
    say(consume(task()))
