"""A row of a Parquet or CSV file becomes a prediction and its truth, as an app would have sent them."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet
import pytest

from builders import HOUR, T0
from trueup.datasets.falls import Fall
from trueup.datasets.tables import Mapped, Reading, Table, mapped, read
from trueup.errors import InvalidSettings
from trueup_schemas import topics
from trueup_schemas.codec import Codec

ROWS: dict[str, list[Any]] = {
    "prediction_id": ["a", "b", "c"],
    "model_id": ["m", "m", "m"],
    "model_version": ["v1", "v1", "v2"],
    "predicted_at": [T0 + 60, T0, T0 + 120],
    "prediction": [1, 0, 1],
    "probability": [0.9, 0.25, None],
    "actual": [1, None, 0],
    "observed_at": [T0 + HOUR, None, T0 + 2 * HOUR],
    "temp": [1.5, None, 3.0],
    "carrier": ["UA", "AA", None],
}


def events(table: pa.Table, reading: Reading | None = None, **more: Any) -> dict[str, list[dict[str, Any]]]:
    """What is told, by topic, as the workers decode it; nothing in it is at fault."""
    told: dict[str, list[dict[str, Any]]] = {"predictions": [], "feedback": []}
    source = Table(table, reading or Reading(), **{"fall": None, "tolerance": lambda _: None, **more})
    for chunk in source.chunks(1):
        for record in chunk.records:
            decoded = Codec(topics.TOPICS[chunk.topic]).decode(record.value)
            assert decoded.faults == []
            told[chunk.topic] += [event for _, event in decoded.events]
    return told


def rows(**more: list[Any] | None) -> pa.Table:
    return pa.table({name: values for name, values in (ROWS | more).items() if values is not None})


def test_rows_are_predictions_in_the_order_of_their_time() -> None:
    told = events(rows(), Reading(segments=("carrier",)))
    assert [event["prediction_id"] for event in told["predictions"]] == ["b", "a", "c"]
    assert told["predictions"][1] == {
        "prediction_id": "a",
        "model_id": "m",
        "model_version": "v1",
        "predicted_at": T0 + 60,
        "prediction": 1,
        "probability": 0.9,
        "features": {"temp": 1.5, "carrier": "UA"},
        "segment": {"carrier": "UA"},
    }
    assert told["predictions"][2]["segment"] == {}
    assert told["predictions"][0]["features"] == {"temp": None, "carrier": "AA"}


def test_a_row_whose_truth_is_known_is_feedback_too() -> None:
    told = events(rows())
    assert told["feedback"] == [
        {"prediction_id": "a", "model_id": "m", "observed_at": T0 + HOUR, "actual": 1},
        {"prediction_id": "c", "model_id": "m", "observed_at": T0 + 2 * HOUR, "actual": 0},
    ]


def test_what_no_column_says_is_said_once_for_all() -> None:
    bare = rows(prediction_id=None, model_id=None, model_version=None, observed_at=None)
    told = events(bare, Reading(model_id="fraud", model_version="v9", delay_hours=2.0))
    first = told["predictions"][0]
    assert (first["prediction_id"], first["model_id"], first["model_version"]) == ("row-1", "fraud", "v9")
    assert [event["observed_at"] for event in told["feedback"]] == [T0 + 60 + 2 * HOUR, T0 + 120 + 2 * HOUR]


def test_columns_of_other_names_are_named() -> None:
    table = rows().rename_columns(["label" if name == "actual" else name for name in ROWS])
    told = events(table, Reading(mapped=mapped(["actual=label"])))
    assert [event["actual"] for event in told["feedback"]] == [1, 0]


@pytest.mark.parametrize("pair", ["actual", "truth=label", "actual="])
def test_a_column_for_no_field_is_refused(pair: str) -> None:
    with pytest.raises(InvalidSettings, match="write FIELD=COLUMN"):
        mapped([pair])


@pytest.mark.parametrize(
    "times",
    [
        [datetime.fromtimestamp(T0 + at, UTC) for at in (60, 0, 120)],
        [datetime.fromtimestamp(T0 + at, UTC).replace(tzinfo=None) for at in (60, 0, 120)],
        [datetime.fromtimestamp(T0 + at, UTC).isoformat() for at in (60, 0, 120)],
        [int(T0 + at) for at in (60, 0, 120)],
    ],
    ids=["with a zone", "without, which is UTC", "text", "whole seconds"],
)
def test_times_are_read_however_they_are_written(times: list[Any]) -> None:
    told = events(rows(predicted_at=times))
    assert [event["predicted_at"] for event in told["predictions"]] == [T0, T0 + 60, T0 + 120]


@pytest.mark.parametrize("times", [[T0 * 1_000] * 3, ["yesterday"] * 3], ids=["milliseconds", "words"])
def test_what_is_no_time_is_refused(times: list[Any]) -> None:
    with pytest.raises(InvalidSettings, match="column 'predicted_at'"):
        events(rows(predicted_at=times))


def test_a_table_without_a_needed_column_says_how_to_name_it() -> None:
    with pytest.raises(InvalidSettings, match=r"no column 'predicted_at'.*--column FIELD=COLUMN"):
        events(rows(predicted_at=None))


def test_a_row_without_a_time_is_counted_and_left_out() -> None:
    source = Table(rows(predicted_at=[T0, None, T0]), Reading(), fall=None, tolerance=lambda _: None)
    assert sum(source.refused.values()) == 1
    assert sum(len(chunk.records) for chunk in source.chunks(1) if chunk.topic == "predictions") == 2


def test_labels_stay_what_they_are() -> None:
    told = events(rows(prediction=[True, False, True], actual=["yes", None, "no"], probability=None))
    assert [event["prediction"] for event in told["predictions"]] == [False, True, True]
    assert [event["actual"] for event in told["feedback"]] == ["yes", "no"]


def test_csv_and_parquet_tell_the_same(tmp_path: Path) -> None:
    table = rows()
    pyarrow.parquet.write_table(table, tmp_path / "t.parquet")
    header = ",".join(ROWS)
    lines = [",".join("" if row[name] is None else str(row[name]) for name in ROWS) for row in table.to_pylist()]
    (tmp_path / "t.csv").write_text("\n".join([header, *lines]) + "\n")
    first, second = (events(read(tmp_path / name)) for name in ("t.parquet", "t.csv"))
    # An empty field of text is an empty text in CSV.
    assert json.dumps(second).replace('"carrier": ""', '"carrier": null') == json.dumps(first)


def test_a_file_that_is_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "t.parquet").write_text("no")
    with pytest.raises(InvalidSettings, match=r"t\.parquet cannot be read as parquet"):
        read(tmp_path / "t.parquet")


def test_a_fall_changes_truths_from_its_beginning_on_and_nothing_else() -> None:
    n = 2_000
    table = pa.table(
        {
            "prediction_id": [f"p{number}" for number in range(n)],
            "model_id": ["m"] * n,
            "predicted_at": [T0 + number for number in range(n)],
            "prediction": [number % 2 for number in range(n)],
            "actual": [number % 2 for number in range(n)],
        }
    )
    plain, fallen = events(table), events(table, fall=Fall(0.2, T0 + n / 2))
    assert fallen["predictions"] == plain["predictions"]
    changed = [
        number
        for number, (before, after) in enumerate(zip(plain["feedback"], fallen["feedback"], strict=True))
        if before["actual"] != after["actual"]
    ]
    assert min(changed) >= n / 2
    assert len(changed) == pytest.approx(0.2 * n / 2, abs=40)


def test_the_fields_have_columns_of_their_own_name() -> None:
    assert all(getattr(Mapped(), name) == name for name in Mapped.__dataclass_fields__)
