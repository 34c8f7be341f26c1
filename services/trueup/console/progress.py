"""How far the workers are: what they have saved, what their outboxes hold, and where the topics end."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from types import TracebackType
from typing import Any, Self, cast

import orjson
import redis
from kafka import KafkaConsumer, TopicPartition
from kafka.errors import KafkaError
from redis.exceptions import RedisError

from trueup.connections.kafka_login import refuse_bad_login
from trueup.connections.kafka_python import kafka_python_arguments
from trueup.connections.kafka_rights import Right, missing_right, refuse_missing_rights
from trueup.connections.redis import redis_arguments, redis_refusal
from trueup.errors import Unavailable
from trueup.settings import Settings
from trueup.workers.setups import INPUTS, WorkerName


@dataclass(frozen=True, slots=True)
class Saved:
    """One partition of one worker as it was last saved."""

    offsets: Mapping[str, int]
    outbox: int
    views: Mapping[str, Any]


class Progress:
    """Reads the saved state of all workers and the ends of their topics. Context manager.

    Raises:
        Unavailable: from any call, where Redis or Kafka does not answer.
        InvalidSettings: from any call, where one of them does not let us in, or not look.
    """

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._partitions = range(settings.kafka.partitions)
        self._redis = redis.Redis.from_url(
            **redis_arguments(settings.redis), socket_timeout=10, socket_connect_timeout=3
        )
        self._consumer: KafkaConsumer | None = None

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._redis.close()
        if self._consumer is not None:
            self._consumer.close()

    def saved(self, worker: WorkerName, *, views: bool = True) -> dict[int, Saved]:
        """Every partition of a worker, each read in one step, so that offsets and views belong together."""
        base = f"{self._settings.redis.key_prefix}:{worker}"
        found = {}
        try:
            for partition in self._partitions:
                key = f"{{{base}:{partition}}}"
                with self._redis.pipeline(transaction=True) as pipeline:
                    pipeline.hgetall(f"{key}:meta")
                    pipeline.llen(f"{key}:outbox")
                    if views:
                        pipeline.hgetall(f"{key}:views")
                    meta, outbox, *rest = pipeline.execute()
                found[partition] = _saved(meta, outbox, rest[0] if rest else {})
        except (RedisError, OSError) as error:
            refused = redis_refusal(error, self._settings.redis)
            raise refused or Unavailable(f"Redis does not answer at {self._settings.redis.url}: {error}") from error
        return found

    def ends(self, worker: WorkerName) -> dict[str, dict[int, int]]:
        """Topic (without prefix) -> partition -> the offset after its last record, for the inputs of a worker."""
        prefix = self._settings.kafka.topic_prefix
        wanted = [
            TopicPartition(prefix + topic.name, partition) for topic in INPUTS[worker] for partition in self._partitions
        ]
        try:
            ends = cast(Mapping[TopicPartition, int], self._connected().end_offsets(wanted))
        except (KafkaError, OSError, ValueError) as error:
            address, refused = self._settings.kafka.bootstrap, missing_right(error, f"look at topics {prefix}*")
            raise refused or Unavailable(
                f"Kafka does not answer at {address}, or lacks topics {prefix}*: {error!r}"
            ) from error
        found: dict[str, dict[int, int]] = {topic.name: {} for topic in INPUTS[worker]}
        for part, end in ends.items():
            found[part.topic.removeprefix(prefix)][part.partition] = end
        return found

    def lag(self, worker: WorkerName, saved: Mapping[int, Saved]) -> dict[str, int]:
        """Topic -> records that the saved state of this worker does not hold yet."""
        ends = self.ends(worker)
        missing = {
            (topic, partition): end - saved[partition].offsets.get(topic, 0)
            for topic, by_partition in ends.items()
            for partition, end in by_partition.items()
        }
        behind = [place for place, records in missing.items() if records > 0]
        oldest = self._oldest(behind)
        lag = dict.fromkeys(ends, 0)
        for topic, partition in behind:
            # What is not in the topic any more is no work to be done.
            lag[topic] += min(missing[topic, partition], ends[topic][partition] - oldest[topic, partition])
        return lag

    def _oldest(self, places: Sequence[tuple[str, int]]) -> dict[tuple[str, int], int]:
        """(topic, partition) -> the offset of the oldest record that is still there."""
        prefix = self._settings.kafka.topic_prefix
        parts = [TopicPartition(prefix + topic, partition) for topic, partition in places]
        if not parts:
            return {}
        try:
            found = cast(Mapping[TopicPartition, int], self._connected().beginning_offsets(parts))
        except (KafkaError, OSError, ValueError) as error:
            raise Unavailable(f"Kafka does not answer at {self._settings.kafka.bootstrap}: {error!r}") from error
        return {(part.topic.removeprefix(prefix), part.partition): oldest for part, oldest in found.items()}

    def settled(self, *workers: WorkerName) -> bool:
        """Whether each worker in turn holds all of its input, and has published all that followed from it.

        The order matters: name a worker after those whose outputs it reads.
        """
        for worker in workers:
            saved = self.saved(worker, views=False)
            if any(self.lag(worker, saved).values()):
                return False
            if any(part.outbox for part in self.saved(worker, views=False).values()):
                return False
        return True

    def _connected(self) -> KafkaConsumer:
        if self._consumer is None:
            kafka = self._settings.kafka
            refuse_bad_login(kafka.bootstrap, kafka.security)
            read = {topic.name for topics in INPUTS.values() for topic in topics}
            rights: dict[str, list[Right]] = {kafka.topic_prefix + name: ["describe"] for name in sorted(read)}
            refuse_missing_rights(kafka.bootstrap, kafka.security, rights)
            self._consumer = KafkaConsumer(
                bootstrap_servers=kafka.bootstrap.split(","),
                enable_auto_commit=False,
                **kafka_python_arguments(kafka.security),
            )
        return self._consumer


def _saved(meta: Mapping[bytes, bytes], outbox: int, views: Mapping[bytes, bytes]) -> Saved:
    return Saved(
        offsets={name[3:].decode(): int(value) for name, value in meta.items() if name.startswith(b"at:")},
        outbox=outbox,
        views={name.decode(): orjson.loads(value) for name, value in views.items()},
    )
