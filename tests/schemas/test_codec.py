"""Bytes to events and back, one case each; the laws are in test_codec_laws.py."""

from __future__ import annotations

import json
from typing import Any

import pytest

from trueup_schemas.alert import Alert
from trueup_schemas.codec import MAX_BATCH_EVENTS, Codec, encode, encode_batch
from trueup_schemas.dead_letter import DeadLetterReason, Fault
from trueup_schemas.topics import (
    ALERTS,
    COMMANDS,
    DEAD_LETTERS,
    DEPLOYMENTS,
    FEEDBACK,
    PREDICTIONS,
    SIGNALS,
    Topic,
)

CODEC = Codec(PREDICTIONS)


def prediction(**fields: Any) -> dict[str, Any]:
    return {"prediction_id": "p", "model_id": "m", "model_version": "v", "prediction": 1} | fields


def record(*events: Any) -> bytes:
    return json.dumps(events[0] if len(events) == 1 else list(events)).encode()


GOOD = record(prediction())


def with_field(name: str, written: bytes) -> bytes:
    return GOOD[:-1] + b', "%b": %b}' % (name.encode(), written)


BAD = [
    pytest.param(None, "empty", "no value", id="tombstone"),
    pytest.param(b"", "empty", "no value", id="empty"),
    pytest.param(b" \t\r\n", "empty", "white space", id="white space"),
    pytest.param(b"\x00", "not_json", "expected value", id="a null byte"),
    pytest.param(b"\xff\xfe{}", "not_utf8", "at byte 0", id="UTF-16"),
    pytest.param(b"\xef\xbb\xbf" + GOOD, "not_json", "byte order mark", id="byte order mark"),
    pytest.param(GOOD[:-1], "not_json", "EOF", id="truncated"),
    pytest.param(GOOD + b" x", "not_json", "trailing", id="something behind"),
    pytest.param(b"model_id=m", "not_json", "expected", id="no JSON at all"),
    pytest.param(with_field("error", b"'a'"), "not_json", "expected", id="single quotes"),
    pytest.param(with_field("error", b'"\x00"'), "not_json", "control character", id="null byte in a text"),
    pytest.param(with_field("error", b'"\xff"'), "not_utf8", "invalid start byte", id="invalid UTF-8"),
    pytest.param(with_field("error", b'"\xed\xa0\x80"'), "not_utf8", "is not UTF-8", id="surrogate in UTF-8"),
    pytest.param(with_field("error", rb'"\ud800"'), "not_utf8", "surrogate", id="lone high surrogate"),
    pytest.param(with_field("error", rb'"\udc00"'), "not_utf8", "surrogate", id="lone low surrogate"),
    pytest.param(with_field("x", rb'"\ud800"'), "not_utf8", "surrogate", id="lone surrogate in an unknown field"),
    pytest.param(with_field("features", b"[" * 500 + b"]" * 500), "too_deep", "deep", id="deep features"),
    pytest.param(with_field("x", b"[" * 500 + b"]" * 500), "too_deep", "deep", id="deep unknown field"),
    pytest.param(b"[" * 100_000, "too_deep", "deep", id="brackets without end"),
    pytest.param(with_field("x", b"1" * 5_000), "not_json", "number out of range", id="a number of 5,000 digits"),
    pytest.param(b"17", "not_an_object", "is 17", id="a number"),
    pytest.param(b"null", "not_an_object", "is null", id="null"),
    pytest.param(b"NaN", "not_an_object", "is nan", id="NaN alone"),
    pytest.param(b'"' + b"x" * 999 + b'"', "not_an_object", "is 'xxx", id="a text"),
    pytest.param(b"{}", "invalid", "prediction_id is required; model_id is required", id="no fields"),
    pytest.param(with_field("prediction", b"NaN").replace(b'"prediction": 1, ', b""), "invalid", "finite", id="NaN"),
    pytest.param(with_field("features", b'{"a": NaN}'), "invalid", "features.a must be", id="NaN in features"),
    pytest.param(with_field("features", b'{"a": -Infinity}'), "invalid", "got -inf", id="infinity in features"),
    pytest.param(with_field("features", b'{"a": 1e400}'), "invalid", "features.a", id="beyond a double"),
    pytest.param(with_field("features", b'{"a": 9223372036854775808}'), "invalid", "64 bits", id="beyond 64 bits"),
    pytest.param(with_field("features", b'{"a": -9223372036854775809}'), "invalid", "64 bits", id="below 64 bits"),
    pytest.param(with_field("features", b'{"a": ' + b"1" * 999 + b"}"), "invalid", "of 3316 bits", id="huge integer"),
    pytest.param(with_field("features", b'{"": 1}'), "invalid", "features", id="a feature without a name"),
    pytest.param(with_field("latency_ms", b"1e400"), "invalid", "latency_ms must be", id="infinite latency"),
    pytest.param(with_field("latency_ms", b'"3"'), "invalid", "latency_ms must be a valid number, got '3'", id="text"),
    pytest.param(with_field("probability", b"NaN"), "invalid", "number from 0 to 1", id="probability NaN"),
    pytest.param(with_field("predicted_at", b"true"), "invalid", "neither an RFC 3339 text", id="time true"),
    pytest.param(with_field("predicted_at", b"1e400"), "invalid", "1970 to 9999", id="time beyond a double"),
    pytest.param(with_field("predicted_at", b"NaN"), "invalid", "1970 to 9999", id="time NaN"),
    pytest.param(with_field("predicted_at", b'"1969-12-31T23:59:59Z"'), "invalid", "1970 to 9999", id="before 1970"),
    pytest.param(with_field("predicted_at", b'"0001-01-01T00:00:00+14:00"'), "invalid", "1970 to", id="year one"),
    pytest.param(with_field("predicted_at", b'"yesterday"'), "invalid", "is not an RFC 3339 time", id="no time"),
    pytest.param(record(prediction(prediction=None)), "invalid", "one of prediction and error", id="says nothing"),
    pytest.param(
        record(prediction(model_id=["m"])), "invalid", "model_id must be a valid string, got an array", id="type"
    ),
]


