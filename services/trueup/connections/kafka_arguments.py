"""What kafka-python and aiokafka have in common: the same names for the same things."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

from trueup.connections.kafka_security import KafkaSecurity
from trueup.connections.secret import revealed
from trueup.connections.tls import tls_context
from trueup.connections.tokens import TokenSource, token_source
from trueup.sdk.quiet_kafka import hide_logins


def arguments_of(security: KafkaSecurity, tokens: Callable[[TokenSource], Any]) -> dict[str, Any]:
    """The arguments of a client. Holds secrets: never to be printed.

    Args:
        tokens: makes of a source of tokens what the library wants, another type in each.

    Raises:
        InvalidSettings: a file cannot be read or used.
    """
    hide_logins()
    arguments: dict[str, Any] = {"security_protocol": security.protocol}
    if security.tls:
        arguments["ssl_context"] = context(security)
    if security.sasl:
        arguments["sasl_mechanism"] = security.mechanism
    if security.username is not None:
        arguments["sasl_plain_username"] = security.username
        arguments["sasl_plain_password"] = password(security)
    if security.mechanism == "OAUTHBEARER":
        arguments["sasl_oauth_token_provider"] = tokens(token_source(security))
    return arguments


def context(security: KafkaSecurity) -> ssl.SSLContext | None:
    """The TLS context; None where there is no TLS."""
    if not security.tls:
        return None
    key_password = revealed(security.key_password, security.key_password_file, setting="kafka.security.key_password")
    return tls_context(security.files, key_password=key_password, verify_hostname=security.verify_hostname)


def password(security: KafkaSecurity) -> str | None:
    """The password; None where there is none."""
    return revealed(security.password, security.password_file, setting="kafka.security.password")
