"""The floor of the job: the same bytes, already in memory and in the order of their time. No Kafka in what is timed."""

from __future__ import annotations

from confluent_kafka import Consumer, KafkaException, TopicPartition

from benchmarks.throughput.contender import Result, Stopwatch, Task, say, task
from benchmarks.throughput.job import Job


def consume(told: Task) -> Result:
    """Read all there is, then do the job."""
    records = read_all(told)
    job, watch = Job(), Stopwatch()
    predictions, feedback = job.predictions, job.feedback
    watch.start()
    for is_prediction, value in records:
        (predictions if is_prediction else feedback)(value)
    return watch.stop(joined=job.joined, correct=job.correct)


def read_all(told: Task) -> list[tuple[bool, bytes]]:
    """(whether it holds predictions, its value) of every record, by the records' timestamps."""
    consumer = Consumer({"bootstrap.servers": told.bootstrap, "group.id": told.group, "enable.auto.commit": False})
    parts = [
        TopicPartition(name, part, 0) for name in (told.predictions, told.feedback) for part in range(told.partitions)
    ]
    left = sum(consumer.get_watermark_offsets(part)[1] for part in parts)
    consumer.assign(parts)
    found: list[tuple[int, bool, bytes]] = []
    while left > 0:
        batch = consumer.consume(num_messages=min(left, 10_000), timeout=1.0)
        for message in batch:
            if message.error() is not None:
                raise KafkaException(message.error())
            found.append((message.timestamp()[1], message.topic() == told.predictions, message.value()))
        left -= len(batch)
    consumer.close()
    found.sort(key=lambda record: record[0])
    return [(is_prediction, value) for _, is_prediction, value in found]


if __name__ == "__main__":
    say(consume(task()))
