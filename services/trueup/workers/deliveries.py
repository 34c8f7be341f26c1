"""Outputs to where they go: records to Kafka, deliveries to their channel."""

from __future__ import annotations

import asyncio
import logging
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import aiohttp

from trueup.channels import webhook
from trueup.channels.config import ChannelsConfig
from trueup.engine.publisher import Publisher
from trueup.errors import InvalidEvent, Unavailable
from trueup.notifier.step import DELIVER
from trueup.step import Output

log = logging.getLogger(__name__)

#: A delivery that failed is tried again after so long, doubled each time up to the longest, and given up at last:
#: one that a receiver can never take must not hold up the others for good.
FIRST_WAIT_SECONDS, LONGEST_WAIT_SECONDS, GIVE_UP_SECONDS = 1.0, 60.0, 3_600.0


@dataclass(slots=True)
class _Trouble:
    """A delivery that did not go out yet."""

    since: float
    tries: int = 0
    again_at: float = 0.0


@dataclass(slots=True)
class DeliveryCounts:
    """What became of deliveries since the worker started."""

    delivered: int = 0
    failed: int = 0
    given_up: int = 0


class DeliveringPublisher:
    """`Publisher` for every worker: Kafka, and for the notifier the channels.

    All deliveries of a call are tried at once, each on its own; those that went out are not sent again when the others
    are, nor are its records. What is given up is logged and counted.
    """

    def __init__(
        self, kafka: Publisher, channels: ChannelsConfig, *, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._kafka = kafka
        self._channels = channels
        self._clock = clock
        self._session: aiohttp.ClientSession | None = None
        self._done: set[bytes] = set()
        self._troubles: dict[bytes, _Trouble] = {}
        #: Records whose deliveries wait, with their offsets, by the key of the first: the journal's, of one partition.
        self._with_kafka: dict[bytes | None, tuple[list[Output], list[int]]] = {}
        self.counts = DeliveryCounts()

    async def start(self) -> None:
        """Be ready to deliver."""
        self._session = aiohttp.ClientSession()

    async def stop(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def publish(self, outputs: Sequence[Output]) -> list[int]:
        records = [output for output in outputs if not output.topic.startswith(DELIVER)]
        deliveries = [output for output in outputs if output.topic.startswith(DELIVER)]
        first = records[0].key if records else None
        sent, offsets = self._with_kafka.get(first, ([], []))
        if sent != records:
            offsets = await self._kafka.publish(records)
        self._with_kafka[first] = records, offsets
        results = await asyncio.gather(*map(self._deliver, deliveries))
        if waiting := results.count(False):
            raise Unavailable(f"{waiting} of {len(deliveries)} deliveries did not go out yet")
        self._with_kafka.pop(first, None)
        self._done.difference_update(_id(output) for output in deliveries)
        known = iter(offsets)
        return [-1 if output.topic.startswith(DELIVER) else next(known) for output in outputs]

    async def _deliver(self, output: Output) -> bool:
        """Try once, where it is time; whether nothing more is to be done about it."""
        name, now = _id(output), self._clock()
        trouble = self._troubles.get(name)
        if name in self._done:
            return True
        if trouble is not None and now < trouble.again_at:
            return False
        try:
            await self._send(output)
        except Unavailable as error:
            return self._failed(name, now, error)
        except InvalidEvent as error:
            self._over(name)
            self.counts.given_up += 1
            log.error("delivery %s is given up: %s", name.decode(), error)
            return True
        self._over(name)
        self.counts.delivered += 1
        return True

    def _failed(self, name: bytes, now: float, error: Unavailable) -> bool:
        trouble = self._troubles.setdefault(name, _Trouble(now))
        self.counts.failed += 1
        if now - trouble.since >= GIVE_UP_SECONDS:
            self._over(name)
            self.counts.given_up += 1
            log.error("delivery %s is given up after %d tries: %s", name.decode(), trouble.tries + 1, error)
            return True
        wait = min(LONGEST_WAIT_SECONDS, FIRST_WAIT_SECONDS * 2**trouble.tries)
        trouble.tries += 1
        trouble.again_at = now + wait
        log.warning("delivery %s is tried again in %.0f s: %s", name.decode(), wait, error)
        return False

    def _over(self, name: bytes) -> None:
        self._troubles.pop(name, None)
        self._done.add(name)

    async def _send(self, output: Output) -> None:
        config = self._channels.webhook
        if config is None or self._session is None or output.topic != DELIVER + "webhook":
            raise InvalidEvent(f"channel {output.topic.removeprefix(DELIVER)} is not configured")
        await webhook.deliver(self._session, config, delivery_id=_id(output).decode(), body=output.value)


def _id(output: Output) -> bytes:
    return output.key or b""
