"""Events are told in the order of time, each once, on the partition of its model."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from trueup.datasets import source
from trueup.datasets.source import Told, in_slices
from trueup.engine.partitioner import partition_for


class Listed:
    """Events at given times, of models in turn, each its own number."""

    def __init__(self, times: Sequence[float]) -> None:
        self.times = np.array(sorted(times), dtype=np.float64)

    def told(self, first: int, end: int) -> list[Told]:
        return [Told(f"m{number % 3}", str(number).encode()) for number in range(first, end)]


times = st.lists(st.floats(0, 1_000), max_size=40)


@given(predictions=times, feedback=times, seconds=st.floats(1, 500), partitions=st.integers(1, 4))
def test_every_event_is_told_once_in_order_where_its_model_is(
    predictions: list[float], feedback: list[float], seconds: float, partitions: int
) -> None:
    streams = {"predictions": Listed(predictions), "feedback": Listed(feedback)}
    chunks = list(in_slices(streams, seconds, partitions))
    for topic, stream in streams.items():
        own = [chunk for chunk in chunks if chunk.topic == topic]
        numbers = [int(record.value or b"") for chunk in own for record in chunk.records]
        assert sorted(numbers) == list(range(len(stream.times)))
        for partition in range(partitions):
            records = [record for chunk in own if chunk.partition == partition for record in chunk.records]
            assert [record.offset for record in records] == list(range(len(records)))
            assert [record.timestamp for record in records] == sorted(record.timestamp for record in records)
            assert {partition_for(record.key or b"", partitions) for record in records} <= {partition}
    for partition in range(partitions):
        of_slices = [
            (record.timestamp // seconds, chunk.topic == "feedback")
            for chunk in chunks
            if chunk.partition == partition
            for record in chunk.records
        ]
        assert of_slices == sorted(of_slices)


def test_a_slice_with_much_in_it_is_told_in_parts() -> None:
    stream = Listed([1.0] * (2 * source.MOST_RECORDS + 1))
    sizes = [len(chunk.records) for chunk in in_slices({"predictions": stream}, 60.0, 1)]
    assert sizes == [source.MOST_RECORDS, source.MOST_RECORDS, 1]


def test_nothing_is_told_of_nothing() -> None:
    assert list(in_slices({"predictions": Listed([]), "feedback": Listed([])}, 60.0, 1)) == []
