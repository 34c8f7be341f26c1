"""What pydantic says about bytes that it refused, as a fault with words that a person understands."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import ValidationError

from trueup_schemas.dead_letter import DeadLetterReason, Fault
from trueup_schemas.json_slices import WHITE_SPACE

_BYTE_ORDER_MARK = b"\xef\xbb\xbf"
_SURROGATE = re.compile(rb"\\u[dD][89a-fA-F]")
#: How pydantic begins what it says: "Input should be ...", "String should have ...", "Value error, ...".
_OPENING_WORDS = re.compile(r"^(?:\w+ should |Value error, )")
#: What pydantic adds to the path of a field: which choice of a union it tried.
_CHOICE = re.compile(r"constrained-\w+|function-\w+\[.*\]")
_FIELDS_SHOWN = 3
#: Three fields, each a name and a value that a stranger chose: below 200 characters of his.
_SHOWN_CHARACTERS = 30


def explain(error: ValidationError, value: bytes, index: int | None = None) -> Fault:
    """The fault of one event, or of a whole record.

    Text that has no form in UTF-8, half a surrogate pair written as an escape, counts as `not_utf8`.
    """
    details = error.errors(include_url=False, include_context=False)
    if details[0]["type"] == "json_invalid":
        reason, detail = _broken(details[0]["msg"], value)
    elif not value.lstrip(WHITE_SPACE).startswith(b"{"):
        reason, detail = DeadLetterReason.NOT_AN_OBJECT, f"must be a JSON object, is {shown(details[0]['input'])}"
    else:
        reason, detail = DeadLetterReason.INVALID, _sentence(details)
    return Fault(reason, detail, value, index)


def _broken(message: str, value: bytes) -> tuple[DeadLetterReason, str]:
    message = message.removeprefix("Invalid JSON: ")
    try:
        value.decode()
    except UnicodeDecodeError as wrong:
        return DeadLetterReason.NOT_UTF8, f"is not UTF-8: {wrong.reason} at byte {wrong.start}"
    if "recursion limit" in message:
        return DeadLetterReason.TOO_DEEP, f"is nested too deeply: {message}"
    if "hex escape" in message and _SURROGATE.search(value):
        return DeadLetterReason.NOT_UTF8, f"holds half a surrogate pair, which is no character: {message}"
    if value.startswith(_BYTE_ORDER_MARK):
        return DeadLetterReason.NOT_JSON, "begins with a byte order mark: JSON is sent without one"
    return DeadLetterReason.NOT_JSON, f"is not JSON: {message}"


def _sentence(details: Iterable[Mapping[str, Any]]) -> str:
    """One clause a field; of several tries at the same field, the last: it is the most lenient."""
    clauses: dict[str, str] = {}
    for detail in details:
        field = _path(detail["loc"])
        if detail["type"] == "missing":
            clauses[field] = f"{field} is required"
        else:
            message = _OPENING_WORDS.sub("must ", detail["msg"]).replace("must is", "is").replace("must has", "has")
            clauses[field] = f"{field} {message}, got {shown(detail['input'])}"
    first = list(clauses.values())[:_FIELDS_SHOWN]
    more = len(clauses) - len(first)
    return "; ".join(first) + (f"; and {more} more" if more else "")


def _path(loc: tuple[str | int, ...]) -> str:
    parts = [str(part)[:_SHOWN_CHARACTERS] for part in loc]
    while len(parts) > 1 and _CHOICE.fullmatch(parts[-1]):
        parts.pop()
    return ".".join(parts)


def shown(value: Any) -> str:
    """A value as a person would see it in JSON, at most 30 characters of it."""
    if isinstance(value, dict):
        return "an object"
    if isinstance(value, list):
        return "an array"
    if isinstance(value, str):
        cut = value[:_SHOWN_CHARACTERS]
        return repr(cut) + ("..." if len(cut) < len(value) else "")
    if value is None or isinstance(value, bool):
        return {None: "null", True: "true", False: "false"}[value]
    if isinstance(value, int) and value.bit_length() > 128:
        return f"an integer of {value.bit_length()} bits"
    return repr(value)
