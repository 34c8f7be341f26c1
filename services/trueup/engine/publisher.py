"""The port to where outputs go, and its Kafka side."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Awaitable, Mapping, Sequence
from dataclasses import replace
from itertools import takewhile
from typing import Any, Protocol

from aiokafka import AIOKafkaProducer
from aiokafka.errors import KafkaError, MessageSizeTooLargeError

from trueup.errors import Unavailable
from trueup.step import Output
from trueup_schemas.dead_letter import HEADER_LEFT_OUT

log = logging.getLogger(__name__)

DEAD_LETTERS = "dead-letters"
JOURNAL = "journal"


class Publisher(Protocol):
    """Sends outputs, in order per topic and partition. Returns once every one of them is safe with the receiver.

    Sending the same outputs again is harmless: whoever reads them tells by their ids.
    """

    async def publish(self, outputs: Sequence[Output]) -> list[int]:
        """Send them all; the offset of each, -1 where it has none. What leads them of the journal goes out first.

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
        self._open = False
        self._connecting = asyncio.Lock()

    async def start(self) -> None:
        """Connect.

        Raises:
            Unavailable: no broker answers.
        """
        await self._connect()
        self._open = True

    async def stop(self) -> None:
        """Disconnect; what was not acknowledged is still in the outbox."""
        self._open = False
        if self._producer is not None:
            await self._disconnect(self._producer)

    async def _connected(self) -> AIOKafkaProducer:
        async with self._connecting:
            if not self._open:
                raise Unavailable("the publisher is not connected to Kafka")
            return self._producer or await self._connect()

    async def _disconnect(self, producer: AIOKafkaProducer) -> None:
        """Let this producer go, unless another has taken its place already."""
        current = self._producer
        if current is not None and current is producer:
            self._producer = None
            # Whoever waits for it may be told to end meanwhile, and it would be left half open.
            await asyncio.shield(current.stop())

    async def _connect(self) -> AIOKafkaProducer:
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
            self._producer = producer
        except (KafkaError, OSError) as error:
            raise Unavailable(f"no Kafka broker answers at {self._bootstrap}: {error}") from error
        finally:
            if self._producer is not producer:
                await producer.stop()
        return producer

    async def publish(self, outputs: Sequence[Output]) -> list[int]:
        # Whoever reads what was said must find in the journal how it came about.
        await self._connected()
        notes = list(takewhile(lambda output: output.topic == JOURNAL, outputs))
        offsets = await self._publish(notes) if notes else []
        return offsets + (await self._publish(outputs[len(notes) :]) if len(outputs) > len(notes) else [])

    async def _publish(self, outputs: Sequence[Output]) -> list[int]:
        producer = await self._connected()
        sent = [await self._send(producer, output) for output in outputs]
        results = await asyncio.gather(*sent, return_exceptions=True)
        failed = [result for result in results if isinstance(result, BaseException)]
        if not failed:
            return [getattr(result, "offset", -1) for result in results]
        # After a batch that the broker refused, the idempotent producer's numbers are out of order: begin anew.
        await self._disconnect(producer)
        large = [at for at, result in enumerate(results) if isinstance(result, MessageSizeTooLargeError)]
        if len(large) == len(failed) and all(outputs[at].topic == DEAD_LETTERS for at in large):
            log.error("%d dead letters are larger than Kafka takes: they are published without their bytes", len(large))
            await self._publish([_without_bytes(outputs[at]) for at in large])
            return [getattr(result, "offset", -1) for result in results]
        raise Unavailable(f"Kafka did not take {len(failed)} of {len(outputs)} outputs: {failed[0]!r}")

    async def _send(self, producer: AIOKafkaProducer, output: Output) -> Awaitable[Any]:
        """Put one output on its way; its fate is in what comes back, a refusal at the door too."""
        try:
            sent: Awaitable[Any] = await producer.send(
                self._prefix + output.topic,
                value=output.value,
                key=output.key,
                partition=output.partition,
                headers=list(output.headers),
            )
        except (KafkaError, OSError, AssertionError) as error:
            # aiokafka asserts that the partition is one of the topic's.
            refused: asyncio.Future[Any] = asyncio.get_running_loop().create_future()
            refused.set_exception(error)
            return refused
        return sent


def _without_bytes(letter: Output) -> Output:
    """A dead letter that no Kafka takes, as one that says so: where the original stands is in its headers."""
    return replace(letter, value=b"", headers=(*letter.headers, (HEADER_LEFT_OUT, str(len(letter.value)).encode())))
