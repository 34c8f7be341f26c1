"""Arguments of an app → the JSON of one event. Pure; what cannot be an event raises `InvalidEvent`.

Apps hand over what they have at hand: numpy scalars, UUIDs, Decimals. What has an obvious JSON value gets it; a
feature that has none becomes null, since one odd feature should not cost the prediction its label.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import UTC, datetime
from math import isfinite
from typing import Any
from uuid import UUID

#: The longest free text that the topics take.
LONGEST_TEXT = 8_192

Fields = dict[str, Any]

_encode = json.JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class InvalidEvent(ValueError):
    """This cannot become an event. Names the field and its type, never its value, so that it may be logged."""


def to_json(event: Fields) -> bytes:
    """The event as compact UTF-8 JSON.

    Raises:
        InvalidEvent: a number is NaN or infinite (in a feature it becomes null), or a text is no valid Unicode.
    """
    try:
        return _encode(event).encode()
    except UnicodeEncodeError:
        raise InvalidEvent("a text holds an unpaired surrogate, which UTF-8 cannot carry") from None
    except ValueError:
        features = event.get("features")
        if features and any(_is_not_finite(value) for value in features.values()):
            finite = {name: None if _is_not_finite(value) else value for name, value in features.items()}
            return to_json({**event, "features": finite})
        raise InvalidEvent("a number is NaN or infinite") from None


def identifier(field: str, value: object) -> str:
    """An id: a text, or a whole number or UUID written as one. It is never empty."""
    if type(value) is str and value:
        return value
    value = plain(value)
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    if isinstance(value, str) and value:
        return str(value)
    raise InvalidEvent(f"{field} must be a text that is not empty, not {_kind(value)}")


def label(field: str, value: object) -> str | int | float | bool:
    """What was predicted, or what was true: a text, a number or a bool."""
    value = plain(value)
    if isinstance(value, str | int | float):
        return value
    raise InvalidEvent(f"{field} must be a text or a number, not {_kind(value)}")


def number(field: str, value: object) -> int | float:
    value = plain(value)
    if isinstance(value, int | float):
        return value
    raise InvalidEvent(f"{field} must be a number, not {_kind(value)}")


def probability(value: object) -> float | dict[str, float]:
    """That of the positive class, or one for each label."""
    if isinstance(value, Mapping):
        return {str(plain(name)): number("probability", share) for name, share in value.items()}
    return number("probability", value)


def text(field: str, value: object) -> str:
    """A free text, cut at `LONGEST_TEXT` characters. Exceptions are taken too."""
    if isinstance(value, str):
        return str(value)[:LONGEST_TEXT]
    if isinstance(value, BaseException):
        return f"{type(value).__name__}: {value}"[:LONGEST_TEXT]
    raise InvalidEvent(f"{field} must be a text, not {_kind(value)}")


def moment(field: str, value: object) -> str | float:
    """An aware datetime as RFC 3339 in UTC, or seconds since 1970 as they are."""
    if isinstance(value, datetime):
        if value.tzinfo is None:
            raise InvalidEvent(f"{field} must know its offset from UTC: this datetime is naive")
        return value.astimezone(UTC).isoformat(timespec="microseconds")
    return number(field, value)


def features(values: object) -> Fields:
    """Name → number, text, bool or null."""
    if not isinstance(values, Mapping):
        raise InvalidEvent(f"features must be a mapping, not {_kind(values)}")
    return {
        name if type(name) is str else str(name): value if type(value) in _JSON_SCALARS else _feature(value)
        for name, value in values.items()
    }


def segment(values: object) -> dict[str, str]:
    """Name → text; a part that is None is left out."""
    if not isinstance(values, Mapping):
        raise InvalidEvent(f"segment must be a mapping, not {_kind(values)}")
    return {str(name): str(label("segment", value)) for name, value in values.items() if value is not None}


def plain(value: Any) -> Any:
    """The Python value of a numpy, pandas or torch scalar, or of a Decimal; anything else as it is."""
    if type(value) in _JSON_SCALARS:
        return value
    if not isinstance(value, str | int | float):
        if hasattr(value, "item"):
            return value.item()
        if hasattr(value, "__float__"):
            return float(value)
    return value


_JSON_SCALARS = frozenset({str, int, float, bool, type(None)})


def _feature(value: object) -> str | int | float | bool | None:
    try:
        value = plain(value)
    except Exception:
        # `item` and `__float__` are other people's code (an array of two has no one value): the feature is missing.
        return None
    return value if isinstance(value, str | int | float) else None


def _is_not_finite(value: object) -> bool:
    return isinstance(value, float) and not isfinite(value)


def _kind(value: object) -> str:
    return "an empty text" if value == "" else type(value).__name__