@pytest.mark.parametrize(("value", "reason", "words"), BAD)
def test_a_bad_record_is_one_fault_that_says_why_and_keeps_the_bytes(
    value: bytes | None, reason: str, words: str
) -> None:
    decoded = CODEC.decode(value)
    assert decoded.events == []
    (fault,) = decoded.faults
    assert (fault.reason, fault.index) == (DeadLetterReason(reason), None)
    assert fault.value == (value or b"")
    assert words in fault.detail


IN_A_BATCH = [
    case for case in BAD if case.values[0] and not str(case.id).startswith(("brackets", "white", "truncated"))
]


@pytest.mark.parametrize(("value", "reason", "words"), IN_A_BATCH)
def test_the_neighbours_of_a_bad_event_are_processed(value: bytes, reason: str, words: str) -> None:
    if value[:3] == b"\xef\xbb\xbf" or reason == "empty" or value.endswith(b" x"):
        words = ""
    decoded = CODEC.decode(b"[" + GOOD + b" ,\n" + value + b"\t, " + GOOD + b"]")
    assert [index for index, _ in decoded.events] == [0, 2]
    (fault,) = decoded.faults
    assert (fault.reason, fault.index, fault.value) == (DeadLetterReason(reason), 1, value)
    assert words in fault.detail


@pytest.mark.parametrize(
    "broken",
    [
        pytest.param(b"[" + GOOD, id="not closed"),
        pytest.param(b"[" + GOOD + b",]", id="comma at the end"),
        pytest.param(b"[" + GOOD + b"," + GOOD[:-1] + b"]", id="an event not closed"),
        pytest.param(b"[" + GOOD + b"]" + GOOD, id="something behind"),
        pytest.param(b"[" + GOOD + b'," ]', id="a quote not closed"),
    ],
)
def test_a_batch_that_is_broken_as_a_whole_is_one_fault(broken: bytes) -> None:
    decoded = CODEC.decode(broken)
    assert decoded.events == []
    assert [(fault.reason, fault.value, fault.index) for fault in decoded.faults] == [
        (DeadLetterReason.NOT_JSON, broken, None)
    ]


