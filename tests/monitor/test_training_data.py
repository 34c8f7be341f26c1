"""The data that an alarm names: exact offsets, and a count that a recount of the same records confirms."""

from __future__ import annotations

import random
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, HOUR, T0, Event, MonitorHarness, Take, feedback, monitor_config, prediction
from trueup.monitor.step import Place
from trueup.monitor.training_data import TrainingIndex


def stream(seed: int, *, repeats: bool) -> list[tuple[str, Event]]:
    """Two models' predictions and truths, some of them late, some before their prediction; `m` fails after 330."""
    rng = random.Random(seed)
    timed: list[tuple[float, str, Event]] = []
    for i in range(500):
        model = "m" if rng.random() < 0.7 else "other"
        at = T0 + i * 300.0
        told_at = at + rng.choice((-60.0, 0.0, 600.0, 7_200.0, 30_000.0))
        versions = ("v1", "v2") if rng.random() < 0.2 else ("v1",)
        answer = prediction(f"p{i}", 1, model=model, at=at)
        timed += [(at, "predictions", answer | {"model_version": version}) for version in versions]
        truth = feedback(f"p{i}", int(rng.random() < (0.05 if i > 330 else 0.97)), model=model, at=told_at)
        if rng.random() < 0.9:
            timed.append((told_at, "feedback", truth))
        if repeats and rng.random() < 0.2:
            timed.append((told_at + 50_000.0, "feedback", {**truth, "observed_at": told_at + 50_000.0, "actual": 0}))
    timed.sort(key=lambda item: item[0])
    return [(topic, event) for _, topic, event in timed]


def chunks(events: list[tuple[str, Event]], size: int) -> list[Take]:
    """Runs of one topic, of `size` at most."""
    found: list[Take] = []
    for topic, event in events:
        if found and found[-1].topic == topic and len(found[-1].events) < size:
            found[-1] = Take(topic, (*found[-1].events, event))
        else:
            found.append(Take(topic, (event,)))
    return found


def labelled_ids(records: dict[str, list[tuple[int, Event]]], data: Event, model: str) -> set[str]:
    """Ids whose truth was first observed in the range, of the records with these offsets."""
    answered = {e["prediction_id"] for _, e in records["predictions"] if e["model_id"] == model}
    first: dict[str, float] = {}
    for _, event in records["feedback"]:
        if event["model_id"] == model:
            first.setdefault(event["prediction_id"], event["observed_at"])
    return {key for key, at in first.items() if key in answered and data["from_time"] <= at < data["to_time"]}


@pytest.mark.parametrize("repeats", [False, True], ids=["plain", "with corrections"])
@pytest.mark.parametrize("size", [1, 7, 1_000], ids=["one by one", "small chunks", "large chunks"])
@pytest.mark.parametrize("seed", range(2))
def test_the_count_and_the_offsets_are_those_of_a_recount(seed: int, size: int, repeats: bool) -> None:
    promised = {"objective": 0.1, "task": "binary", "training_days": 2.0}
    config = monitor_config(model=promised, false_pages_per_month=1_000)
    events = sorted(stream(seed, repeats=repeats), key=lambda item: item[0]) if size == 1_000 else None
    taken = chunks(events or stream(seed, repeats=repeats), size)
    harness = MonitorHarness(config, place=Place(3, 8, prefix="acme.", clock="stream"))
    log: dict[str, list[tuple[int, Event]]] = {"predictions": [], "feedback": []}
    checked = 0
    for take in taken:
        harness.run(Take(take.topic, take.events))
        for event in take.events:
            log[take.topic].append((len(log[take.topic]), event))
        alarms = [signal for signal in harness.signals("change_detected") if "training_data" in signal]
        for alarm in alarms[checked:]:
            check(alarm, log, repeats=repeats)
        checked = len(alarms)

    assert checked >= 1


