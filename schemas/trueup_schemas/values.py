"""The value types that events are made of: ids, labels, numbers, times. Nothing here knows a topic.

Times come in as RFC 3339 text or as seconds since 1970 (UTC) and are held as seconds (float). A time without an
offset is refused: a monitor that guesses time zones is wrong by hours.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import UTC, datetime
from math import isfinite
from typing import Annotated, Any, cast

from pydantic import (
    Field,
    GetCoreSchemaHandler,
    PlainSerializer,
    PlainValidator,
    StrictBool,
    StrictFloat,
    StrictInt,
    StrictStr,
    WithJsonSchema,
)
from pydantic_core import CoreSchema

#: The last second that RFC 3339 can write (year 9999); later "seconds" are nearly always milliseconds.
LAST_SECOND = 253_402_300_799.0
#: Integers beyond 64 bits are refused: no common consumer could read them back.
INT64_MAX = 2**63 - 1


def to_seconds(value: Any) -> float:
    """Seconds since 1970 (UTC) of an RFC 3339 text with an offset, or of a number of seconds.

    Raises:
        ValueError: no time, no offset, or outside the years 1970 to 9999.
    """
    if isinstance(value, str):
        try:
            moment = datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("is not an RFC 3339 time such as 2026-11-24T08:00:00Z") from None
        if moment.tzinfo is None:
            raise ValueError("has no offset from UTC: write 2026-11-24T08:00:00Z or ...+01:00")
        value = moment.timestamp()
    elif isinstance(value, bool) or not isinstance(value, int | float):
        raise ValueError("is neither an RFC 3339 text nor a number of seconds since 1970")
    if not 0 <= value <= LAST_SECOND:
        raise ValueError("is outside the years 1970 to 9999: times are seconds since 1970, not milliseconds")
    return float(value)


def to_rfc3339(seconds: float) -> str:
    """The RFC 3339 text in UTC of seconds since 1970, to the microsecond: what outputs carry."""
    return datetime.fromtimestamp(seconds, UTC).isoformat().replace("+00:00", "Z")


def to_large_float(value: Any) -> float:
    """A number written as a float of 2**63 or more, either sign. The last choice of a union: rarely reached.

    pydantic's strict float takes integers too, and would silently round those beyond 64 bits.

    Raises:
        ValueError: no float, or not finite.
    """
    if not isinstance(value, float) or not isfinite(value):
        raise ValueError("is no finite number")
    return value


@dataclass(frozen=True, slots=True)
class FirstThatFits:
    """Marks a union of strict types: the first that fits is taken, and where none does, `message` is the one error.

    Strict types exclude one another, so the order decides nothing but the speed: the commonest comes first.
    """

    message: str | None = None

    def __get_pydantic_core_schema__(self, source: Any, handler: GetCoreSchemaHandler) -> CoreSchema:
        schema = handler(source)
        union = cast("dict[str, Any]", schema)
        if union["type"] == "nullable":
            union = union["schema"]
        assert union["type"] == "union"
        union["mode"] = "left_to_right"
        if self.message is not None:
            union["custom_error_type"] = "no_choice_fits"
            union["custom_error_message"] = self.message
        return schema


Id = Annotated[StrictStr, Field(min_length=1, max_length=512)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=256)]
Text = Annotated[StrictStr, Field(max_length=8_192)]
_Float = Annotated[StrictFloat, Field(gt=-(2.0**63), lt=2.0**63, allow_inf_nan=False)]
#: The last choice of each union: it is a function of Python, and costs more than all others together.
_LargeFloat = Annotated[float, PlainValidator(to_large_float, json_schema_input_type=float)]
FiniteFloat = _Float | _LargeFloat
Int64 = Annotated[StrictInt, Field(ge=-INT64_MAX - 1, le=INT64_MAX)]
Number = Annotated[Int64 | FiniteFloat, FirstThatFits("must be a finite number; an integer, of at most 64 bits")]
Label = Annotated[
    Annotated[StrictStr, Field(max_length=1_024)] | Int64 | _Float | StrictBool | _LargeFloat,
    FirstThatFits(
        "must be text of at most 1,024 characters, a finite number (an integer: of at most 64 bits), true or false"
    ),
    WithJsonSchema(
        {
            "anyOf": [{"type": "string", "maxLength": 1_024}, {"type": "number"}, {"type": "boolean"}],
            "description": "Text, true or false, or a finite number; an integer has at most 64 bits.",
        }
    ),
]
FeatureValue = Annotated[
    Annotated[StrictStr, Field(max_length=8_192)] | Int64 | _Float | StrictBool | _LargeFloat | None,
    FirstThatFits(
        "must be text of at most 8,192 characters, a finite number (an integer: of at most 64 bits), true, false, null"
    ),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "string", "maxLength": 8_192},
                {"type": "number"},
                {"type": "boolean"},
                {"type": "null"},
            ],
            "description": "Text, true or false, null, or a finite number; an integer has at most 64 bits.",
        }
    ),
]
UnitInterval = Annotated[StrictFloat, Field(ge=0, le=1)]
Probability = Annotated[
    UnitInterval | dict[Name, UnitInterval],
    FirstThatFits("must be a number from 0 to 1, or an object with one for each label"),
]
#: Milliseconds; ten to the twelfth are 31 years.
Milliseconds = Annotated[StrictFloat, Field(ge=0, le=1e12)]
Seconds = Annotated[
    Annotated[StrictFloat, Field(ge=0, le=LAST_SECOND)] | Annotated[float, PlainValidator(to_seconds)],
    FirstThatFits(),
    WithJsonSchema(
        {
            "anyOf": [
                {"type": "number", "minimum": 0, "maximum": LAST_SECOND},
                {"type": "string", "format": "date-time"},
            ],
            "description": "RFC 3339 with an offset, or seconds since 1970",
        }
    ),
]
#: A time in an output: held as seconds, written as RFC 3339 in UTC, read back from either.
Moment = Annotated[
    Seconds,
    PlainSerializer(to_rfc3339, return_type=str, when_used="json"),
    WithJsonSchema({"type": "string", "format": "date-time", "description": "RFC 3339, in UTC"}),
]
