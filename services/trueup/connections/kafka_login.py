"""What is said where Kafka does not let us in, or not do what we ask for.

The clients try again and again, and tell the reason in their logs alone. So where there is anything that Kafka may
refuse, one connection is made first that does nothing else, and its error is the sentence that a person needs.
"""

from __future__ import annotations

import asyncio
import ssl
from typing import Any

from aiokafka.conn import AIOKafkaConnection
from aiokafka.errors import (
    IllegalSaslStateError,
    KafkaConnectionError,
    KafkaError,
    SaslAuthenticationFailed,
    UnsupportedSaslMechanismError,
)
from aiokafka.protocol.metadata import MetadataRequest

from trueup.connections.aiokafka import aiokafka_arguments
from trueup.connections.kafka_security import KafkaSecurity
from trueup.errors import InvalidSettings, TrueupError, Unavailable

#: For the first connection; a broker lets a failed login wait for a moment.
LOGIN_SECONDS = 10.0
CLOSE_SECONDS = 1.0


def refuse_bad_login(bootstrap: str, security: KafkaSecurity) -> None:
    """Log in once at the first broker that is there. For the start of a command: not from within an event loop.

    Raises:
        InvalidSettings: the broker does not let us in, or is not the one that its certificate should name.
        Unavailable: there is no token now, or the port does not speak the protocol. Where nobody is there at all,
            nothing is raised: whoever connects next says so.
    """
    if security.protocol != "PLAINTEXT":
        asyncio.run(_log_in(bootstrap, security))


async def _log_in(bootstrap: str, security: KafkaSecurity) -> None:
    arguments = aiokafka_arguments(security)
    for server in bootstrap.split(","):
        host, _, port = server.strip().rpartition(":")
        try:
            await asyncio.wait_for(_connect(host.strip("[]"), int(port), arguments), LOGIN_SECONDS)
        except (TrueupError, KafkaError, OSError, TimeoutError, ValueError) as error:
            problem = _sentence(error, server.strip(), security)
            if problem is error:
                raise
            if problem is not None:
                raise problem from error
        else:
            return


async def _connect(host: str, port: int, arguments: dict[str, Any]) -> None:
    """With TLS 1.3 a refused certificate shows only when something is asked.

    So does a refused token: Kafka says so in a way that aiokafka takes for a welcome, and answers with nothing then.
    """
    connection = AIOKafkaConnection(host, port, client_id="trueup", request_timeout_ms=5_000, **arguments)
    try:
        await connection.connect()
        answer = await connection.send(MetadataRequest([]))
        if not answer.brokers:
            raise IllegalSaslStateError("the broker takes no requests over this connection")
    finally:
        closed = connection.close()
        if closed is not None and connection._protocol is not None:
            await asyncio.wait([closed], timeout=CLOSE_SECONDS)


def _sentence(error: BaseException, server: str, security: KafkaSecurity) -> TrueupError | None:
    """None: nobody is there."""
    if isinstance(error, TrueupError):
        return error
    tls = next((each for each in (error, error.__cause__) if isinstance(each, ssl.SSLError)), None)
    if isinstance(tls, ssl.SSLCertVerificationError):
        return InvalidSettings(
            f"the certificate of Kafka at {server} is not to be trusted ({tls.verify_message}): look at "
            "kafka.security.ca_file, and at the name in kafka.bootstrap"
        )
    if tls is not None and ("CERTIFICATE" in str(tls.reason) or "UNKNOWN_CA" in str(tls.reason)):
        given = security.certificate_file or "none was given"
        return InvalidSettings(f"Kafka at {server} does not take our certificate ({given}): {tls.reason}")
    if isinstance(error, (SaslAuthenticationFailed, IllegalSaslStateError)):
        return InvalidSettings(_refused(server, security))
    if isinstance(error, UnsupportedSaslMechanismError):
        return InvalidSettings(
            f"Kafka at {server} does not offer {security.mechanism}: look at kafka.security.mechanism"
        )
    if tls is not None or isinstance(error, (ConnectionResetError, KafkaConnectionError)):
        return Unavailable(f"Kafka at {server} hung up: is that the port for {security.protocol}?")
    return None


def _refused(server: str, security: KafkaSecurity) -> str:
    if security.mechanism == "OAUTHBEARER":
        return f"Kafka at {server} refuses the token of kafka.security (it may have run out, or be for somebody else)"
    return (
        f"Kafka at {server} refuses user {security.username} with {security.mechanism}: look at "
        "kafka.security.username and its password"
    )
