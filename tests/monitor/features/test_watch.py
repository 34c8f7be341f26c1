"""A version's features: found by themselves, cut anywhere, restored anywhere; drift is ranked and told once."""

from __future__ import annotations

import random
from typing import Any

import msgpack
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, HOUR, T0, MonitorHarness, Take, monitor_config, prediction
from monitor.features.worlds import Features, from_day, put, told_by, watch, world
from trueup.monitor.features.column import ReferenceSize
from trueup.monitor.features.watch import DAYS_A_FALSE_DRIFT, FeatureWatch, Made, Told


def small() -> FeatureWatch:
    """Three features at most, a reference of a day."""
    return FeatureWatch(ReferenceSize(300, 1.0), 3)


def odd(seed: int, n: int) -> list[Made]:
    """Some days of features of all kinds, which come late, change their type, leap and go."""
    rng = random.Random(seed)
    found: list[Made] = []
    at = T0
    values: list[Any] = [None, True, "red", "blue", "x" * 90, 1, 2.5, -3e200, float("nan"), 10**15]
    for number in range(n):
        at += rng.choice((5.0, 20.0, 60.0, 2 * HOUR if rng.random() < 0.02 else 9.0))
        late = rng.random() < 0.05
        features: Features = {"a": rng.gauss(50, 5) * (1 if number < n * 0.6 else 100), "b": rng.choice(values)}
        if number > n / 3:
            features["c"] = rng.choice("xyz") if number < 2 * n / 3 else None
            features[f"more{rng.randrange(5)}"] = 1
        given = None if rng.random() < 0.05 else features
        event: dict[str, Any] = {"features": given} if rng.random() < 0.9 else {"error": "timeout"}
        found.append(
            (number, ("v", rng.choice((0, 1, "x", None)), None, at - 5 * HOUR * late, None, None, None), event)
        )
    return found


def state(watched: FeatureWatch) -> bytes:
    packed: bytes = msgpack.packb([watched.open_snapshot(), watched.closed_snapshot()])
    return packed


def restored(watched: FeatureWatch) -> FeatureWatch:
    again = small()
    opened, closed = msgpack.unpackb(state(watched), strict_map_key=False)
    again.restore_closed(closed)
    again.restore_open(opened)
    return again


@given(st.integers(0, 10_000), st.integers(1, 4_000), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_cut_and_restored_anywhere_it_is_the_same(seed: int, n: int, rng: random.Random) -> None:
    made = odd(seed, n)
    whole, parts = small(), small()
    told = whole.add_all(made)
    found: list[tuple[int, Told]] = []
    start = 0
    while start < n:
        size = rng.choice((1, 1, 7, 300))
        part = made[start : start + size]
        if len(part) == 1:
            found += [(start, one) for one in parts.add(part[0])]
        else:
            found += [(start + place, one) for place, one in parts.add_all(part)]
        start += size
        if rng.random() < 0.05:
            parts = restored(parts)

    assert found == told
    assert state(parts) == state(whole)


def test_the_odd_lives_have_faults_in_them() -> None:
    told = small().add_all(odd(1, 8_000))

    assert {one.data["fault"] for _, one in told if one.type == "data_fault"} >= {"missing"}


def test_features_beyond_the_cap_are_counted_and_not_looked_at() -> None:
    watched = small()
    features = dict.fromkeys("abcdefg", 1.0)
    made: list[Made] = [(i, ("v", 1, None, T0 + i, None, None, None), {"features": features}) for i in range(60)]
    watched.add_all(made)
    watched.open_snapshot()

    assert list(watched.columns) == ["prediction", "score", "feature:a", "feature:b", "feature:c"]
    assert watched.not_looked_at == 4 * 60


def test_what_is_saved_as_it_came_holds_no_more_than_is_counted() -> None:
    watched = small()
    features = {f"{name}{i}": name * 8_000 for i in range(100) for name in "ab"}
    watched.add_all([(0, ("v", 1, 0.5, T0, None, None, None), {"features": features})] * 31)

    assert len(msgpack.packb(watched.open_snapshot())) < 31 * 250
    again = restored(watched)
    again.add_all([(0, ("v", 1, 0.5, T0, None, None, None), {"features": features})])
    watched.add_all([(0, ("v", 1, 0.5, T0, None, None, None), {"features": features})])
    assert state(again) == state(watched)
    assert watched.not_looked_at == 32 * 197


def test_drift_is_told_once_of_each_with_the_furthest_first() -> None:
    def change(features: Features) -> None:
        features["member"] = features["member"] or features["age"] % 2 == 0
        features["country"] = features["country"] if features["age"] > 30 else "at"

    told = told_by(watch(), world(3, days=12, a_day=900, change=from_day(8, change)))

    assert {one.type for one in told} == {"features_drifted"}
    assert len(told) <= 2  # one for each that was not told before
    drift = told[-1]
    streams = [one["stream"] for one in drift.data["drifted"]]
    assert streams == ["feature:country", "feature:member"]
    tests = [one["test"] for one in drift.data["drifted"]]
    assert tests == ["chi2", "chi2"]
    assert all(one["p"] < 1 / DAYS_A_FALSE_DRIFT and one["psi"] > 0.1 for one in drift.data["drifted"])
    assert all(one["n"] > 800 and one["reference_n"] > 6_000 for one in drift.data["drifted"])


def test_scores_and_labels_drift_too() -> None:
    def later(made: Made) -> Made:
        arrival, answer, event = made
        if answer[3] < T0 + 8 * DAY:
            return made
        return arrival, (*answer[:1], int((answer[2] or 0) > 0.25), (answer[2] or 0.0) ** 0.5, *answer[3:]), event

    told = told_by(watch(), map(later, world(4, days=12, a_day=600)))

    assert {drift["stream"] for one in told for drift in one.data["drifted"]} == {"prediction", "score"}
    assert {drift["test"] for one in told for drift in one.data["drifted"]} == {"ks"}


def test_the_step_tells_it_shows_it_and_goes_on_after_a_restart() -> None:
    harness = MonitorHarness(monitor_config(model={"feature_reference_days": 2.0}))
    made = list(world(5, days=8, a_day=1_200, change=from_day(4.5, put("age", str))))
    for start in range(0, len(made), 700):
        events = [
            prediction(event["prediction_id"], answer[1], at=answer[3], features=event["features"])
            for _, answer, event in made[start : start + 700]
        ]
        harness.run(Take("predictions", tuple(events)))
        harness.restart()

    (fault,) = harness.signals("data_fault")
    assert (fault["feature"], fault["fault"], fault["ended"]) == ("age", "type_changed", False)
    assert fault["model_version"] == "v1"
    shown = harness.version()["features"]
    assert shown["faults"] == {"age": "type_changed"}
    assert len(shown["furthest"]) == 3
    assert shown["looked_at"] == 7


def test_where_no_features_are_to_be_looked_at_none_are() -> None:
    harness = MonitorHarness(monitor_config(model={"most_features": 0}))
    harness.take("predictions", *[prediction(f"p{i}", at=T0 + i, features={"a": 1.0}) for i in range(100)])

    assert not [name for name in harness.sections if name.startswith(("features", "columns"))]
