"""The port to where outputs go, and its Kafka side."""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError

from trueup.errors import Unavailable
from trueup.step import Output


class Publisher(Protocol):
    """Sends outputs, in order per topic and partition. Returns once every one of them is safe with the receiver.

    Sending the same outputs again is harmless: whoever reads them tells by their ids.
    """

    async def publish(self, outputs: Sequence[Output]) -> None:
        """Send them all.

        Raises:
            Unavailable: not all are known to have arrived; send all of them again later.
        """


class KafkaPublisher:
    """`Publisher` on Kafka: acks from all replicas, the idempotent producer keeps the order through retries."""

    def __init__(self, bootstrap: str, *, prefix: str, security: Mapping[str, Any] | None = None) -> None:
        self._bootstrap = bootstrap
        self._prefix = prefix
        self._security = dict(security or {})
        self._producer: AIOKafkaProducer | None = None

    async def start(self) -> None:
        """Connect.

        Raises:
            Unavailable: no broker answers.
        """
        producer = AIOKafkaProducer(
            bootstrap_servers=self._bootstrap,
            acks="all",
            enable_idempotence=True,
            linger_ms=0,
            max_request_size=4_194_304,
            request_timeout_ms=15_000,
            **self._security,
        )
        try:
            await producer.start()
        except (KafkaError, OSError) as error:
            await producer.stop()
            raise Unavailable(f"no Kafka broker answers at {self._bootstrap}: {error}") from error
        self._producer = producer

    async def stop(self) -> None:
        """Disconnect; what was not acknowledged is still in the outbox."""
        if self._producer is not None:
            producer, self._producer = self._producer, None
            await producer.stop()

    async def publish(self, outputs: Sequence[Output]) -> None:
        if self._producer is None:
            raise Unavailable("the publisher is not connected to Kafka")
        try:
            sent = [
                await self._producer.send(
                    self._prefix + output.topic,
                    value=output.value,
                    key=output.key,
                    partition=output.partition,
                    headers=list(output.headers),
                )
                for output in outputs
            ]
            results = await asyncio.gather(*sent, return_exceptions=True)
        except (KafkaError, OSError) as error:
            raise Unavailable(f"Kafka did not take {len(outputs)} outputs: {error!r}") from error
        failed = [result for result in results if isinstance(result, BaseException)]
        if failed:
            raise Unavailable(f"Kafka did not take {len(failed)} of {len(outputs)} outputs: {failed[0]!r}")
