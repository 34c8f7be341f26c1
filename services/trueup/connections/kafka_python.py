"""The arguments of kafka-python's clients."""

from __future__ import annotations

from typing import Any

from kafka.net.sasl.oauth import AbstractTokenProvider

from trueup.connections.kafka_arguments import arguments_of
from trueup.connections.kafka_security import KafkaSecurity
from trueup.connections.tokens import TokenSource


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """A source of tokens as kafka-python wants it: called in its own thread, at each connection."""

    def __init__(self, source: TokenSource) -> None:
        super().__init__()
        self._source = source

    def token(self) -> str:
        return self._source()


def kafka_python_arguments(security: KafkaSecurity) -> dict[str, Any]:
    """For `KafkaConsumer`, `KafkaProducer` and `KafkaAdminClient`. Holds secrets: never to be printed.

    Raises:
        InvalidSettings: a file cannot be read or used.
    """
    return arguments_of(security, Tokens)
