"""What holds for any bytes and any JSON."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup_schemas.codec import Codec, Decoded, encode, encode_batch
from trueup_schemas.topics import PREDICTIONS, TOPICS, Topic

CODECS = [Codec(topic) for topic in TOPICS.values() if topic.value is not None]
CODEC = Codec(PREDICTIONS)
FIELDS = list(PREDICTIONS.value.__annotations__)

scalars = st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8)
json_values = st.recursive(
    scalars,
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.sampled_from(FIELDS) | st.text(), inner, max_size=6),
    max_leaves=20,
)
texts = st.text(st.characters(codec="utf-8"), min_size=1, max_size=20)
labels = (
    st.text(st.characters(codec="utf-8"), max_size=20)
    | st.booleans()
    | st.integers(-(2**63), 2**63 - 1)
    | st.floats(allow_nan=False, allow_infinity=False)
)
predictions = st.fixed_dictionaries(
    {"prediction_id": texts, "model_id": st.just("m"), "model_version": texts, "prediction": labels},
    optional={
        "predicted_at": st.floats(0, 253_402_300_799),
        "probability": st.floats(0, 1) | st.dictionaries(texts, st.floats(0, 1), max_size=3),
        "features": st.dictionaries(texts, labels | st.none(), max_size=4),
        "segment": st.dictionaries(texts, texts, max_size=3),
        "latency_ms": st.floats(0, 1e12),
    },
)


def check(decoded: Decoded, value: bytes) -> None:
    """Every event and every fault of a record has its place, and every fault its own bytes."""
    places = [index for index, _ in decoded.events] + [fault.index for fault in decoded.faults]
    assert len(places) == len(set(places))
    for fault in decoded.faults:
        assert fault.detail
        assert fault.value == value if fault.index is None else fault.value in value


@settings(deadline=None, max_examples=300)
@given(st.binary(max_size=200) | st.text(alphabet='{}[]",:\\u0123eE+-.tfn \n', max_size=60).map(str.encode))
def test_no_bytes_make_a_codec_raise(value: bytes) -> None:
    for codec in CODECS:
        check(codec.decode(value), value)


@settings(deadline=None, max_examples=300)
@given(json_values)
def test_no_json_makes_a_codec_raise(value: object) -> None:
    data = json.dumps(value).encode()
    for codec in CODECS:
        check(codec.decode(data), data)


@settings(deadline=None, max_examples=200)
@given(predictions, st.data())
def test_no_change_of_one_byte_makes_a_codec_raise(event: dict[str, Any], data: st.DataObject) -> None:
    good = encode(PREDICTIONS, event)
    value = bytearray(b"[" + good + b"," + good + b"]")
    value[data.draw(st.integers(0, len(value) - 1))] = data.draw(st.integers(0, 255))
    check(CODEC.decode(bytes(value)), bytes(value))


records = st.one_of(
    predictions.map(lambda event: encode(PREDICTIONS, event)),
    st.binary(max_size=40),
    st.none(),
    json_values.map(lambda value: json.dumps(value).encode()),
    st.lists(predictions, max_size=3).map(lambda events: encode_batch(PREDICTIONS, events)),
    st.sampled_from(
        [
            b'{"prediction_id":"p","model_id":"m","model_version":"v","prediction":1,"prediction":2}',
            b'{"prediction_id":"p","model_id":"m","model_version":"v","x":{"a":1},"prediction":1}',
            b' {"prediction_id":"p","model_id":"m","model_version":"v","prediction":1}',
            b'{"prediction_id":"p","model_id":"m","model_version":"v"}',
            b'{"prediction_id":"p","model_id":"m","model_version":"v","error":"' + b"x" * 400 + b'"}',
        ]
    ),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(records, max_size=6))
def test_many_records_at_once_read_as_one_by_one(values: list[bytes | None]) -> None:
    for codec in (*CODECS, Codec(PREDICTIONS, max_record_bytes=300)):
        many = codec.decode_many(values)
        assert [found if isinstance(found, Decoded) else Decoded([(0, found)], []) for found in many] == [
            codec.decode(value) for value in values
        ]


#: An element that leaves the brackets and quotes of the batch in order, whatever else is wrong with it.
wrong = st.one_of(
    json_values.map(lambda value: json.dumps(value).encode()),
    st.binary(min_size=1, max_size=30).map(lambda raw: b'"' + raw.translate(None, b'"\\') + b'"'),
    st.integers(1, 400).map(lambda depth: b'{"a":' * depth + b"1" + b"}" * depth),
    st.sampled_from([rb'{"error":"\ud800"}', b"NaN", b"1e400", b"tru", b'{"a" 1}', b'{"model_id":"m","model_id":"m"}']),
)


@settings(deadline=None, max_examples=300)
@given(st.lists(predictions, min_size=1, max_size=3), wrong, st.lists(predictions, max_size=3), st.data())
def test_neighbours_survive_and_a_fault_keeps_its_exact_bytes(
    before: list[dict[str, Any]], bad: bytes, after: list[dict[str, Any]], data: st.DataObject
) -> None:
    space = data.draw(st.sampled_from([b"", b" ", b"\n\t"]))
    elements = (
        [encode(PREDICTIONS, event) for event in before] + [bad] + [encode(PREDICTIONS, event) for event in after]
    )
    value = space + b"[" + (space + b"," + space).join(elements) + space + b"]" + space
    decoded = CODEC.decode(value)
    alone = CODEC.decode(bad if bad[:1] != b"[" else b"1")
    if not alone.faults:
        return
    assert [index for index, _ in decoded.events] == [i for i in range(len(elements)) if i != len(before)]
    assert [event for _, event in decoded.events] == before + after
    (fault,) = decoded.faults
    assert (fault.index, fault.value, fault.reason) == (len(before), bad, alone.faults[0].reason)


@settings(deadline=None, max_examples=200)
@given(st.lists(predictions, max_size=5))
def test_what_is_written_reads_the_same_alone_and_in_a_batch(events: list[dict[str, Any]]) -> None:
    assert CODEC.decode(encode_batch(PREDICTIONS, events)).events == list(enumerate(events))
    for event in events:
        written = encode(PREDICTIONS, event)
        ((_, read),) = CODEC.decode(written).events
        assert read == event
        assert encode(PREDICTIONS, read) == written
        assert encode(PREDICTIONS, dict(reversed(event.items()))) == written


@pytest.mark.parametrize("topic", [topic for topic in TOPICS.values() if topic.value], ids=lambda topic: topic.name)
def test_building_a_codec_twice_gives_the_same_codec(topic: Topic) -> None:
    assert Codec(topic).decode(b'{"model_id": 1}').faults == Codec(topic).decode(b'{"model_id": 1}').faults
