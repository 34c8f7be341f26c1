"""The value types that events are made of: ids, labels, numbers, times. Nothing here knows a topic.

Times come in as RFC 3339 text or as seconds since 1970 (UTC) and are held as seconds (float). A time without an
offset is refused: a monitor that guesses time zones is wrong by hours.
"""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Annotated, Any

from pydantic import BeforeValidator, Field, PlainSerializer, StrictBool, StrictFloat, StrictInt, StrictStr

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


Id = Annotated[StrictStr, Field(min_length=1, max_length=512)]
Name = Annotated[StrictStr, Field(min_length=1, max_length=256)]
Text = Annotated[StrictStr, Field(max_length=8_192)]
FiniteFloat = Annotated[StrictFloat, Field(allow_inf_nan=False)]
Int64 = Annotated[StrictInt, Field(ge=-INT64_MAX - 1, le=INT64_MAX)]
Number = Int64 | FiniteFloat
Label = StrictBool | Int64 | FiniteFloat | Annotated[StrictStr, Field(max_length=1_024)]
FeatureValue = StrictBool | Int64 | FiniteFloat | Annotated[StrictStr, Field(max_length=8_192)] | None
UnitInterval = Annotated[StrictFloat | StrictInt, Field(ge=0, le=1)]
Seconds = Annotated[
    float,
    BeforeValidator(to_seconds, json_schema_input_type=float | str),
    Field(description="RFC 3339 with an offset, or seconds since 1970"),
]
#: A time in an output: held as seconds, written as RFC 3339 in UTC, read back from either.
Moment = Annotated[Seconds, PlainSerializer(to_rfc3339, return_type=str, when_used="json")]
