"""Bytes to events and back: what a record of a topic holds, and what is wrong with the rest of it.

A record is one JSON object, or an array of objects of one topic and one model (a batch). What is done where a choice
had to be made:

- An event that is wrong is a fault, its neighbours in the batch are events. A batch whose own brackets, quotes or
  commas are broken is one fault. An empty array is neither: it says nothing, and nothing is lost with it.
- A field that the topic knows, twice in one event, is a fault (`trueup_schemas.duplicate_keys`). Repeated names among
  features or unknown fields take their last value.
- Unknown fields are dropped. They must be JSON (and not nested more than 200 deep), but what they hold is not looked
  at: a number beyond a double or a NaN there harms nobody. In a known field it is a fault.
- Null is the same as left out.
- Integers stay integers, floats floats, true and false what they are; times and shares become floats.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any

from pydantic import BaseModel, TypeAdapter, ValidationError
from pydantic_core import SchemaValidator, core_schema, to_json

from trueup_schemas.dead_letter import DeadLetterReason, Fault
from trueup_schemas.duplicate_keys import DuplicateKeys
from trueup_schemas.explain import explain, shown
from trueup_schemas.json_slices import WHITE_SPACE, array_elements
from trueup_schemas.topics import TOPICS, Topic

Event = dict[str, Any]

MAX_RECORD_BYTES = 1_048_576
#: A megabyte of ones and commas would be half a million faults.
MAX_BATCH_EVENTS = 25_000

_OBJECT, _ARRAY, _SPACE = ord("{"), ord("["), ord(" ")


@dataclass(slots=True)
class Decoded:
    """What a record holds. Every event of a batch is in one of the two, with its index; a bare object has index 0.

    Read only. A frozen one would take twice as long to build, on every record.
    """

    events: list[tuple[int, Event]]
    faults: list[Fault]


class Codec:
    """Decodes the records of one topic. Building one takes milliseconds: do it once.

    Args:
        topic: one whose events are JSON; `dead-letters` holds bytes as they came, and has no codec.
        max_record_bytes: a longer record is a fault, unread.

    Raises:
        ValueError: the topic holds bytes as they came.
    """

    __slots__ = (
        "_duplicates",
        "_is_model",
        "_max_record_bytes",
        "_none_twice",
        "_topic",
        "_validate",
        "_validate_list",
    )

    def __init__(self, topic: Topic, *, max_record_bytes: int = MAX_RECORD_BYTES) -> None:
        if topic.value is None:
            raise ValueError(f"topic {topic.name} holds bytes as they came: there is nothing to decode")
        adapter: TypeAdapter[Any] = TypeAdapter(topic.value)
        batch = SchemaValidator(core_schema.list_schema(adapter.core_schema, fail_fast=True))
        self._topic = topic
        self._max_record_bytes = max_record_bytes
        self._validate = adapter.validator.validate_json
        self._validate_list = batch.validate_json
        self._is_model = isinstance(topic.value, type) and issubclass(topic.value, BaseModel)
        self._duplicates = _duplicate_keys(adapter) if topic.direction == "in" else None
        self._none_twice = _unchecked if self._duplicates is None else self._duplicates.surely_none_in

    def decode(self, value: bytes | None) -> Decoded:
        """The events of a record, and its faults. Never raises, whatever the bytes; None is a tombstone."""
        if value and value[0] == _OBJECT and len(value) <= self._max_record_bytes:
            return self._decode_object(value)
        if not value:
            return _refused(DeadLetterReason.EMPTY, "the record has no value", b"")
        if len(value) > self._max_record_bytes:
            detail = f"{len(value)} bytes are more than the {self._max_record_bytes} that a record may have"
            return _refused(DeadLetterReason.TOO_LARGE, detail, value)
        first = value[0]
        if first <= _SPACE:
            text = value.lstrip(WHITE_SPACE)
            if not text:
                return _refused(DeadLetterReason.EMPTY, "the record holds nothing but white space", value)
            first = text[0]
        if first == _ARRAY and self._topic.batches:
            return self._decode_batch(value)
        return self._decode_object(value)

    def decode_many(self, values: Iterable[bytes | None]) -> list[Event | Decoded]:
        """Of each record what `decode` gives, in order; the bare event where that is all: a bare object without fault.

        Most records are just that, and the work around each would cost half as much as reading it.
        """
        validate, none_twice, says_nothing = self._validate, self._none_twice, self._says_nothing
        one_of = self._topic.one_of
        # Models are read by `decode` alone.
        longest = -1 if self._is_model else self._max_record_bytes
        commonest = one_of[0] if one_of else self._topic.key
        found: list[Event | Decoded] = []
        for value in values:
            if value and value[0] == _OBJECT and len(value) <= longest:
                try:
                    event = validate(value)
                except ValidationError:
                    pass
                else:
                    if none_twice(value, event) and (event.get(commonest) is not None or not says_nothing(event)):
                        found.append(event)
                        continue
            found.append(self.decode(value))
        return found

    def _decode_object(self, value: bytes) -> Decoded:
        judged = self._judge(value)
        return Decoded([], [judged]) if isinstance(judged, Fault) else Decoded([(0, judged)], [])

    def _judge(self, value: bytes, index: int | None = None) -> Event | Fault:
        try:
            event = self._validate(value)
        except ValidationError as error:
            return explain(error, value, index)
        if self._is_model:
            event = event.model_dump()
        if (duplicates := self._duplicates) is not None and not duplicates.surely_none(value, (event,)):
            name = duplicates.repeated(value)
            if name is not None:
                return Fault(DeadLetterReason.DUPLICATE_KEY, f"{name} stands twice in one event", value, index)
        if self._says_nothing(event):
            detail = f"one of {' and '.join(self._topic.one_of)} is required"
            return Fault(DeadLetterReason.INVALID, detail, value, index)
        return event  # type: ignore[no-any-return]

    def _says_nothing(self, event: Event) -> bool:
        one_of = self._topic.one_of
        for name in one_of:
            if event.get(name) is not None:
                return False
        return bool(one_of)

    def _decode_batch(self, value: bytes) -> Decoded:
        """All at once; where anything at all is wrong, one by one."""
        try:
            events = self._validate_list(value)
        except ValidationError as error:
            elements = array_elements(value)
            return Decoded([], [explain(error, value)]) if elements is None else self._decode_each(value, elements)
        if self._is_model:
            events = [event.model_dump() for event in events]
        if len(events) > MAX_BATCH_EVENTS or not self._all_well(value, events):
            return self._decode_each(value, array_elements(value) or [])
        return Decoded(list(enumerate(events)), [])

    def _all_well(self, value: bytes, events: Sequence[Event]) -> bool:
        key = self._topic.key
        model = events[0].get(key) if events else None
        for event in events:
            if event.get(key) != model or self._says_nothing(event):
                return False
        return self._duplicates is None or self._duplicates.surely_none(value, events)

    def _decode_each(self, value: bytes, elements: Sequence[bytes]) -> Decoded:
        if len(elements) > MAX_BATCH_EVENTS:
            detail = f"{len(elements)} events are more than the {MAX_BATCH_EVENTS} that a batch may have"
            return _refused(DeadLetterReason.TOO_LARGE, detail, value)
        decoded = Decoded([], [])
        key = self._topic.key
        for index, element in enumerate(elements):
            judged = self._judge(element, index)
            if isinstance(judged, Fault):
                decoded.faults.append(judged)
            elif decoded.events and judged.get(key) != (expected := decoded.events[0][1].get(key)):
                found = shown(judged.get(key))
                detail = f"{key} is {found} in a batch of {shown(expected)}: a batch holds events of one model"
                decoded.faults.append(Fault(DeadLetterReason.MIXED_MODELS, detail, element, index))
            else:
                decoded.events.append((index, judged))
        return decoded


def _unchecked(_: bytes, __: Event) -> bool:
    return True


def _refused(reason: DeadLetterReason, detail: str, value: bytes) -> Decoded:
    return Decoded([], [Fault(reason, detail, value)])


def _duplicate_keys(adapter: TypeAdapter[Any]) -> DuplicateKeys:
    fields: dict[str, Any] = adapter.json_schema()["properties"]
    nested = [name for name, field in fields.items() if b'"object"' in to_json(field)]
    return DuplicateKeys(fields, nested)


def encode(topic: Topic, event: Event | BaseModel) -> bytes:
    """One event as compact JSON: the same event, the same bytes.

    Fields stand in the order of the topic's model, the entries of a mapping in their own. Of an event that comes in,
    fields that are unknown or null are left out; an output keeps its nulls, so that every field is seen.

    Args:
        event: valid for the topic; a model, or a dict (its times as seconds since 1970).

    Raises:
        ValueError: what has no form in JSON (NaN, infinity, half a surrogate pair, an object of another kind), or an
            output that is not valid.
    """
    return _encoder(topic.name).encode(event)


def encode_batch(topic: Topic, events: Iterable[Event | BaseModel]) -> bytes:
    """Events of one model as one record, a JSON array of what `encode` makes of each.

    Raises:
        ValueError: as `encode`.
    """
    return b"[" + b",".join(map(_encoder(topic.name).encode, events)) + b"]"


class _Encoder:
    """Writes the events of one topic."""

    def __init__(self, topic: Topic) -> None:
        self._adapter: TypeAdapter[Any] = TypeAdapter(topic.value)
        self._is_model = isinstance(topic.value, type) and issubclass(topic.value, BaseModel)
        self._fields: tuple[str, ...] = ()
        if topic.direction == "in":
            self._fields = tuple(self._adapter.json_schema()["properties"])

    def encode(self, event: Event | BaseModel) -> bytes:
        if self._is_model:
            event = self._adapter.validate_python(event)
            return self._adapter.dump_json(event)
        assert isinstance(event, dict)
        if self._fields:
            event = {name: held for name in self._fields if (held := event.get(name)) is not None}
        return _finite(to_json(event, inf_nan_mode="constants"), event)


def _finite(data: bytes, event: Event) -> bytes:
    """The bytes; where they may hold NaN or infinity as a number, the exact check, which raises."""
    if b"NaN" in data or b"Infinity" in data:
        json.dumps(event, allow_nan=False)
    return data


@cache
def _encoder(name: str) -> _Encoder:
    return _Encoder(TOPICS[name])
