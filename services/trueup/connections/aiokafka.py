"""The arguments of aiokafka's clients, and Faust's credentials, from which Faust makes the same arguments again."""

from __future__ import annotations

import asyncio
from typing import Any

from aiokafka.abc import AbstractTokenProvider
from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials
from faust.types.auth import CredentialsT

from trueup.connections.kafka_arguments import arguments_of, context, password
from trueup.connections.kafka_security import KafkaSecurity
from trueup.connections.tokens import TokenSource, token_source


class Tokens(AbstractTokenProvider):  # type: ignore[misc]
    """A source of tokens as aiokafka wants it. The source may block: it is asked in another thread."""

    def __init__(self, source: TokenSource) -> None:
        super().__init__()
        self._source = source

    async def token(self) -> str:
        return await asyncio.to_thread(self._source)


def aiokafka_arguments(security: KafkaSecurity) -> dict[str, Any]:
    """For `AIOKafkaProducer` and `AIOKafkaConsumer`. Holds secrets: never to be printed.

    Raises:
        InvalidSettings: a file cannot be read or used.
    """
    return arguments_of(security, Tokens)


def faust_credentials(security: KafkaSecurity) -> CredentialsT | None:
    """For `broker_credentials`; None: plain text.

    Without a TLS context Faust takes a password for one to be sent in plain text: there is one wherever the protocol
    says so, since it is made here from nothing but the protocol.

    Raises:
        InvalidSettings: a file cannot be read or used.
    """
    tls = context(security)
    if security.mechanism == "OAUTHBEARER":
        return OAuthCredentials(oauth_cb=Tokens(token_source(security)), ssl_context=tls)
    if security.mechanism is not None:
        return SASLCredentials(
            username=security.username, password=password(security), ssl_context=tls, mechanism=security.mechanism
        )
    return None if tls is None else SSLCredentials(tls)
