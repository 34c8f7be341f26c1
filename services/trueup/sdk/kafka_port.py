"""The port to Kafka's producer, and kafka-python behind it.

kafka-python 3.0.12 is held to what was found to work: its idempotent producer wedges for ever once a retried batch
expires, its constructor blocks unless it is told a protocol version, its exit handler closes the producer before
events still queued here could be sent, and `close` raises where records are pending and leaves its thread running.
"""

from __future__ import annotations

import atexit
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any, Protocol

from trueup.sdk.quiet_kafka import quieten
from trueup.sdk.security import InvalidSecurity

#: The newest protocol spoken. Older brokers are found out on connecting; newer ones speak this one too.
PROTOCOL_VERSION = (2, 8)

Servers = str | Sequence[str]
Done = Callable[[BaseException | None], None]


class NotNow(Exception):
    """Kafka cannot take the record at present: the same call may succeed later."""


class Producer(Protocol):
    """Sends records, in order per topic and key. Owned by one thread."""

    def send(self, topic: str, *, key: bytes, value: bytes, done: Done) -> None:
        """Hand over one record. May wait for the topic's partitions, not for the delivery.

        `done` is called exactly once, from any thread, with None or with what went wrong; never when this raises.

        Raises:
            NotNow: the partitions of the topic are not known (yet).
        """

    def close(self, timeout_s: float) -> None:
        """Deliver what was handed over within `timeout_s`, fail the rest, let go of all resources. Never raises."""

    def abandon(self) -> None:
        """In a forked child: never touch again what belongs to the parent. Takes no locks, never raises."""


def secured(security: Mapping[str, Any], known: Mapping[str, Any]) -> dict[str, Any]:
    """The security settings, checked against those that kafka-python knows; a function becomes its source of tokens.

    Raises:
        InvalidSecurity: naming the unknown ones. kafka-python's own message would show their values too.
    """
    unknown = sorted(set(security) - set(known))
    if unknown:
        raise InvalidSecurity(f"security holds settings that kafka-python does not know: {', '.join(unknown)}")
    provider = security.get("sasl_oauth_token_provider")
    return {**security, "sasl_oauth_token_provider": _tokens(provider)} if callable(provider) else dict(security)


def _tokens(function: Callable[[], str]) -> Any:
    from kafka.net.sasl.oauth import AbstractTokenProvider

    class Tokens(AbstractTokenProvider):  # type: ignore[misc]
        def token(self) -> str:
            return function()

    return Tokens()


def named(error: BaseException) -> str:
    """What may be logged of an error: its type, since messages of others can hold payloads or passwords."""
    return str(error) if isinstance(error, InvalidSecurity) else type(error).__name__


class KafkaPythonProducer:
    """`Producer` on kafka-python. Connects in the background; building it does not wait for Kafka."""

    def __init__(
        self,
        servers: Servers,
        *,
        security: Mapping[str, Any],
        request_timeout: timedelta,
        delivery_timeout: timedelta,
        compression: str | None = None,
    ) -> None:
        from kafka import KafkaProducer

        quieten()
        request_timeout_ms = int(request_timeout.total_seconds() * 1_000)
        self._producer = KafkaProducer(
            bootstrap_servers=servers,
            client_id="trueup-emitter",
            api_version=PROTOCOL_VERSION,
            enable_idempotence=False,
            acks="all",
            max_in_flight_requests_per_connection=1,
            request_timeout_ms=request_timeout_ms,
            delivery_timeout_ms=int(delivery_timeout.total_seconds() * 1_000),
            max_block_ms=request_timeout_ms,
            retry_backoff_ms=250,
            reconnect_backoff_max_ms=min(2_000, request_timeout_ms),
            compression_type=compression,
            allow_auto_create_topics=False,  # It would come with the broker's number of partitions, not Trueup's.
            metrics_enabled=False,
            **secured(security, KafkaProducer.DEFAULT_CONFIG),
        )
        atexit.unregister(self._producer._cleanup)

    def send(self, topic: str, *, key: bytes, value: bytes, done: Done) -> None:
        from kafka.errors import KafkaTimeoutError

        try:
            future = self._producer.send(topic, key=key, value=value)
        except KafkaTimeoutError as error:
            raise NotNow(
                f"no partitions of topic {topic} are known: is Kafka up, does it let us in, was the topic created?"
            ) from error
        future.add_callback(lambda _: done(None))
        future.add_errback(done)

    def close(self, timeout_s: float) -> None:
        from kafka.errors import KafkaError

        try:
            self._producer.close(timeout=timeout_s)
        except KafkaError:
            # Records were pending and its thread still runs: make it fail them, then close in good order.
            self._producer._sender.force_close()
            self._producer._sender.join(timeout=1)
            self._producer.close(timeout=0)

    def abandon(self) -> None:
        self._producer._closed = True