def check(alarm: Event, log: dict[str, list[tuple[int, Event]]], *, repeats: bool) -> None:
    data: dict[str, Any] = alarm["training_data"]
    ranges = {topic: data["topics"][f"acme.{topic}"]["3"] for topic in log}
    expected = labelled_ids(log, data, alarm["model_id"])
    in_ranges = {
        topic: [(offset, event) for offset, event in log[topic] if start <= offset < end]
        for topic, (start, end) in ranges.items()
    }
    first_feedback: dict[str, int] = {}
    first_prediction: dict[str, int] = {}
    for topic, firsts in (("feedback", first_feedback), ("predictions", first_prediction)):
        for offset, event in log[topic]:
            if event["model_id"] == alarm["model_id"]:
                firsts.setdefault(event["prediction_id"], offset)

    assert data["labelled"] == len(expected)
    assert data["from_time"] % HOUR == data["to_time"] % HOUR == 0
    assert data["to_time"] <= alarm["at"]
    assert data["to_time"] - data["from_time"] <= 2 * DAY
    assert ranges["predictions"] == (min(first_prediction[key] for key in expected), len(log["predictions"]))
    assert ranges["feedback"] == (min(first_feedback[key] for key in expected), len(log["feedback"]))
    # A correction in the range of a truth that was first told before it looks like a first one to who reads the range.
    found = labelled_ids(in_ranges, data, alarm["model_id"])
    assert expected <= found if repeats else expected == found


def test_where_everything_lies_within_the_hour_of_the_alarm_that_hour_is_taken() -> None:
    index = TrainingIndex(2.0)
    index.labelled(T0 + 60, 4, 2)
    index.labelled(T0 + 70, 3, 5)

    data = index.until(T0 + 80, 2.0, partition=0, positions={"predictions": 9, "feedback": 7}, prefix="")

    assert data == {
        "topics": {"predictions": {"0": [3, 9]}, "feedback": {"0": [2, 7]}},
        "from_time": T0,
        "to_time": T0 + HOUR,
        "labelled": 2,
    }


def test_without_any_label_there_is_no_data() -> None:
    assert TrainingIndex(2.0).until(T0, 2.0, partition=0, positions={}, prefix="") is None


def restored(index: TrainingIndex) -> TrainingIndex:
    again = TrainingIndex(1.0)
    again.restore(index.closed_snapshot())
    again.restore(index.snapshot())
    return again


@given(st.lists(st.integers(0, 100), min_size=1, max_size=60), st.integers(0, 100), st.integers(0, 60))
def test_hours_are_half_open_and_the_index_keeps_what_it_needs(hours: list[int], at: int, cut: int) -> None:
    index = TrainingIndex(1.0)
    for i, hour in enumerate(hours):
        if i == cut:
            index = restored(index)
        index.labelled(T0 + hour * HOUR, i, i)
    at = max(at, max(hours) - 24 * 7)  # an alarm that lags further behind the latest truth has lost its oldest hours

    data = index.until(T0 + at * HOUR, 1.0, partition=0, positions={}, prefix="")

    end = at if any(at - 24 <= hour < at for hour in hours) else at + 1
    expected = [i for i, hour in enumerate(hours) if end - 24 <= hour < end]
    if not expected:
        assert data is None
    else:
        assert data is not None
        assert data["labelled"] == len(expected)
        assert data["topics"]["predictions"]["0"] == [min(expected), 0]
    assert len(index.closed_snapshot()) <= 24 * 8 + 1


@pytest.mark.parametrize("days_after", [0, 1, 6], ids=lambda days: f"{days} days later in the chunk")
def test_the_range_is_the_same_wherever_the_chunk_of_the_alarm_ends(days_after: int) -> None:
    index = TrainingIndex(keep_days=2)
    for hour in range(24 * (4 + days_after)):
        index.labelled(T0 + hour * HOUR, hour, hour)
    data = index.until(T0 + 4 * DAY - 1, 2, partition=0, positions={}, prefix="")

    assert data is not None
    assert (data["from_time"], data["to_time"], data["labelled"]) == (T0 + 2 * DAY - HOUR, T0 + 4 * DAY - HOUR, 48)
