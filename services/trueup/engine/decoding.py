"""Records to events: what can be used goes to the step, what cannot is a dead letter, each event by itself."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Any, NamedTuple, Protocol

from trueup.engine.partitioner import partition_for
from trueup.engine.records import Chunk, Record
from trueup.step import Arrival
from trueup_schemas.codec import Decoded
from trueup_schemas.dead_letter import DeadLetterReason, Fault

#: Model ids of which it is remembered that they belong here.
ROUTES_KEPT = 10_000


class Decoder(Protocol):
    """Bytes of records to events and faults; never raises."""

    def decode_many(self, values: Iterable[bytes | None]) -> list[dict[str, Any] | Decoded]:
        """One item a record: the event, where it is all that the record holds and well; else whatever it holds."""


@dataclass(frozen=True, slots=True)
class Feed:
    """One input topic: how its records are read, and the field of an event that decides its partition."""

    decoder: Decoder
    routed_by: str = "model_id"


class Rejected(NamedTuple):
    """A record of which something cannot be used, and why."""

    record: Record
    fault: Fault


class Decoding:
    """Decodes the chunks of one partition."""

    def __init__(self, partition: int, partitions: int, feeds: Mapping[str, Feed]) -> None:
        self._partition = partition
        self._partitions = partitions
        self._feeds = feeds
        self._routes: dict[str | None, bool] = {}

    def events(self, chunk: Chunk) -> tuple[list[Arrival], list[Rejected]]:
        """The events of a chunk in order, and what in it is no event or belongs elsewhere."""
        feed, routes = self._feeds[chunk.topic], self._routes
        routed_by, make = feed.routed_by, tuple.__new__
        arrivals: list[Arrival] = []
        rejected: list[Rejected] = []
        decoded_records = feed.decoder.decode_many([record.value for record in chunk.records])
        for record, decoded in zip(chunk.records, decoded_records, strict=True):
            if isinstance(decoded, dict):
                key = decoded.get(routed_by)
                if routes.get(key) or self._belongs_here(key):
                    arrivals.append(make(Arrival, (record.offset, 0, record.timestamp, decoded)))
                else:
                    rejected.append(Rejected(record, self._misrouted(record, routed_by, str(key))))
                continue
            # All events of a record are of one model, so the first one says where they belong.
            key = decoded.events[0][1].get(routed_by) if decoded.events else None
            if not self._belongs_here(key):
                rejected.append(Rejected(record, self._misrouted(record, routed_by, str(key))))
                continue
            rejected.extend(Rejected(record, fault) for fault in decoded.faults)
            offset, timestamp = record.offset, record.timestamp
            arrivals += [make(Arrival, (offset, index, timestamp, event)) for index, event in decoded.events]
        return arrivals, rejected

    def _belongs_here(self, key: str | None) -> bool:
        if key is None:
            return True
        belongs = self._routes.get(key)
        if belongs is None:
            if len(self._routes) >= ROUTES_KEPT:
                self._routes.clear()
            belongs = partition_for(key.encode(), self._partitions) == self._partition
            self._routes[key] = belongs
        return belongs

    def _misrouted(self, record: Record, routed_by: str, key: str) -> Fault:
        right = partition_for(key.encode(), self._partitions)
        detail = (
            f"{routed_by} {key!r} belongs on partition {right}, not {self._partition}: key the record by {routed_by} "
            "and use the murmur2 partitioner (librdkafka: partitioner=murmur2_random)"
        )
        return Fault(DeadLetterReason.MISROUTED, detail, record.value or b"")
