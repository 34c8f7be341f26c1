"""A trigger's offset ranges become examples: exactly these records, these outcomes, their last truth."""

import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime

import pytest
from kafka import TopicPartition
from kafka.consumer.fetcher import ConsumerRecord

from flights.models import CannotTrain, Example
from flights.training_data import Dataset, Record, examples, read_ranges

FROM, TO = datetime(2013, 2, 1, tzinfo=UTC), datetime(2013, 3, 1, tzinfo=UTC)
DATASET = Dataset({}, FROM, TO)
INSIDE, BEFORE, AT_THE_END = 1_360_000_000, 1_359_676_799, 1_362_096_000


def prediction(prediction_id: str, model_id: str = "m", x: int = 1) -> dict[str, object]:
    return {
        "prediction_id": prediction_id,
        "model_id": model_id,
        "model_version": "v1",
        "prediction": 7.0,
        "predicted_at": BEFORE,
        "features": {"x": x},
    }


def feedback(
    prediction_id: str, actual: object, observed_at: object = INSIDE, model_id: str = "m"
) -> dict[str, object]:
    return {"prediction_id": prediction_id, "model_id": model_id, "actual": actual, "observed_at": observed_at}


def records(topic: str, *values: object) -> list[Record]:
    return [Record(f"trueup.{topic}", INSIDE * 1_000, json.dumps(value).encode()) for value in values]


@pytest.mark.parametrize(
    ("predictions", "truths", "expected"),
    [
        pytest.param([prediction("a")], [feedback("a", 8)], {"a": 8.0}, id="single records"),
        pytest.param(
            [[prediction("a"), prediction("b")]],
            [[feedback("b", 9.5), feedback("a", 8)]],
            {"a": 8.0, "b": 9.5},
            id="batched records",
        ),
        pytest.param([prediction("a")], [feedback("a", 8), feedback("a", 9)], {"a": 9.0}, id="the last truth counts"),
        pytest.param([prediction("a"), prediction("b")], [feedback("b", 1)], {"b": 1.0}, id="no truth, no example"),
        pytest.param([prediction("a")], [feedback("a", 1), feedback("z", 1)], {"a": 1.0}, id="truth of no prediction"),
        pytest.param(
            [prediction("a", model_id="other")], [feedback("a", 1, model_id="other")], {}, id="another model's"
        ),
        pytest.param([prediction("a", model_id="other")], [feedback("a", 1)], {}, id="the same id, another model"),
        pytest.param([prediction("a")], [feedback("a", 1, BEFORE)], {}, id="observed before"),
        pytest.param([prediction("a")], [feedback("a", 1, AT_THE_END)], {}, id="the end is excluded"),
        pytest.param([prediction("a")], [feedback("a", 1, FROM.timestamp())], {"a": 1.0}, id="the start is included"),
        pytest.param(
            [prediction("a")], [feedback("a", 1), feedback("a", 2, AT_THE_END)], {"a": 2.0}, id="corrected later"
        ),
        pytest.param([prediction("a")], [feedback("a", 1, "2013-02-05T00:00:00Z")], {"a": 1.0}, id="an RFC 3339 time"),
        pytest.param([prediction("a")], [feedback("a", 1, "yesterday")], {}, id="no time"),
        pytest.param([prediction("a")], [feedback("a", 1, None)], {"a": 1.0}, id="the record's time"),
        pytest.param([["?", 3, prediction("a")]], [feedback("a", 1), "?"], {"a": 1.0}, id="what is no event"),
    ],
)
def test_predictions_meet_their_truth(
    predictions: Sequence[object], truths: Sequence[object], expected: Mapping[str, float]
) -> None:
    read = records("predictions", *predictions) + records("feedback", *truths)
    assert {each.prediction_id: each.actual for each in examples(DATASET, "m", read)} == expected


def test_of_two_answers_to_one_question_the_first_counts() -> None:
    read = records("predictions", prediction("a", x=1), prediction("a", x=2)) + records("feedback", feedback("a", 1))
    assert examples(DATASET, "m", read) == [Example("a", {"x": 1}, 1.0)]


@pytest.mark.parametrize("value", [b"{", b"\xff", b"NaN", None], ids=["no JSON", "no UTF-8", "NaN", "no value"])
def test_what_cannot_be_read_is_passed_over(value: bytes | None) -> None:
    read = [Record("trueup.predictions", 0, value), *records("predictions", prediction("a"))]
    assert len(examples(DATASET, "m", read + records("feedback", feedback("a", 1)))) == 1


