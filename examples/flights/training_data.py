"""The data a retrain trigger names, read back from the topics: offset ranges in, examples out.

ranges of offsets -> records -> events -> the model's predictions of that time, each with its last feedback
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, NamedTuple

import orjson
from kafka import KafkaConsumer, TopicPartition

from flights.models import CannotTrain, Example

Ranges = Mapping[str, Mapping[str | int, Sequence[int]]]
"""For each topic and partition: the first offset, and the one after the last."""

POLL_MS = 1_000
PATIENCE_POLLS = 30


class Record(NamedTuple):
    """One record of a topic: `timestamp_ms` since 1970, and a value that holds one JSON object or an array of them."""

    topic: str
    timestamp_ms: int
    value: bytes | None


@dataclass(frozen=True)
class Dataset:
    """A trigger's data set: where to read, and which predictions to take.

    Those whose truth was first observed in `from_time` <= observed_at < `to_time`.
    """

    topics: Ranges
    from_time: datetime
    to_time: datetime
    labelled: int | None = None

    @classmethod
    def of(cls, dataset: Mapping[str, Any] | None) -> "Dataset":
        """Read what a trigger carries; times in RFC 3339 or in seconds since 1970.

        Raises:
            CannotTrain: the trigger names no data, or not in this form.
        """
        try:
            given = dataset or {}
            begin, end = (datetime.fromtimestamp(epoch_s(given[key]), UTC) for key in ("from_time", "to_time"))
            return cls(given["topics"], begin, end, given.get("labelled"))
        except (KeyError, ValueError) as error:
            raise CannotTrain(f"the trigger names no usable data set: {error!r}") from error


def examples(dataset: Dataset, model_id: str, records: Iterable[Record]) -> list[Example]:
    """Join the model's predictions with their truth; predictions without truth, or without features, are no example.

    Of several predictions with one id (another version's answer to the same question) the first counts, of several
    feedbacks the last. Whatever is not an event is passed over: the monitor has made a dead letter of it.
    """
    features: dict[str, Mapping[str, Any]] = {}
    actual: dict[str, float] = {}
    first_observed: dict[str, float] = {}
    from_s, to_s = dataset.from_time.timestamp(), dataset.to_time.timestamp()
    for record in records:
        kind = record.topic.rpartition(".")[2]
        for event in _events(record):
            prediction_id = event.get("prediction_id")
            if event.get("model_id") != model_id or not isinstance(prediction_id, str):
                continue
            if kind == "feedback" and isinstance(event.get("actual"), int | float):
                actual[prediction_id] = float(event["actual"])
                observed_at = event.get("observed_at")
                at = record.timestamp_ms / 1000 if observed_at is None else epoch_s(observed_at)
                first_observed.setdefault(prediction_id, at)
            elif kind == "predictions" and isinstance(event.get("features"), dict):
                features.setdefault(prediction_id, event["features"])
    chosen = [each for each, at in first_observed.items() if each in features and from_s <= at < to_s]
    return [Example(each, features[each], actual[each]) for each in chosen]


def read_ranges(ranges: Ranges, consumer: KafkaConsumer) -> Iterator[Record]:
    """Read exactly these ranges of offsets, in the order of each partition, and no further.

    Takes over the assignment of `consumer`, which must have no group. Blocks while the broker has something to give.

    Raises:
        CannotTrain: a part of a range is no longer, or not yet, in the topic, or the broker fell silent for 30 s.
    """
    until = {TopicPartition(topic, int(p)): end for topic, parts in ranges.items() for p, (_, end) in parts.items()}
    start = {TopicPartition(topic, int(p)): begin for topic, parts in ranges.items() for p, (begin, _) in parts.items()}
    open_parts = {part for part in until if start[part] < until[part]}
    consumer.assign(list(open_parts))
    _check_ranges(consumer, start, until, open_parts)
    for part in open_parts:
        consumer.seek(part, start[part])
    silent = 0
    while open_parts:
        batches = consumer.poll(timeout_ms=POLL_MS)
        silent = 0 if batches else silent + 1
        if silent > PATIENCE_POLLS:
            raise CannotTrain(f"the broker gave no record of {sorted(open_parts)} for {PATIENCE_POLLS} s")
        for part, batch in batches.items():
            yield from (Record(r.topic, r.timestamp, r.value) for r in batch if r.offset < until[part])
        # The position, not the last record seen: offsets may have gaps, also at the end of a range.
        for part in [part for part in open_parts if consumer.position(part) >= until[part]]:
            open_parts.remove(part)
            consumer.pause(part)


def _check_ranges(
    consumer: KafkaConsumer,
    start: Mapping[TopicPartition, int],
    until: Mapping[TopicPartition, int],
    parts: Iterable[TopicPartition],
) -> None:
    """Refuse to train on a part of what was asked for."""
    parts = list(parts)
    if not parts:
        return
    first, end = consumer.beginning_offsets(parts), consumer.end_offsets(parts)
    for part in parts:
        if first[part] > start[part] or end[part] < until[part]:
            raise CannotTrain(
                f"{part.topic}, partition {part.partition}: the trigger names offsets {start[part]} to {until[part]}, "
                f"the topic holds {first[part]} to {end[part]}"
            )


def _events(record: Record) -> Iterator[Mapping[str, Any]]:
    """The JSON objects of a record, none where there is no JSON."""
    if record.value is None:
        return
    try:
        content = orjson.loads(record.value)
    except orjson.JSONDecodeError:
        return
    yield from (event for event in (content if isinstance(content, list) else [content]) if isinstance(event, dict))


def epoch_s(moment: object) -> float:
    """A moment in seconds since 1970, from a datetime, an RFC 3339 text or a number of seconds; NaN for others."""
    if isinstance(moment, str):
        try:
            moment = datetime.fromisoformat(moment)
        except ValueError:
            return float("nan")
    if isinstance(moment, datetime):
        return moment.timestamp()
    return float(moment) if isinstance(moment, int | float) else float("nan")
