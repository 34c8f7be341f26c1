"""One worker as a Faust app: the loop, the checkpoint in Redis, the publisher, and what keeps it alive or ends it."""

from __future__ import annotations

import asyncio
import logging
import os
import tempfile
from collections.abc import Awaitable, Callable, Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any, cast

import redis.asyncio

from trueup.connections.aiokafka import aiokafka_arguments, faust_credentials
from trueup.connections.redis import redis_arguments
from trueup.engine import batches, failpoints
from trueup.engine.clock import SteadyClock
from trueup.engine.kafka_history import KafkaHistory
from trueup.engine.loop import Loop, LoopSettings
from trueup.engine.publisher import KafkaPublisher
from trueup.engine.redis_checkpoint import RedisCheckpoint
from trueup.errors import InvalidSettings
from trueup.settings import Settings
from trueup.workers.deliveries import GIVE_UP_SECONDS, DeliveringPublisher
from trueup.workers.metrics import serve_metrics
from trueup.workers.reading import OtherConsumer, ReadingWatch
from trueup.workers.setups import FETCH_BYTES, INPUTS, WorkerName, lane_setup

log = logging.getLogger(__name__)

#: Kafka is told how far the saved state is at most this often.
COMMIT_SECONDS = 1.0
#: The others of the group wait so long for one that is busy with a seek: thrown out, it would make them begin again.
REBALANCE_SECONDS = 60.0
#: Whether this worker still reads is looked at this often.
LOOK_SECONDS = 10.0


