"""What apps hand over becomes the JSON that the topics take, or says why not."""

import json
import math
from collections.abc import Callable
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from enum import Enum
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.sdk import encoding
from trueup.sdk.encoding import InvalidEvent


def to_json(event: dict[str, Any]) -> bytes:
    """By the way of every event: through a snapshot."""
    return encoding.json_of(encoding.snapshot(event), max_bytes=1_000)


class Scalar:
    """Like numpy's scalars: `item` gives the Python value."""

    def __init__(self, value: object) -> None:
        self._value = value

    def item(self) -> object:
        return self._value


class Table:
    """Like an array of several values: it has no one value."""

    def item(self) -> object:
        raise ValueError("can only convert an array of size 1")


class Colour(str, Enum):  # noqa: UP042 - not a StrEnum: its str() is not what it holds
    RED = "red"


FEATURES = [
    pytest.param(1, 1, id="int"),
    pytest.param(0.5, 0.5, id="float"),
    pytest.param("red", "red", id="text"),
    pytest.param(True, True, id="bool"),
    pytest.param(None, None, id="none"),
    pytest.param(Scalar(2.5), 2.5, id="numpy scalar"),
    pytest.param(Decimal("1.25"), 1.25, id="decimal"),
    pytest.param(math.nan, None, id="NaN"),
    pytest.param(-math.inf, None, id="infinite"),
    pytest.param(Scalar(math.nan), None, id="numpy NaN"),
    pytest.param([1, 2], None, id="list"),
    pytest.param(Table(), None, id="array"),
    pytest.param(object(), None, id="object"),
    pytest.param(Colour.RED, "red", id="member of an enum"),
]


@pytest.mark.parametrize(("value", "sent"), FEATURES)
def test_a_feature_without_a_json_value_becomes_null(value: object, sent: object) -> None:
    event = {"model_id": "m", "features": encoding.features({"odd": value, "next": 1})}
    assert json.loads(to_json(event))["features"] == {"odd": sent, "next": 1}


WRITTEN: list[Any] = [
    pytest.param(lambda: encoding.identifier("f", "a"), "a", id="id: text"),
    pytest.param(lambda: encoding.identifier("f", 7), "7", id="id: int"),
    pytest.param(lambda: encoding.identifier("f", Scalar(7)), "7", id="id: numpy int"),
    pytest.param(lambda: encoding.identifier("f", UUID(int=1)), str(UUID(int=1)), id="id: uuid"),
    pytest.param(lambda: encoding.identifier("f", Colour.RED), "red", id="id: enum"),
    pytest.param(lambda: encoding.segment({"colour": Colour.RED}), {"colour": "red"}, id="segment: enum"),
    pytest.param(lambda: encoding.label("f", Scalar(True)), True, id="label: numpy bool"),
    pytest.param(lambda: encoding.label("f", Decimal("2.5")), 2.5, id="label: decimal"),
    pytest.param(lambda: encoding.probability({1: Scalar(0.5)}), {"1": 0.5}, id="probability: per label"),
    pytest.param(lambda: encoding.segment({"shop": 12, "region": None}), {"shop": "12"}, id="segment: int, none"),
    pytest.param(lambda: encoding.text("f", ValueError("no")), "ValueError: no", id="text: exception"),
    pytest.param(lambda: len(encoding.text("f", "x" * 9_999)), encoding.LONGEST_TEXT, id="text: cut"),
    pytest.param(lambda: encoding.moment("f", 12.5), 12.5, id="time: seconds"),
    pytest.param(
        lambda: encoding.moment("f", datetime(2024, 5, 1, 12, tzinfo=UTC)),
        "2024-05-01T12:00:00.000000+00:00",
        id="time: UTC",
    ),
    pytest.param(
        lambda: encoding.moment("f", datetime(2024, 5, 1, 14, tzinfo=timezone(timedelta(hours=2, seconds=1)))),
        "2024-05-01T11:59:59.000000+00:00",
        id="time: odd offset",
    ),
]


@pytest.mark.parametrize(("write", "written"), WRITTEN)
def test_values_are_written_as_the_topics_take_them(write: Callable[[], object], written: object) -> None:
    assert write() == written


REFUSED: list[Any] = [
    pytest.param(lambda: encoding.identifier("f", ""), "f must be a text that is not empty", id="id: empty"),
    pytest.param(lambda: encoding.identifier("f", None), "f must be a text", id="id: none"),
    pytest.param(lambda: encoding.identifier("f", True), "f must be a text", id="id: bool"),
    pytest.param(lambda: encoding.label("f", [1]), "f must be a text or a number, not list", id="label: list"),
    pytest.param(lambda: encoding.number("f", "1"), "f must be a number, not str", id="number: text"),
    pytest.param(lambda: encoding.features([1]), "features must be a mapping, not list", id="features: list"),
    pytest.param(lambda: encoding.segment("x"), "segment must be a mapping, not str", id="segment: text"),
    pytest.param(
        lambda: encoding.moment("f", datetime(2024, 5, 1)),  # noqa: DTZ001
        "f must know its offset from UTC",
        id="time: naive",
    ),
    pytest.param(lambda: to_json({"prediction": math.nan}), "NaN or infinite", id="prediction: NaN"),
    pytest.param(
        lambda: to_json({"probability": math.inf, "features": {"x": math.nan}}),
        "NaN or infinite",
        id="probability: infinite",
    ),
    pytest.param(lambda: to_json({"prediction": "\ud800"}), "surrogate", id="text: no unicode"),
]


@pytest.mark.parametrize(("write", "why"), REFUSED)
def test_what_cannot_be_an_event_is_refused_by_field_and_type(write: Callable[[], object], why: str) -> None:
    with pytest.raises(InvalidEvent, match=why):
        write()


TEXT = st.text(st.characters(exclude_categories=["Cs"]), max_size=9)
VALUES = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.floats() | TEXT


@given(st.dictionaries(TEXT, VALUES, max_size=9), TEXT | st.integers() | st.booleans())
def test_a_snapshot_becomes_the_json_of_what_was_given_and_not_of_what_became_of_it(
    features: dict[str, Any], prediction: object
) -> None:
    finite = {
        name: None if isinstance(value, float) and not math.isfinite(value) else value
        for name, value in features.items()
    }
    event = {"prediction": prediction, "features": encoding.features(features)}
    taken = encoding.snapshot(event)
    expected = json.dumps({"prediction": prediction, "features": finite}, ensure_ascii=False, separators=(",", ":"))
    features.clear()
    assert encoding.json_of(taken, max_bytes=10_000) == expected.encode()


def test_json_beyond_the_bound_is_refused_by_its_length() -> None:
    taken = encoding.snapshot({"prediction": "ü" * 10})
    assert len(encoding.json_of(taken, max_bytes=37)) == 37
    with pytest.raises(InvalidEvent, match="its 37 bytes are more than max_batch_bytes"):
        encoding.json_of(taken, max_bytes=36)


def test_a_complaint_holds_nothing_that_other_peoples_errors_say() -> None:
    assert encoding.complaint("it", InvalidEvent("f is missing")) == "it is invalid: f is missing"
    assert encoding.complaint("it", KeyError("hunter2")) == "it is invalid: KeyError"


def test_json_is_compact_utf8() -> None:
    assert to_json({"a": 1, "b": "ü"}) == '{"a":1,"b":"ü"}'.encode()