@pytest.mark.parametrize(
    "dataset",
    [
        pytest.param(None, id="no data set"),
        pytest.param({"topics": {}, "from_time": "2013-02-01T00:00:00Z"}, id="no end"),
        pytest.param({"topics": {}, "from_time": "soon", "to_time": "later"}, id="no times"),
    ],
)
def test_a_trigger_without_a_usable_data_set_is_refused(dataset: Mapping[str, object] | None) -> None:
    with pytest.raises(CannotTrain, match="no usable data set"):
        Dataset.of(dataset)


def test_a_data_set_is_read_as_triggers_carry_it() -> None:
    carried = {"topics": {"t": {"0": [1, 2]}}, "from_time": "2013-02-01T00:00:00Z", "to_time": TO.timestamp()}
    assert Dataset.of(carried) == Dataset({"t": {"0": [1, 2]}}, FROM, TO)


class Log:
    """The part of a KafkaConsumer that is used, over logs in memory; `poll` gives two records of one partition."""

    def __init__(
        self, logs: Mapping[TopicPartition, Sequence[int]], next_offsets: Mapping[TopicPartition, int]
    ) -> None:
        self._logs, self._next = logs, next_offsets
        self._positions: dict[TopicPartition, int] = {}
        self._paused: set[TopicPartition] = set()

    def assign(self, parts: Iterable[TopicPartition]) -> None:
        self._positions = dict.fromkeys(parts, -1)

    def beginning_offsets(self, parts: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {part: self._logs[part][0] for part in parts}

    def end_offsets(self, parts: Iterable[TopicPartition]) -> dict[TopicPartition, int]:
        return {part: self._next[part] for part in parts}

    def seek(self, part: TopicPartition, offset: int) -> None:
        self._positions[part] = offset

    def position(self, part: TopicPartition) -> int:
        return self._positions[part]

    def pause(self, part: TopicPartition) -> None:
        self._paused.add(part)

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        assert timeout_ms > 0, "a poll that does not wait would spin"
        for part, position in self._positions.items():
            left = [offset for offset in self._logs[part] if offset >= position]
            if part not in self._paused and left:
                self._positions[part] = left[2] if len(left) > 2 else self._next[part]
                return {part: [record(part, offset) for offset in left[:2]]}
        return {}


def record(part: TopicPartition, offset: int) -> ConsumerRecord:
    empty = dict.fromkeys(ConsumerRecord._fields)
    value = f"{part.partition}:{offset}".encode()
    return ConsumerRecord(**{**empty, "topic": part.topic, "offset": offset, "timestamp": 0, "value": value})


P0, P1 = TopicPartition("t", 0), TopicPartition("t", 1)


def test_exactly_the_named_offsets_are_read() -> None:
    """Partition 0 from 3 to 6; partition 1 has a gap where the range ends; the third is empty."""
    log = Log({P0: range(10), P1: [0, 1, 5]}, {P0: 10, P1: 6})
    read = read_ranges({"t": {"0": [3, 6], 1: [1, 4], "2": [7, 7]}}, log)
    assert sorted(each.value or b"" for each in read) == [b"0:3", b"0:4", b"0:5", b"1:1"]


def test_no_range_is_read_without_asking_the_broker() -> None:
    assert list(read_ranges({"t": {"0": [4, 4]}}, Log({}, {}))) == []


@pytest.mark.parametrize("asked", [[1, 5], [3, 11]], ids=["no longer there", "not yet there"])
def test_a_part_of_a_range_is_not_enough(asked: list[int]) -> None:
    log = Log({P0: range(2, 10)}, {P0: 10})
    with pytest.raises(CannotTrain, match="the topic holds 2 to 10"):
        list(read_ranges({"t": {"0": asked}}, log))


class Stalled(Log):
    """A broker that knows its offsets and delivers nothing."""

    def poll(self, timeout_ms: int) -> dict[TopicPartition, list[ConsumerRecord]]:
        assert timeout_ms > 0
        return {}


def test_a_broker_that_falls_silent_ends_the_reading() -> None:
    with pytest.raises(CannotTrain, match="gave no record"):
        list(read_ranges({"t": {"0": [0, 5]}}, Stalled({P0: [0, 1]}, {P0: 5})))