def test_a_record_that_is_too_long_is_not_read() -> None:
    codec = Codec(PREDICTIONS, max_record_bytes=len(GOOD))
    assert codec.decode(GOOD).faults == []
    for value in (GOOD + b" ", b" " + GOOD, b"[" + GOOD + b"]"):
        assert [fault.reason for fault in codec.decode(value).faults] == [DeadLetterReason.TOO_LARGE]


def test_a_batch_of_too_many_events_is_one_fault_not_a_flood_of_them() -> None:
    value = b"[" + b",".join([b"1"] * (MAX_BATCH_EVENTS + 1)) + b"]"
    assert [fault.reason for fault in CODEC.decode(value).faults] == [DeadLetterReason.TOO_LARGE]


def test_a_batch_of_too_many_good_events_is_refused_as_well() -> None:
    value = b"[" + b",".join([GOOD] * (MAX_BATCH_EVENTS + 1)) + b"]"
    codec = Codec(PREDICTIONS, max_record_bytes=len(value))
    assert [fault.reason for fault in codec.decode(value).faults] == [DeadLetterReason.TOO_LARGE]


def test_an_empty_batch_holds_no_event_and_no_fault() -> None:
    decoded = CODEC.decode(b" [ ] ")
    assert (decoded.events, decoded.faults) == ([], [])


def test_events_of_another_model_than_the_first_valid_one_are_faults() -> None:
    other = record(prediction(model_id="other"))
    decoded = CODEC.decode(b"[{}," + GOOD + b"," + other + b"," + GOOD + b"]")
    assert [index for index, _ in decoded.events] == [1, 3]
    assert [(fault.reason, fault.index) for fault in decoded.faults] == [
        (DeadLetterReason.INVALID, 0),
        (DeadLetterReason.MIXED_MODELS, 2),
    ]
    assert decoded.faults[1] == Fault(
        DeadLetterReason.MIXED_MODELS,
        "model_id is 'other' in a batch of 'm': a batch holds events of one model",
        other,
        2,
    )


def test_commands_for_the_whole_fleet_name_no_model() -> None:
    command = {"command_id": "c", "command": "silence", "author": "ada"}
    assert len(Codec(COMMANDS).decode(record(command, command)).events) == 2
    mixed = Codec(COMMANDS).decode(record(command, command | {"model_id": "m"}))
    assert [fault.reason for fault in mixed.faults] == [DeadLetterReason.MIXED_MODELS]


@pytest.mark.parametrize(
    "value",
    [
        pytest.param("label", id="text"),
        pytest.param("", id="empty text"),
        pytest.param("𝄞\x00", id="beyond the basic plane, and a null"),
        pytest.param(True, id="true"),
        pytest.param(False, id="false"),
        pytest.param(0, id="zero"),
        pytest.param(1, id="one"),
        pytest.param(1.0, id="one as a float"),
        pytest.param(-0.5, id="a fraction"),
        pytest.param(2**63 - 1, id="the largest integer"),
        pytest.param(-(2**63), id="the smallest integer"),
        pytest.param(1e20, id="a float beyond 64 bits"),
        pytest.param(-1.7e308, id="near the end of doubles"),
        pytest.param(-(2.0**63), id="two to the 63rd as a float"),
    ],
)
def test_a_label_and_a_feature_keep_value_and_type(value: Any) -> None:
    ((_, event),) = CODEC.decode(record(prediction(prediction=value, features={"a": value}))).events
    for held in (event["prediction"], event["features"]["a"]):
        assert (held, type(held)) == (value, type(value))


def test_times_are_seconds_whichever_way_they_are_written() -> None:
    texts = ["2026-11-24T08:00:00Z", "2026-11-24T09:00:00+01:00", 1795507200, 1795507200.0]
    decoded = CODEC.decode(record(*(prediction(predicted_at=text) for text in texts)))
    assert [event["predicted_at"] for _, event in decoded.events] == [1795507200.0] * 4
    assert {type(event["predicted_at"]) for _, event in decoded.events} == {float}


