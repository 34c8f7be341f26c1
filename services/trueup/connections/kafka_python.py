"""The arguments of kafka-python's clients."""

from __future__ import annotations

from typing import Any

from kafka.net.sasl.oauth import AbstractTokenProvider

from trueup.connections.kafka_arguments import common_arguments
from trueup.connections.kafka_security import KafkaSecurity
from trueup.connections.tokens import TokenSource, token_source
from trueup.sdk.quiet_kafka import hide_logins


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
    hide_logins()
    arguments = common_arguments(security)
    if security.mechanism == "OAUTHBEARER":
        arguments["sasl_oauth_token_provider"] = Tokens(token_source(security))
    return arguments
