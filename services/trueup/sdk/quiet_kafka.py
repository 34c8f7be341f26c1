"""kafka-python says the same thing ten times a second while Kafka or a topic is missing. In the threads that Trueup
started, each line of its code may warn once a minute; the app's own use of kafka-python is not touched.

And it says too much: at DEBUG, passwords and tokens are in its log, as they are in aiokafka's. Those lines are dropped
for everybody in the process.
"""

from __future__ import annotations

import logging

INTERVAL_S = 60.0
#: How kafka-python names its threads after the client ids given here.
OWN_THREADS = ("trueup-", "kafka-io-trueup-")


#: Loggers that write, at DEBUG, what an admin client is configured with, or what is sent.
LOG_LOGINS = ("kafka.net.connection", "kafka.protocol.parser", "kafka.admin.client", "aiokafka.conn")


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


class WithoutLogins(logging.Filter):
    """Drops what would write a password or a token at DEBUG: what is sent for a login, and an admin's configuration."""

    def filter(self, record: logging.LogRecord) -> bool:
        if record.levelno > logging.DEBUG:
            return True
        sent = record.args if isinstance(record.args, tuple) else ()
        login = any(type(arg).__name__.startswith("Sasl") for arg in sent)
        return not login and not any(words in str(record.msg) for words in ("with configuration", "Send: %r"))


def hide_logins() -> None:
    """Put the filter on the loggers of kafka-python and aiokafka that write logins, once."""
    for logger in map(logging.getLogger, LOG_LOGINS):
        if not any(isinstance(existing, WithoutLogins) for existing in logger.filters):
            logger.addFilter(WithoutLogins())


def quieten() -> None:
    """Put the filter on kafka-python's loggers, once. To be called after kafka-python was imported."""
    hide_logins()
    names = [name for name in logging.root.manager.loggerDict if name.startswith("kafka.")]
    for logger in map(logging.getLogger, names):
        if not any(isinstance(existing, OncePerMinute) for existing in logger.filters):
            logger.addFilter(OncePerMinute())