def test_unknown_fields_are_dropped_whatever_they_hold() -> None:
    value = GOOD[:-1] + b', "a": NaN, "b": 1e400, "c": 123456789012345678901234567890, "model": {"model_id": null}}'
    ((_, event),) = CODEC.decode(value).events
    assert event == prediction()


def test_a_failed_call_needs_no_prediction_and_a_judged_answer_no_truth() -> None:
    failed = {name: held for name, held in prediction(error="timeout").items() if name != "prediction"}
    assert CODEC.decode(record(failed)).faults == []
    assert Codec(FEEDBACK).decode(b'{"prediction_id": "p", "model_id": "m", "score": 0}').faults == []


@pytest.mark.parametrize("value", [0, False, ""], ids=repr)
def test_a_prediction_that_is_falsy_is_a_prediction(value: Any) -> None:
    assert CODEC.decode(record(prediction(prediction=value))).faults == []


def test_a_topic_without_batches_holds_one_object() -> None:
    decoded = Codec(ALERTS).decode(b"[]")
    assert [(fault.reason, fault.detail) for fault in decoded.faults] == [
        (DeadLetterReason.NOT_AN_OBJECT, "must be a JSON object, is an array")
    ]


def test_a_topic_of_bytes_as_they_came_has_no_codec() -> None:
    with pytest.raises(ValueError, match="dead-letters"):
        Codec(DEAD_LETTERS)


def test_a_detail_never_echoes_more_than_200_characters_of_the_input() -> None:
    long = "x" * 250
    (fault,) = CODEC.decode(record(prediction(segment={f"{i}{long}": long * 9 for i in range(9)}, error=7))).faults
    assert "and 7 more" in fault.detail
    assert 100 < fault.detail.count("x") <= 200


@pytest.mark.parametrize("topic", [PREDICTIONS, FEEDBACK, DEPLOYMENTS, COMMANDS, SIGNALS], ids=lambda topic: topic.name)
def test_a_codec_of_a_topic_takes_a_good_and_a_bad_batch(topic: Topic) -> None:
    assert [fault.index for fault in Codec(topic).decode(b"[{}, 1]").faults] == [0, 1]


def test_fields_are_written_in_the_order_of_the_model_without_nulls_and_strangers() -> None:
    event = {
        "stranger": 1,
        "prediction": "ö",
        "model_version": "v",
        "model_id": "m",
        "error": None,
        "prediction_id": "p",
    }
    expected = '{"prediction_id":"p","model_id":"m","model_version":"v","prediction":"ö"}'.encode()
    assert encode(PREDICTIONS, event) == expected
    assert encode_batch(PREDICTIONS, [event, event]) == b"[" + expected + b"," + expected + b"]"
    assert encode_batch(PREDICTIONS, []) == b"[]"


def test_the_nulls_of_features_are_kept() -> None:
    assert b'"features":{"a":null}' in encode(PREDICTIONS, prediction(features={"a": None}))


@pytest.mark.parametrize(
    "value",
    [float("nan"), float("inf"), -float("inf"), "\ud800", object()],
    ids=["nan", "inf", "-inf", "half", "object"],
)
def test_what_has_no_form_in_json_is_not_written(value: Any) -> None:
    with pytest.raises(ValueError):  # noqa: PT011 - the words are those of the libraries
        encode(PREDICTIONS, prediction(features={"a": value}))


def test_a_text_that_says_nan_is_written() -> None:
    assert b'"NaN and Infinity"' in encode(PREDICTIONS, prediction(prediction="NaN and Infinity"))


def test_an_output_is_the_same_bytes_from_its_model_and_from_its_dict() -> None:
    alert = Alert(
        alert_id="a",
        revision=1,
        model_id="m",
        model_version="v",
        kind="blind",
        severity="ticket",
        status="firing",
        summary="s",
        cause="c",
        started_at=1795507200.0,
        updated_at=1795507200.25,
    )
    written = encode(ALERTS, alert)
    assert (
        b'"started_at":"2026-11-24T08:00:00Z","updated_at":"2026-11-24T08:00:00.250000Z","resolved_at":null' in written
    )
    assert encode(ALERTS, alert.model_dump()) == written
    ((_, event),) = Codec(ALERTS).decode(written).events
    assert Alert(**event) == alert
