"""Contender: quixstreams, one process, the models in its memory; its consumer commits as it comes.

Its own state store would cost a read and a write for each event: this is the quicker way, as the plain loop's.
"""

from __future__ import annotations

import logging
from typing import Any

from quixstreams import Application

from benchmarks.throughput.contender import Result, Stopwatch, Task, say, task
from benchmarks.throughput.job import Job


def consume(told: Task) -> Result:
    """Do the job: the application is stopped by the last event."""
    job, watch, left, results = Job(), Stopwatch(), [told.events], []
    app = Application(
        broker_address=told.bootstrap,
        consumer_group=told.group,
        auto_offset_reset="earliest",
        auto_create_topics=False,
        loglevel=logging.WARNING,
    )

    def take(into: Any) -> Any:
        def taken(value: bytes) -> None:
            watch.start()
            left[0] -= into(value)
            if left[0] == 0:
                results.append(watch.stop(joined=job.joined, correct=job.correct))
                app.stop()

        return taken

    for name, into in ((told.predictions, job.predictions), (told.feedback, job.feedback)):
        topic = app.topic(name, value_deserializer="bytes", key_deserializer="bytes")
        app.dataframe(topic).update(take(into))
    app.run()
    return results[0]


if __name__ == "__main__":
    say(consume(task()))
