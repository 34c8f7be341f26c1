"""Topic `dead-letters`: what could not be used, its bytes untouched. Out, keyed as it came; why, in headers."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum


class DeadLetterReason(StrEnum):
    """Why an event could not be used. A closed set: also the metric's label and what the console shows."""

    EMPTY = "empty"
    TOO_LARGE = "too_large"
    NOT_UTF8 = "not_utf8"
    NOT_JSON = "not_json"
    TOO_DEEP = "too_deep"
    NOT_AN_OBJECT = "not_an_object"
    DUPLICATE_KEY = "duplicate_key"
    INVALID = "invalid"
    MIXED_MODELS = "mixed_models"
    MISROUTED = "misrouted"
    STEP_FAILED = "step_failed"


@dataclass(frozen=True, slots=True)
class Fault:
    """What is wrong with one event of a record. `index` is its place in a batch, None for the whole record.

    `value` are the event's own bytes as they stood in the record.
    """

    reason: DeadLetterReason
    detail: str
    value: bytes
    index: int | None = None


#: Names of the headers of a dead letter, all text in UTF-8.
HEADER_REASON = "trueup_reason"
HEADER_DETAIL = "trueup_detail"
HEADER_TOPIC = "trueup_topic"
HEADER_PARTITION = "trueup_partition"
HEADER_OFFSET = "trueup_offset"
#: Of one event of a batch only: its place in the array.
HEADER_INDEX = "trueup_index"
#: How many bytes the value had, where it was too large for Kafka and is left out.
HEADER_LEFT_OUT = "trueup_left_out_bytes"
REQUIRED_HEADERS = (HEADER_REASON, HEADER_DETAIL, HEADER_TOPIC, HEADER_PARTITION, HEADER_OFFSET)


def headers(fault: Fault, *, topic: str, partition: int, offset: int) -> list[tuple[str, bytes]]:
    """The headers of a dead letter: why, and where the original stands. The detail is cut at 1,024 characters."""
    pairs = [
        (HEADER_REASON, fault.reason.value),
        (HEADER_DETAIL, fault.detail[:1024]),
        (HEADER_TOPIC, topic),
        (HEADER_PARTITION, str(partition)),
        (HEADER_OFFSET, str(offset)),
    ]
    if fault.index is not None:
        pairs.append((HEADER_INDEX, str(fault.index)))
    return [(name, text.encode("utf-8", "backslashreplace")) for name, text in pairs]
