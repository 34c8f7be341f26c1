"""Parquet and CSV: a row is a prediction and, where it is known, its truth. Needs pyarrow (`trueup[backtest]`).

The table is held in memory by columns; events are made of its rows slice by slice.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any

import numpy as np
import numpy.typing as npt
import orjson
import pyarrow as pa
import pyarrow.csv
import pyarrow.parquet

from trueup.datasets import columns, falls
from trueup.datasets.columns import Values
from trueup.datasets.falls import Answered, Fall, Tolerance
from trueup.datasets.source import Stream, Times, Told, in_slices
from trueup.engine.records import Chunk
from trueup.errors import InvalidSettings

HOUR = 3_600.0
Rows = npt.NDArray[np.intp]


@dataclass(frozen=True, slots=True)
class Mapped:
    """Which column holds what. A field whose column the table lacks is left out; other columns are features."""

    prediction_id: str = "prediction_id"
    model_id: str = "model_id"
    model_version: str = "model_version"
    predicted_at: str = "predicted_at"
    prediction: str = "prediction"
    probability: str = "probability"
    actual: str = "actual"
    score: str = "score"
    observed_at: str = "observed_at"
    latency_ms: str = "latency_ms"


@dataclass(frozen=True, slots=True)
class Reading:
    """How a table is read."""

    mapped: Mapped = Mapped()
    #: Where no column says so: the model and version of every row, and how long after a prediction its truth is known.
    model_id: str | None = None
    model_version: str = "v1"
    delay_hours: float = 0.0
    #: Columns whose values are segments; they are features too.
    segments: tuple[str, ...] = ()
    slice_seconds: float = HOUR


def mapped(pairs: Sequence[str]) -> Mapped:
    """`FIELD=COLUMN` as the options say them.

    Raises:
        InvalidSettings: no pair, or no such field.
    """
    known = [each.name for each in fields(Mapped)]
    given: dict[str, str] = {}
    for pair in pairs:
        name, equals, column = pair.partition("=")
        if not equals or not column or name not in known:
            raise InvalidSettings(f"--column {pair!r}: write FIELD=COLUMN, with one of {', '.join(known)}")
        given[name] = column
    return Mapped(**given)


def read(path: Path) -> pa.Table:
    """The table of a Parquet or CSV file.

    Raises:
        InvalidSettings: it cannot be read.
    """
    try:
        if path.suffix == ".csv":
            return pyarrow.csv.read_csv(path)
        return pyarrow.parquet.read_table(path)
    except (pa.ArrowException, OSError) as error:
        raise InvalidSettings(f"{path} cannot be read as {path.suffix[1:]}: {error}") from error


class Table:
    """A `Source` made of a table."""

    def __init__(self, table: pa.Table, reading: Reading, *, fall: Fall | None, tolerance: Tolerance) -> None:
        """`fall` is planted, where there is one.

        Raises:
            InvalidSettings: a column is missing or of a wrong type, or the fall cannot be planted.
        """
        self._reading = reading
        self._rows = _Rows(table, reading)
        self._predicted = self._rows.predicted_at
        self.refused: Mapping[str, int] = Counter(
            {"rows without a time of prediction": int(np.isnan(self._predicted).sum())}
        )
        if fall is not None:
            self._rows.plant(fall, tolerance)

    def chunks(self, partitions: int) -> Iterator[Chunk]:
        rows = self._rows
        streams: dict[str, Stream] = {
            "predictions": _Ordered(self._predicted, rows.predictions),
            "feedback": _Ordered(rows.observed_at, rows.feedback),
        }
        yield from in_slices(streams, self._reading.slice_seconds, partitions)


class _Ordered:
    """Rows in the order of a time, without those that have none; equal times in the order of the table."""

    def __init__(self, times: Times, make: Any) -> None:
        order = np.argsort(times, kind="stable")  # NaN comes last
        self._order: Rows = order[: len(times) - int(np.isnan(times).sum())]
        self.times: Times = times[self._order]
        self._make = make

    def told(self, first: int, end: int) -> list[Told]:
        made: list[Told] = self._make(self._order[first:end])
        return made


class _Rows:
    """What the rows say, as events."""

    def __init__(self, table: pa.Table, reading: Reading) -> None:
        self._table = table
        self._reading = reading
        self._there = set(table.column_names)
        self._refuse_missing()
        self.predicted_at: Times = columns.seconds(reading.mapped.predicted_at, self._column("predicted_at"))
        numbered = np.array([f"row-{number}" for number in range(table.num_rows)], dtype=object)
        self._ids = self._texts("prediction_id", numbered)
        self._models = self._texts("model_id", np.full(table.num_rows, reading.model_id, dtype=object))
        self._versions = self._texts("model_version", np.full(table.num_rows, reading.model_version, dtype=object))
        self._answers = self._plain("prediction", "probability", "latency_ms")
        self._truths = self._plain("actual", "score")
        self._segments = {name: columns.texts(table.column(name)) for name in reading.segments}
        taken = {getattr(reading.mapped, each.name) for each in fields(Mapped)}
        self._features = {
            name: columns.plain(table.column(name))
            for name, kind in zip(table.column_names, table.schema.types, strict=True)
            if name not in taken and columns.is_plain(kind)
        }
        self.observed_at: Times = self._observed_at()

    def predictions(self, rows: Rows) -> list[Told]:
        """The predictions of these rows."""
        named = {"prediction_id": self._ids, "model_version": self._versions, "predicted_at": self.predicted_at}
        told = self._events(rows, {**named, **self._answers})
        nested = {"features": self._features, "segment": self._segments}
        for name, kept in nested.items():
            if kept:
                columns_of_rows = [values[rows].tolist() for values in kept.values()]
                for event, *row in zip(told, *columns_of_rows, strict=True):
                    event[name] = dict(zip(kept, row, strict=True))
        for event in told:
            segment = event.get("segment")
            if segment is not None and None in segment.values():
                event["segment"] = {name: value for name, value in segment.items() if value is not None}
        return _written(told)

    def feedback(self, rows: Rows) -> list[Told]:
        """The truths of these rows."""
        named = {"prediction_id": self._ids, "observed_at": self.observed_at}
        return _written(self._events(rows, {**named, **self._truths}))

    def plant(self, fall: Fall, tolerance: Tolerance) -> None:
        """Make the fall true."""
        if "actual" not in self._truths or "prediction" not in self._answers:
            raise InvalidSettings("--inject needs a table with predictions and what turned out to be true")
        begun = np.flatnonzero((self.predicted_at >= fall.begin) & (self.predicted_at < fall.end))
        known = begun[~np.isnan(self.observed_at[begun])]
        of_rows = (known, *(values[known] for values in self._of_answered()))
        answered = [Answered(*row) for row in zip(*(values.tolist() for values in of_rows), strict=True)]
        planted = falls.plant(
            fall,
            [each for each in answered if fall.model_id in (None, each.model_id)],
            tolerance,
        )
        actual = self._truths["actual"].astype(object)
        for row, truth in planted.items():
            actual[row] = truth
        self._truths["actual"] = actual

    def _of_answered(self) -> tuple[Values, ...]:
        return self._models, self._ids, self._answers["prediction"], self._truths["actual"]

    def _events(self, rows: Rows, named: Mapping[str, Values]) -> list[dict[str, Any]]:
        names = ("model_id", *named)
        of_rows = [values[rows].tolist() for values in (self._models, *named.values())]
        return [dict(zip(names, row, strict=True)) for row in zip(*of_rows, strict=True)]

    def _refuse_missing(self) -> None:
        reading = self._reading
        wanted = [reading.mapped.predicted_at, *reading.segments]
        wanted += [] if reading.model_id else [reading.mapped.model_id]
        missing = [name for name in wanted if name not in self._there]
        if missing:
            raise InvalidSettings(
                f"the table has no column {missing[0]!r}: say which it is with --column FIELD=COLUMN (and --model NAME "
                f"where all rows are of one model); it has {', '.join(sorted(self._there))}"
            )

    def _column(self, field: str) -> Any:
        return self._table.column(getattr(self._reading.mapped, field))

    def _has(self, field: str) -> bool:
        return getattr(self._reading.mapped, field) in self._there

    def _texts(self, field: str, otherwise: Values) -> Values:
        return columns.texts(self._column(field)) if self._has(field) else otherwise

    def _plain(self, *wanted: str) -> dict[str, Values]:
        return {field: columns.plain(self._column(field)) for field in wanted if self._has(field)}

    def _observed_at(self) -> Times:
        """When the truth was known; NaN where it is not."""
        if self._has("observed_at"):
            times = columns.seconds(self._reading.mapped.observed_at, self._column("observed_at"))
        else:
            times = self.predicted_at + self._reading.delay_hours * HOUR
        unknown = np.ones(len(times), dtype=bool)
        for values in self._truths.values():
            unknown &= np.array([_is_missing(value) for value in values.tolist()], dtype=bool)
        return np.where(unknown, np.nan, times)


def _is_missing(value: Any) -> bool:
    return value is None or value != value


def _written(events: Sequence[dict[str, Any]]) -> list[Told]:
    dumps = orjson.dumps  # which writes NaN as null
    return [Told(event["model_id"] or "", dumps(event)) for event in events]
