"""Segments: only those that are configured, no more values than the cap, the rest together."""

from __future__ import annotations

from builders import MonitorHarness, feedback, monitor_config, prediction


def harness_with(segment_values: int = 100) -> MonitorHarness:
    return MonitorHarness(monitor_config(model={"segments": ("country",)}, segment_values=segment_values))


def test_only_configured_segments_are_kept_apart() -> None:
    harness = harness_with()
    harness.take(
        "predictions",
        prediction("p0", 1, segment={"country": "fr", "plan": "gold"}),
        prediction("p1", 1, segment={"plan": "gold"}),
        prediction("p2", 1),
    )
    harness.take("feedback", feedback("p0", 0), feedback("p1", 1), feedback("p2", 1))

    segments = harness.version()["segments"]

    assert list(segments) == ["country"]
    assert {value: (shown["correct"], shown["n"]) for value, shown in segments["country"].items()} == {"fr": (0, 1)}


def test_values_beyond_the_cap_fold_into_one_also_after_a_restart() -> None:
    harness = harness_with(segment_values=3)
    names = ["a", "b", "c", "d", "e", "a", "f", "d"]
    harness.take("predictions", *[prediction(f"p{i}", 1, segment={"country": x}) for i, x in enumerate(names)])
    harness.take("feedback", *[feedback(f"p{i}", 1) for i in range(5)])
    harness.restart()
    harness.take("feedback", *[feedback(f"p{i}", 1) for i in range(5, 8)])

    segments = harness.version()["segments"]["country"]

    assert {value: shown["n"] for value, shown in segments.items()} == {"a": 2, "b": 1, "c": 1, "__other__": 4}


def test_a_value_that_is_named_like_the_rest_is_counted_with_it() -> None:
    harness = harness_with(segment_values=1)
    names = ["__other__", "a", "b"]
    harness.take("predictions", *[prediction(f"p{i}", 1, segment={"country": x}) for i, x in enumerate(names)])
    harness.take("feedback", *[feedback(f"p{i}", 1) for i in range(3)])

    assert {value: shown["n"] for value, shown in harness.version()["segments"]["country"].items()} == {"__other__": 3}


def test_a_pair_of_segments_has_the_values_of_both() -> None:
    harness = MonitorHarness(monitor_config(model={"segments": ("carrier", "carrier x origin")}))
    harness.take(
        "predictions",
        prediction("p0", 1, segment={"carrier": "AA", "origin": "JFK", "plan": "gold"}),
        prediction("p1", 1, segment={"carrier": "AA", "origin": "EWR"}),
        prediction("p2", 1, segment={"carrier": "AA"}),
        prediction("p3", 1, segment={"origin": "JFK"}),
    )
    harness.restart()
    harness.take("feedback", *[feedback(f"p{i}", 1) for i in range(4)])

    segments = harness.version()["segments"]

    assert {name: {value: shown["n"] for value, shown in values.items()} for name, values in segments.items()} == {
        "carrier": {"AA": 3},
        "carrier x origin": {"AA x JFK": 1, "AA x EWR": 1},
    }
