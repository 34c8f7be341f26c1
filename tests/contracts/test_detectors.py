"""What the monitor expects of every detector in its tables."""

from __future__ import annotations

import random
from collections.abc import Callable, Mapping
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import T0, MonitorHarness, feedback, monitor_config, prediction
from trueup.monitor.detectors import ON_FEATURES, ON_LOSSES, ON_MISTAKES, ON_SCORES
from trueup.monitor.stream_watch import StreamWatch, pack_detector, unpack_detector
from trueup.snapshots import pack, unpack

Make = Callable[[], Any]
Table = Mapping[str, Make]
TABLES: Mapping[str, Table] = {
    "losses": ON_LOSSES,
    "mistakes": ON_MISTAKES,
    "scores": ON_SCORES,
    "features": ON_FEATURES,
}
#: Each once, however many tables it is in.
EVERY = [
    pytest.param(table, name, id=name)
    for on, table in TABLES.items()
    for name in table
    if not any(name in earlier for earlier in list(TABLES.values())[: list(TABLES).index(on)])
]
#: Values before the first change: what a detector has to learn, or what it costs, decides.
CALM = {"kswin": 600, "e_detector": 3_000}
#: Those that also see a fall.
TWO_SIDED = ("adwin", "page_hinkley", "kswin", "e_detector")


def alarms(detector: Any, values: list[float]) -> list[int]:
    fired = []
    for i, value in enumerate(values):
        detector.update(value)
        if detector.drift_detected:
            fired.append(i)
    return fired


def mistakes(rate: float, n: int, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [float(rng.random() < rate) for _ in range(n)]


def calm(name: str) -> int:
    return CALM.get(name, 1_000)


@pytest.mark.parametrize(("table", "name"), EVERY)
def test_a_detector_notices_a_gross_change_soon_and_not_before(table: Table, name: str) -> None:
    fired = alarms(table[name](), mistakes(0.1, calm(name)) + mistakes(0.9, 300))

    assert fired
    assert calm(name) <= fired[0] < calm(name) + 100


@pytest.mark.parametrize("constant", [0.0, 1.0], ids=["always right", "always wrong"])
@pytest.mark.parametrize(("table", "name"), EVERY)
def test_a_detector_is_silent_on_a_constant(table: Table, name: str, constant: float) -> None:
    assert alarms(table[name](), [constant] * 3 * calm(name)) == []


@pytest.mark.parametrize(("table", "name"), EVERY)
def test_a_detector_begins_again_after_an_alarm(table: Table, name: str) -> None:
    n, detector = calm(name), table[name]()
    first = alarms(detector, mistakes(0.1, n) + mistakes(0.5, n))
    again = alarms(detector, mistakes(0.95, 300))

    assert [place for place in first if place >= n]
    assert again


@pytest.mark.parametrize(("table", "name"), EVERY)
def test_which_way_the_stream_moved_is_told(table: Table, name: str) -> None:
    n, watch = calm(name), StreamWatch(table, (name,))
    watch.feed(mistakes(0.1, n))
    rose = watch.feed(mistakes(0.9, 3_000))
    fell = watch.feed(mistakes(0.1, 300))

    assert rose[0].direction == "rose"
    assert {fired.direction for fired in fell} == ({"fell"} if name in TWO_SIDED else set())


@pytest.mark.parametrize(("table", "name"), EVERY)
def test_a_detector_can_be_saved_in_a_few_kilobytes_and_comes_back_the_same(table: Table, name: str) -> None:
    detector = table[name]()
    alarms(detector, mistakes(0.2, 20 * calm(name) if name != "kswin" else 3_000))
    packed = pack_detector(detector)

    assert len(pack(1, packed)) < 8_192
    assert pack_detector(unpack_detector(packed, type(detector))) == packed


@pytest.mark.parametrize(("table", "name"), EVERY)
@settings(max_examples=12, deadline=None)
@given(data=st.data())
def test_a_run_of_values_with_a_restart_in_it_is_one_value_after_the_other(
    table: Table, name: str, data: st.DataObject
) -> None:
    """However the values are cut into runs, and wherever the detector is saved and brought back."""
    rates = data.draw(st.lists(st.sampled_from((0.0, 0.1, 0.5, 1.0)), min_size=1, max_size=3))
    values = [x for k, rate in enumerate(rates) for x in mistakes(rate, 120, seed=k)]
    cuts = sorted(data.draw(st.sets(st.integers(0, len(values)), max_size=4)) | {0, len(values)})
    single, runs = StreamWatch(table, (name,)), StreamWatch(table, (name,))
    told = [(at, *fired[1:]) for at, x in enumerate(values) for fired in single.feed_one(x)]
    found = []
    for start, end in pairwise(cuts):
        found += [(start + fired.at, *fired[1:]) for fired in runs.feed(values[start:end])]
        _, (packed, trend) = unpack(pack(1, runs.snapshot()), known=[1], what="it")
        runs = StreamWatch(table, (name,))
        runs.restore(packed, trend)

    assert found == told
    assert runs.snapshot() == single.snapshot()


@pytest.mark.parametrize("name", ON_FEATURES)
def test_a_detector_takes_any_number_that_a_feature_may_have(name: str) -> None:
    detector = ON_FEATURES[name]()
    odd = [0.0, -0.0, 1e300, -1e300, 5e-324, 1.5, -7.0]
    alarms(detector, odd * 100)

    packed = pack_detector(detector)
    assert pack_detector(unpack_detector(packed, type(detector))) == packed


def test_every_table_is_fed() -> None:
    chosen = {
        "loss_detectors": tuple(ON_LOSSES),
        "mistake_detectors": tuple(ON_MISTAKES),
        "score_detectors": tuple(ON_SCORES),
        "feature_detectors": tuple(ON_FEATURES),
    }
    harness = MonitorHarness(monitor_config(model={"task": "binary", "watch_features": ("a",), **chosen}))
    made = mistakes(0.1, 3_000) + mistakes(0.9, 500)
    harness.take(
        "predictions",
        *[prediction(f"p{i}", 1, probability=x, features={"a": x}, at=T0 + i) for i, x in enumerate(made)],
    )
    harness.restart()
    harness.take("feedback", *[feedback(f"p{i}", 1 - int(x), at=T0 + i) for i, x in enumerate(made)])
    fired = {(signal["stream"], signal["detector"]) for signal in harness.signals("change_detected")}

    assert fired >= {("error", name) for name in (*ON_LOSSES, *ON_MISTAKES)}
    assert fired >= {("score", name) for name in ON_SCORES}
    assert fired >= {("feature:a", name) for name in ON_FEATURES}
