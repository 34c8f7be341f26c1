"""Arguments of an app → plain values → a snapshot → the JSON of one event. What cannot be one raises `InvalidEvent`.

Apps hand over what they have at hand: numpy scalars, UUIDs, Decimals. What has an obvious JSON value gets it; a
feature that has none becomes null, since one odd feature should not cost the prediction its label.

Writing the decimals of a number is what costs most. So the app's thread takes a snapshot (1 to 2 us), and the thread
that delivers writes the JSON of it (6 to 12 us): every value below is of exactly the types that both know.
"""

from __future__ import annotations

import marshal
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from itertools import islice
from json import JSONEncoder
from math import isfinite
from typing import Any
from uuid import UUID

#: The longest free text that the topics take.
LONGEST_TEXT = 8_192
#: The most features, labels with a probability, and parts of a segment: an app's call must end.
MOST_FEATURES, MOST_LABELS, MOST_PARTS = 2_000, 2_000, 50

Fields = dict[str, Any]

_encode = JSONEncoder(ensure_ascii=False, allow_nan=False, separators=(",", ":")).encode


class InvalidEvent(ValueError):
    """This cannot become an event. Names the field and its type, never its value, so that it may be logged."""


def complaint(what: str, problem: Exception) -> str:
    """Why this is no event, in words that may be logged: messages of other people's errors can hold anything."""
    reason = str(problem) if isinstance(problem, InvalidEvent) else type(problem).__name__
    return f"{what} is invalid: {reason}"


def snapshot(event: Fields) -> bytes:
    """The plain values of an event as they are now, whatever their mappings hold later. For this process alone.

    Bytes, since they weigh what their length says, and give the app's garbage collector nothing to walk through.
    """
    return marshal.dumps(event)


def json_of(taken: bytes, *, max_bytes: int) -> bytes:
    """The JSON of a snapshot; raises as `to_json`."""
    event: Fields = marshal.loads(taken)
    return to_json(event, max_bytes=max_bytes)


def to_json(event: Fields, *, max_bytes: int) -> bytes:
    """The event as compact UTF-8 JSON.

    Raises:
        InvalidEvent: a number is NaN or infinite (in a feature it becomes null) or has thousands of digits, a text is
            no valid Unicode, or the whole is longer than `max_bytes`.
    """
    try:
        json = _encode(event).encode()
    except UnicodeEncodeError:
        raise InvalidEvent("a text holds an unpaired surrogate, which UTF-8 cannot carry") from None
    except ValueError:
        features = event.get("features")
        if features and any(_is_not_finite(value) for value in features.values()):
            finite = {name: None if _is_not_finite(value) else value for name, value in features.items()}
            return to_json({**event, "features": finite}, max_bytes=max_bytes)
        raise InvalidEvent("a number is NaN or infinite, or has too many digits") from None
    if len(json) > max_bytes:
        raise InvalidEvent(f"its {len(json):,} bytes are more than max_batch_bytes")
    return json


def identifier(field: str, value: object) -> str:
    """An id: a text, or a whole number or UUID written as one. It is never empty."""
    if type(value) is str and value:
        return value
    value = plain(value)
    if isinstance(value, UUID) or (isinstance(value, int) and not isinstance(value, bool)):
        return str(value)
    if isinstance(value, str) and value:
        return str.__str__(value)
    raise InvalidEvent(f"{field} must be a text that is not empty, not {_kind(value)}")


def label(field: str, value: object) -> str | int | float | bool:
    """What was predicted, or what was true: a text, a number or a bool."""
    if type(value) in _LABELS:
        return value  # type: ignore[return-value]
    value = plain(value)
    if isinstance(value, str | int | float):
        exact: str | int | float | bool = _exact(value)
        return exact
    raise InvalidEvent(f"{field} must be a text or a number, not {_kind(value)}")


def number(field: str, value: object) -> int | float:
    if type(value) is float:
        return value
    value = plain(value)
    if isinstance(value, int | float):
        exact: int | float = _exact(value)
        return exact
    raise InvalidEvent(f"{field} must be a number, not {_kind(value)}")


def probability(value: object) -> float | dict[str, float]:
    """That of the positive class, or one for each label."""
    if isinstance(value, Mapping):
        shares = _entries("probability", value, MOST_LABELS)
        return {_name(plain(name)): number("probability", share) for name, share in shares}
    return number("probability", value)


def text(field: str, value: object) -> str:
    """A free text, cut at `LONGEST_TEXT` characters. Exceptions are taken too."""
    if isinstance(value, str):
        return str.__str__(value)[:LONGEST_TEXT]
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
    """Name → number, text, bool or null. A dict that holds nothing else is given back as it is, not copied."""
    if type(values) is dict and len(values) <= MOST_FEATURES:
        # No loop of Python's own: this is nearly always so, and an app waits for it.
        if _SCALARS.issuperset(map(type, values.values())) and _TEXTS.issuperset(map(type, values)):
            return values
    elif not isinstance(values, Mapping):
        raise InvalidEvent(f"features must be a mapping, not {_kind(values)}")
    return {_name(name): _feature(value) for name, value in _entries("features", values, MOST_FEATURES)}


def segment(values: object) -> dict[str, str]:
    """Name → text; a part that is None is left out."""
    if not isinstance(values, Mapping):
        raise InvalidEvent(f"segment must be a mapping, not {_kind(values)}")
    parts = _entries("segment", values, MOST_PARTS)
    return {_name(name): _name(label("segment", value)) for name, value in parts if value is not None}


def plain(value: Any) -> Any:
    """The Python value of a numpy, pandas or torch scalar, or of a Decimal; anything else as it is."""
    if type(value) in _SCALARS:
        return value
    if not isinstance(value, str | int | float):
        if hasattr(value, "item"):
            return value.item()
        if hasattr(value, "__float__"):
            return float(value)
    return value


_LABELS = frozenset({str, int, float, bool})
_SCALARS = _LABELS | {type(None)}
_TEXTS = frozenset({str})


def _entries(field: str, values: Mapping[Any, Any], most: int) -> Iterable[tuple[Any, Any]]:
    """The entries of a mapping of any kind. A mapping is other people's code: it may go on for ever."""
    entries = list(islice(values.items(), most + 1))
    if len(entries) > most:
        raise InvalidEvent(f"{field} has more than {most:,} entries")
    return entries


def _name(value: object) -> str:
    return value if type(value) is str else str.__str__(str(value))


def _feature(value: object) -> str | int | float | bool | None:
    try:
        value = plain(value)
        exact: str | int | float | bool | None = _exact(value) if isinstance(value, str | int | float) else None
    except Exception:
        # `item` and `__float__` are other people's code (an array of two has no one value): the feature is missing.
        return None
    return exact


def _exact(value: Any) -> Any:
    """What a subclass of str, int or float holds (numpy's float64, a member of an enum), as JSON writes it."""
    if type(value) in _LABELS:
        return value
    if isinstance(value, str):
        return str.__str__(value)
    return int.__int__(value) if isinstance(value, int) else float.__float__(value)


def _is_not_finite(value: object) -> bool:
    return isinstance(value, float) and not isfinite(value)


def _kind(value: object) -> str:
    return "an empty text" if type(value) is str and not value else type(value).__name__
