"""A known field that stands twice is found however it is written, and nothing else is."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup_schemas.codec import Codec
from trueup_schemas.dead_letter import DeadLetterReason
from trueup_schemas.topics import PREDICTIONS

CODEC = Codec(PREDICTIONS)
REQUIRED = b'"prediction_id":"p","model_id":"m","model_version":"v","prediction":1'
KNOWN = list(PREDICTIONS.value.__annotations__)


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(b'"model_id":"m"', id="the same value"),
        pytest.param(b'"model_id":"other"', id="another value"),
        pytest.param(b'"model_id" \t:"m"', id="white space before the colon"),
        pytest.param(b'"model_id"\n:"m"', id="a line feed before the colon"),
        pytest.param(rb'"model\u005fid":"m"', id="an escape in the name"),
        pytest.param(rb'"\u006dodel_id":"m","unknown":"a:b"', id="an escape and an unknown field"),
        pytest.param(b'"predicted_at":"2026-11-24T08:00:00Z","predicted_at":"2026-11-24T08:00:00Z"', id="times"),
        pytest.param(b'"features":{"a":1},"features":{"b":2,"c":3}', id="features"),
        pytest.param(b'"features":{"a":1,"b":2},"features":{"c":3}', id="features, the smaller last"),
        pytest.param(b'"error":null,"error":null', id="nulls"),
    ],
)
def test_a_known_field_that_stands_twice_is_a_dead_letter(more: bytes) -> None:
    event = b"{" + REQUIRED + b"," + more + b"}"
    neighbour = b"{" + REQUIRED + b"}"
    single, batch = CODEC.decode(event), CODEC.decode(b"[" + neighbour + b", " + event + b"," + neighbour + b"]")
    assert [fault.reason for fault in single.faults] == [DeadLetterReason.DUPLICATE_KEY]
    assert single.events == []
    assert [(fault.reason, fault.index, fault.value) for fault in batch.faults] == [
        (DeadLetterReason.DUPLICATE_KEY, 1, event)
    ]
    assert [index for index, _ in batch.events] == [0, 2]


@pytest.mark.parametrize(
    "more",
    [
        pytest.param(b'"features":{"model_id":"x","model_id":"y"}', id="twice among features"),
        pytest.param(b'"segment":{"a":"x","a":"y"}', id="twice in a segment"),
        pytest.param(b'"unknown":1,"unknown":2', id="an unknown field twice"),
        pytest.param(b'"unknown":{"model_id":1,"model_id":2}', id="twice in an unknown field"),
        pytest.param(b'"error":"model_id"', id="a name as a value"),
        pytest.param(rb'"error":"\"model_id\":\"x\""', id="an event as a value"),
        pytest.param(b'"predicted_at" : "2026-11-24T08:00:00Z"', id="colons in a time"),
        pytest.param(rb'"error":"K\u00f6ln \u006d\u005f"', id="escapes in a value"),
    ],
)
def test_anything_else_that_stands_twice_takes_its_last_value(more: bytes) -> None:
    decoded = CODEC.decode(b"{" + REQUIRED + b"," + more + b"}")
    assert decoded.faults == []
    assert decoded.events[0][1]["model_id"] == "m"


def test_of_a_name_that_stands_twice_among_features_the_last_value_counts() -> None:
    ((_, event),) = CODEC.decode(b"{" + REQUIRED + b',"features":{"a":1,"a":2}}').events
    assert event["features"] == {"a": 2}


fields = st.sampled_from(
    [
        ("predicted_at", "1.5"),
        ("predicted_at", '"2026-11-24T08:00:00Z"'),
        ("error", '"model_id"'),
        ("error", r'"\"error\":"'),
        ("features", '{"error":1,"x":"a:b"}'),
        ("features", "{}"),
        ("segment", '{"model_id":"x"}'),
        ("probability", '{"model_id":0.5}'),
        ("model_id", '"m"'),
        ("latency_ms", "3"),
        ("unknown", '{"model_id":[{"model_id":1}]}'),
        ("größe", '":"'),
    ]
)


def written(draw: Any, name: str, value: str) -> str:
    if draw(st.booleans()):
        place = draw(st.integers(0, len(name) - 1))
        name = name[:place] + f"\\u{ord(name[place]):04x}" + name[place + 1 :]
    return f'"{name}"{draw(st.sampled_from(["", " ", chr(9), chr(10)]))}:{value}'


@st.composite
def events(draw: Any) -> str:
    more = [written(draw, name, value) for name, value in draw(st.lists(fields, max_size=4))]
    return "{" + ",".join(draw(st.permutations([REQUIRED.decode(), *more]))) + "}"


def stands_twice(event: str) -> bool:
    """What the standard library says, asked for every pair of names at the top level."""
    pairs: list[list[str]] = []
    json.loads(event, object_pairs_hook=lambda found: pairs.append([name for name, _ in found]))
    known = [name for name in pairs[-1] if name in KNOWN]
    return len(known) != len(set(known))


@settings(deadline=None, max_examples=400)
@given(st.lists(events(), min_size=1, max_size=4))
def test_the_cheap_check_agrees_with_looking_at_every_name(batch: list[str]) -> None:
    decoded = CODEC.decode(f"[{','.join(batch)}]".encode())
    assert [fault.index for fault in decoded.faults] == [i for i, event in enumerate(batch) if stands_twice(event)]
    for event in batch:
        assert bool(CODEC.decode(event.encode()).faults) == stands_twice(event)
