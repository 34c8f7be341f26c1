"""Lines of JSON are the events of the topics, told in the order of their time."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from builders import HOUR, T0, deployment, feedback, prediction
from trueup.datasets.falls import Fall
from trueup.datasets.json_lines import JsonLines
from trueup.errors import InvalidSettings


def lines(tmp_path: Path, *said: Any, fall: Fall | None = None) -> JsonLines:
    path = tmp_path / "events.jsonl"
    path.write_text("".join((each if isinstance(each, str) else json.dumps(each)) + "\n" for each in said))
    return JsonLines(path, slice_seconds=HOUR, fall=fall, tolerance=lambda _: None)


def told(source: JsonLines) -> list[tuple[str, Any]]:
    return [(chunk.topic, json.loads(record.value or b"")) for chunk in source.chunks(1) for record in chunk.records]


def test_lines_in_any_order_are_told_by_time_and_topic(tmp_path: Path) -> None:
    early, late = prediction("a", at=T0 + 5), prediction("b", at=T0 + 2 * HOUR)
    truth, role = feedback("a", at=T0), deployment("v1", at=T0 + 9)
    assert told(lines(tmp_path, late, truth, early, role)) == [
        ("deployments", role),
        ("predictions", early),
        ("feedback", truth),
        ("predictions", late),
    ]


def test_a_batch_in_a_line_is_its_events(tmp_path: Path) -> None:
    batch = [prediction("a", at=T0), prediction("b", at=T0 + 1)]
    assert [event for _, event in told(lines(tmp_path, batch))] == batch


def test_what_is_no_event_is_counted_by_its_reason(tmp_path: Path) -> None:
    undated = {key: value for key, value in prediction("b").items() if key != "predicted_at"}
    source = lines(tmp_path, "no json", '"text"', {"model_id": "m"}, undated, prediction("a"), "")
    assert len(told(source)) == 1
    assert sum(source.refused.values()) == 4
    assert source.refused["predictions: without predicted_at"] == 1


def test_a_file_without_any_event_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="holds no event that can be used"):
        lines(tmp_path, "no json")


def test_a_fall_is_planted_in_what_is_joined(tmp_path: Path) -> None:
    n = 1_000
    said = [
        event for at in range(n) for event in (prediction(f"p{at}", at % 2, at=T0 + at), feedback(f"p{at}", at % 2))
    ]
    fallen = told(lines(tmp_path, *said, fall=Fall(0.3, T0 + 500)))
    wrong = [
        event["prediction_id"]
        for topic, event in fallen
        if topic == "feedback" and event["actual"] != int(event["prediction_id"][1:]) % 2
    ]
    assert len(wrong) == pytest.approx(150, abs=35)
    assert all(int(name[1:]) >= 500 for name in wrong)
