"""Outputs to where they go: records to Kafka, deliveries to their channel."""

from __future__ import annotations

import asyncio
import logging
from collections.abc import Sequence

import aiohttp

from trueup.channels import webhook
from trueup.channels.config import ChannelsConfig
from trueup.engine.publisher import KafkaPublisher
from trueup.errors import InvalidEvent, Unavailable
from trueup.notifier.step import DELIVER
from trueup.step import Output

log = logging.getLogger(__name__)

#: Waits between tries of one delivery; after the last one the lane is let go and begins again from its outbox.
WAITS_SECONDS = (0.5, 1.0, 2.0, 4.0, 8.0)


class DeliveringPublisher:
    """`Publisher` for every worker: Kafka, and for the notifier the channels."""

    def __init__(self, kafka: KafkaPublisher, channels: ChannelsConfig) -> None:
        self._kafka = kafka
        self._channels = channels
        self._session: aiohttp.ClientSession | None = None

    async def start(self) -> None:
        """Connect to Kafka.

        Raises:
            Unavailable: no broker answers.
        """
        await self._kafka.start()
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Disconnect."""
        await self._kafka.stop()
        if self._session is not None:
            await self._session.close()

    async def publish(self, outputs: Sequence[Output]) -> None:
        records = [output for output in outputs if not output.topic.startswith(DELIVER)]
        await self._kafka.publish(records)
        for output in outputs:
            if output.topic.startswith(DELIVER):
                await self._deliver(output)

    async def _deliver(self, output: Output) -> None:
        """Try until it is delivered, or until the receiver says that it never will be."""
        for wait in WAITS_SECONDS:
            try:
                await self._send(output)
            except Unavailable as error:
                log.warning("delivery %s waits %s s: %s", output.key, wait, error)
                await asyncio.sleep(wait)
            except InvalidEvent as error:
                log.error("delivery %s is given up: %s", output.key, error)
                return
            else:
                return
        raise Unavailable(f"delivery {output.key!r} did not go out")

    async def _send(self, output: Output) -> None:
        config = self._channels.webhook
        if config is None or self._session is None or output.topic != DELIVER + "webhook":
            raise InvalidEvent(f"channel {output.topic} is not configured")
        delivery_id = (output.key or b"").decode()
        await webhook.deliver(self._session, config, delivery_id=delivery_id, body=output.value)