class Service:
    """Everything that one worker is made of. `app` is what Faust runs."""

    def __init__(self, worker: WorkerName, settings: Settings, fatal: Callable[[BaseException], None]) -> None:
        """`fatal` is called with whatever ends the worker, from its event loop."""
        self._fatal = fatal
        self.settings = settings
        self._prefix = settings.kafka.topic_prefix
        self._positions: dict[int, Mapping[str, int]] = {}
        self._held: list[int] | None = None
        security = aiokafka_arguments(settings.kafka.security)
        self.kafka = KafkaPublisher(settings.kafka.bootstrap, prefix=self._prefix, security=security)
        self.publisher = DeliveringPublisher(self.kafka, settings.channels)
        self.history = KafkaHistory(settings.kafka.bootstrap, prefix=self._prefix, security=security)
        points = failpoints.from_environment()
        self.redis = redis.asyncio.Redis.from_url(
            **redis_arguments(settings.redis), socket_timeout=10, socket_connect_timeout=5
        )
        self.loop = Loop(
            setup=lane_setup(worker, settings),
            checkpoint=RedisCheckpoint(self.redis, worker=worker, prefix=settings.redis.key_prefix, points=points),
            publisher=self.publisher,
            commit=self._remember,
            history=self.history,
            wall_clock=SteadyClock(),
            points=points,
            settings=_pace(worker, settings),
        )
        self._other = OtherConsumer(settings.kafka.bootstrap, prefix=self._prefix, security=security)
        self._reading = ReadingWatch(self.loop, self._other, topics=[topic.name for topic in INPUTS[worker]])
        self.app = self._app(worker)

    def _app(self, worker: WorkerName) -> batches.App:
        batches.register()
        kafka = self.settings.kafka
        app = batches.App(
            f"{kafka.group_prefix}-{worker}",
            broker=[f"{batches.SCHEME}://{host}" for host in kafka.bootstrap.split(",")],
            broker_credentials=faust_credentials(kafka.security),
            store="memory://",
            datadir=Path(tempfile.gettempdir()) / f"trueup-faust-{os.getpid()}",
            web_enabled=False,
            topic_disable_leader=True,
            topic_allow_declare=False,
            topic_partitions=kafka.partitions,
            topic_replication_factor=kafka.replication,
            consumer_auto_offset_reset="earliest",
            broker_session_timeout=kafka.session_timeout_seconds,
            broker_heartbeat_interval=kafka.heartbeat_seconds,
            broker_rebalance_timeout=REBALANCE_SECONDS,
            broker_request_timeout=max(20.0, kafka.session_timeout_seconds * 2),
            broker_max_poll_records=5_000,
            stream_buffer_maxsize=16,
            stream_wait_empty=False,
        )
        app.trueup_loop, app.trueup_prefix = self.loop, self._prefix
        app.trueup_fetch_bytes = FETCH_BYTES[worker]
        app.trueup_connect, app.trueup_disconnect = self.start, self.stop
        names = [self._prefix + topic.name for topic in INPUTS[worker]]
        app.agent(app.topic(*names, schema=batches.ChunkSchema(), acks=False), name="read")(self._read)
        return app

    # -- tasks ------------------------------------------------------------------------------------------------------

    async def start(self) -> None:
        """Connect what has to be there before the first partition is claimed."""
        await self.kafka.start()
        await self.publisher.start()
        try:
            serve_metrics(self.settings.metrics, self.loop, self.publisher.counts)
        except OSError as error:
            raise InvalidSettings(f"metrics cannot be served at {self.settings.metrics}: {error}") from error
        # Not as tasks of Faust: those begin once the first partitions were claimed, which may never be.
        for task in (self._run, self._reclaim, self._commit_positions, self._watch_reading):
            self.app.add_future(self._vital(task))

    async def let_go(self) -> None:
        """Take nothing more, and save what was taken; returns when nothing is left to save, or cannot be saved."""
        if self.app.consumer is not None and self._consumer.started:
            self._consumer.stop_flow()
        await self.loop.revoke()
        await self._tell_positions()

    async def stop(self) -> None:
        """Disconnect."""
        await self.publisher.stop()
        await self.kafka.stop()
        await self.history.stop()
        await self._other.stop()
        await self.redis.aclose()

    async def _vital(self, task: Callable[[], Awaitable[None]]) -> None:
        """A task without which the worker is not whole. Faust would let it go in silence where it is cancelled."""
        try:
            await task()
            if not self.app.should_stop:
                raise RuntimeError(f"{task.__name__} ended by itself")
        except BaseException as error:  # Whatever it is, the worker ends, and says it.
            if not self.app.should_stop:
                self._fatal(error)

    async def _read(self, stream: Any) -> None:
        """Faust starts this anew where it raises, and what was on its way would be lost to the lane."""
        try:
            async for chunk in stream:
                await self.loop.offer(chunk)
        except Exception as error:
            self._fatal(error)
            raise

    async def _run(self) -> None:
        await self.loop.run(lambda: self.app.should_stop)

    async def _reclaim(self) -> None:
        """A partition was let go: claim anew, after the group had time to tell that it belongs to another."""
        while not self.app.should_stop:
            await self.loop.lost.wait()
            await asyncio.sleep(self.loop.settings.reclaim_seconds)
            consumer = self._consumer
            if self.loop.lost.is_set() and consumer.flow_active and consumer.assignment():
                await consumer.seek_lost()

    async def _watch_reading(self) -> None:
        every = min(LOOK_SECONDS, self.loop.settings.stuck_seconds / 8)
        while not self.app.should_stop:
            await asyncio.sleep(every)
            if self._consumer.started:
                await self._reading.look(self._consumer)

    @property
    def _consumer(self) -> batches.ChunkConsumer:
        return cast(batches.ChunkConsumer, self.app.consumer)

    async def _remember(self, partition: int, offsets: Mapping[str, int]) -> None:
        self._positions[partition] = offsets

    async def _commit_positions(self) -> None:
        while not self.app.should_stop:
            await asyncio.sleep(COMMIT_SECONDS)
            await self._tell_positions()
            self._log_partitions()

    def _log_partitions(self) -> None:
        held = sorted(self.loop.lanes)
        if held != self._held:
            self._held = held
            log.info("holds %s", f"partitions {held}" if held else "no partition")

    async def _tell_positions(self) -> None:
        positions, self._positions = self._positions, {}
        for partition, offsets in positions.items():
            if not await self._consumer.commit_positions(partition, offsets):
                self._positions.setdefault(partition, offsets)


def _pace(worker: WorkerName, settings: Settings) -> LoopSettings:
    """How the worker's loop paces itself. A receiver that is down is no reason to end the notifier."""
    engine = settings.engine
    pace = LoopSettings(save_interval_seconds=engine.save_interval_seconds, stuck_seconds=engine.stuck_seconds)
    return replace(pace, stuck_seconds=4 * GIVE_UP_SECONDS) if worker == "notifier" else pace
