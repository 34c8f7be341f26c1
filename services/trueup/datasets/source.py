"""Where the events of a history come from, and the order in which they are told: slice by slice of event time.

    slice 1                             slice 2
    deployments, predictions, feedback  deployments, predictions, feedback  ...

Within a slice all predictions are told before all truths, as a worker that reads whole chunks is told them: what a
slice is too short for cannot be seen in the result, and the step is given enough at a time to be fast.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from typing import NamedTuple, Protocol

import numpy as np
import numpy.typing as npt

from trueup.engine.partitioner import partition_for
from trueup.engine.records import Chunk, Record

Times = npt.NDArray[np.float64]

#: Records of one topic that are given to a step at once.
MOST_RECORDS = 5_000


class Told(NamedTuple):
    """One event as an app would have sent it: the key, and the bytes of the record."""

    model_id: str
    value: bytes


class Stream(Protocol):
    """The events of one topic in the order of time."""

    @property
    def times(self) -> Times:
        """When each happened, in seconds since 1970, never earlier than the one before it."""

    def told(self, first: int, end: int) -> list[Told]:
        """The events `[first, end)`, made anew at each call."""


class Source(Protocol):
    """A history."""

    #: What could not even be dated, or read: why, and how often.
    refused: Mapping[str, int]

    def chunks(self, partitions: int) -> Iterator[Chunk]:
        """All of it in order, each record on the partition on which its model is."""


@dataclass(slots=True)
class _Offsets:
    """The next offset of each topic and partition."""

    at: dict[tuple[str, int], int] = field(default_factory=dict)

    def chunk(self, topic: str, partition: int, told: list[tuple[float, Told]]) -> Chunk:
        first = self.at.get((topic, partition), 0)
        self.at[topic, partition] = first + len(told)
        records = [
            Record(first + index, at, event.model_id.encode(), event.value) for index, (at, event) in enumerate(told)
        ]
        return Chunk(topic, partition, records)


def in_slices(streams: Mapping[str, Stream], slice_seconds: float, partitions: int) -> Iterator[Chunk]:
    """The events of these topics, slice by slice, within one in the order of the topics; no chunk is empty."""
    offsets, routes = _Offsets(), dict[str, int]()
    slices = {topic: (stream.times // slice_seconds).astype(np.int64) for topic, stream in streams.items()}
    for number in np.unique(np.concatenate([*slices.values(), np.empty(0, np.int64)])):
        for topic, stream in streams.items():
            first, end = (int(np.searchsorted(slices[topic], number, side)) for side in ("left", "right"))
            for start in range(first, end, MOST_RECORDS):
                until = min(start + MOST_RECORDS, end)
                dated = zip(stream.times[start:until].tolist(), stream.told(start, until), strict=True)
                by_partition: dict[int, list[tuple[float, Told]]] = {}
                for at, event in dated:
                    partition = routes.get(event.model_id)
                    if partition is None:
                        partition = routes[event.model_id] = partition_for(event.model_id.encode(), partitions)
                    by_partition.setdefault(partition, []).append((at, event))
                for partition in sorted(by_partition):
                    yield offsets.chunk(topic, partition, by_partition[partition])
