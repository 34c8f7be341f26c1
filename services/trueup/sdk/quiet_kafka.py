"""kafka-python says the same thing ten times a second while Kafka or a topic is missing. In the threads that Trueup
started, each line of its code may warn once a minute; the app's own use of kafka-python is not touched.
"""

from __future__ import annotations

import logging

INTERVAL_S = 60.0
#: How kafka-python names its threads after the client ids given here.
OWN_THREADS = ("trueup-", "kafka-io-trueup-")


class OncePerMinute(logging.Filter):
    """Passes everything below WARNING, and everything of other threads."""

    def __init__(self) -> None:
        super().__init__()
        self._silent_until: dict[tuple[str, int], float] = {}

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno < logging.WARNING or not str(record.threadName).startswith(OWN_THREADS):
            return True
        line = (record.pathname, record.lineno)
        if record.created < self._silent_until.get(line, 0.0):
            return False
        self._silent_until[line] = record.created + INTERVAL_S
        return True


def quieten() -> None:
    """Put the filter on kafka-python's loggers, once. To be called after kafka-python was imported."""
    names = [name for name in logging.root.manager.loggerDict if name.startswith("kafka.")]
    for logger in map(logging.getLogger, names):
        if not any(isinstance(existing, OncePerMinute) for existing in logger.filters):
            logger.addFilter(OncePerMinute())
