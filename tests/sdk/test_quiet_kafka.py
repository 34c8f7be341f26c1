"""kafka-python's warnings from Trueup's threads are thinned, others are not."""

import logging

from trueup.sdk.quiet_kafka import OncePerMinute


def record(
    *, thread: str = "trueup-emitter-network-thread", level: int = logging.ERROR, line: int = 1
) -> logging.LogRecord:
    made = logging.LogRecord("kafka.cluster", level, "cluster.py", line, "no topic", None, None)
    made.threadName = thread
    made.created = 0.0
    return made


def test_a_line_warns_once_a_minute() -> None:
    passes = OncePerMinute().filter
    assert passes(record())
    assert not passes(record())
    assert passes(record(line=2))
    later = record()
    later.created = 61.0
    assert passes(later)


def test_other_threads_and_lower_levels_pass() -> None:
    passes = OncePerMinute().filter
    assert all(passes(record(thread="MainThread")) for _ in range(3))
    assert all(passes(record(level=logging.INFO)) for _ in range(3))
    assert passes(record(thread="kafka-io-trueup-inbox"))
    assert not passes(record(thread="kafka-io-trueup-inbox"))
