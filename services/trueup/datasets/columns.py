"""Columns of a table as arrays whose values are plain ones of Python: numbers, text, true and false, None."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

from trueup.datasets.source import Times
from trueup.errors import InvalidSettings
from trueup_schemas.values import LAST_SECOND, to_seconds

Values = npt.NDArray[Any]


def is_plain(kind: pa.DataType) -> bool:
    """Whether an event can carry values of this type."""
    if pa.types.is_dictionary(kind):
        return is_plain(kind.value_type)
    tests = (pa.types.is_integer, pa.types.is_floating, pa.types.is_boolean, pa.types.is_decimal, is_text)
    return any(test(kind) for test in tests)


def is_text(kind: pa.DataType) -> bool:
    """Whether it is text, of whichever length."""
    return bool(pa.types.is_string(kind) or pa.types.is_large_string(kind))


def plain(column: pa.ChunkedArray) -> Values:
    """The values; a number that is missing among floats is NaN (in JSON: null), any other is None."""
    if pa.types.is_decimal(column.type):
        column = column.cast(pa.float64())
    if pa.types.is_floating(column.type):
        return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
    if pa.types.is_integer(column.type) and not column.null_count:
        return np.asarray(column.to_numpy())
    if not pa.types.is_dictionary(column.type):
        column = column.dictionary_encode()
    # A value that stands in many rows is held once.
    encoded = column.combine_chunks()
    if isinstance(encoded, pa.ChunkedArray):
        encoded = encoded.unify_dictionaries().chunk(0) if encoded.num_chunks else pa.array([], column.type)
    held = np.array([*encoded.dictionary.to_pylist(), None], dtype=object)
    return np.asarray(held[pc.fill_null(encoded.indices, len(held) - 1).to_numpy(zero_copy_only=False)])


def texts(column: pa.ChunkedArray) -> Values:
    """The values as text, None where there is none."""
    kind = column.type.value_type if pa.types.is_dictionary(column.type) else column.type
    return plain(column.cast(pa.string()) if not is_text(kind) else column)


def seconds(name: str, column: pa.ChunkedArray) -> Times:
    """Seconds since 1970, NaN where there is none. A time without an offset is taken for UTC, as Parquet's are.

    Raises:
        InvalidSettings: these are no times.
    """
    kind = column.type
    if pa.types.is_date(kind) or pa.types.is_timestamp(kind):
        micros = column.cast(pa.timestamp("us", tz=getattr(kind, "tz", None)), safe=False).cast(pa.int64())
        return np.asarray(pc.divide(micros.cast(pa.float64()), 1e6).to_numpy(), dtype=np.float64)
    if is_plain(kind) and not is_text(kind) and not pa.types.is_dictionary(kind):
        found = np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)
        if np.any(found > LAST_SECOND) or np.any(found < 0):
            raise InvalidSettings(f"column {name!r}: times are seconds since 1970, not milliseconds")
        return found
    try:
        return np.array([np.nan if value is None else to_seconds(value) for value in column.to_pylist()])
    except ValueError as error:
        raise InvalidSettings(f"column {name!r} holds what is no time: {error}") from error
