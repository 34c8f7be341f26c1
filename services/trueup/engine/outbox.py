"""Outputs as bytes in the outbox, and back."""

from __future__ import annotations

from typing import Any

import msgpack

from trueup.step import Output


def encode(output: Output) -> bytes:
    """One output as msgpack."""
    packed: bytes = msgpack.packb([output.topic, output.partition, output.key, output.value, output.headers])
    return packed


def decode(raw: bytes) -> Output:
    """The output again, with the same bytes in it."""
    topic, partition, key, value, headers = msgpack.unpackb(raw)
    pairs: list[tuple[Any, Any]] = headers
    return Output(topic, key, value, tuple((str(name), bytes(text)) for name, text in pairs), partition)
