"""What the monitor expects of every detector in its tables."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

import pytest

from builders import T0, MonitorHarness, feedback, monitor_config, prediction
from trueup.monitor.detectors import ON_FEATURES, ON_LOSSES, ON_MISTAKES, ON_SCORES
from trueup.monitor.stream_watch import pack_detector, unpack_detector
from trueup.snapshots import pack

Make = Callable[[], Any]
TABLES = {"losses": ON_LOSSES, "mistakes": ON_MISTAKES, "scores": ON_SCORES, "features": ON_FEATURES}
EVERY = [pytest.param(make, id=f"{table}: {name}") for table, rows in TABLES.items() for name, make in rows.items()]


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


@pytest.mark.parametrize("make", EVERY)
def test_a_detector_notices_a_gross_change_soon_and_not_before(make: Make) -> None:
    fired = alarms(make(), mistakes(0.1, 1_000) + mistakes(0.9, 300))

    assert fired
    assert 1_000 <= fired[0] < 1_100


@pytest.mark.parametrize("constant", [0.0, 1.0], ids=["always right", "always wrong"])
@pytest.mark.parametrize("make", EVERY)
def test_a_detector_is_silent_on_a_constant(make: Make, constant: float) -> None:
    assert alarms(make(), [constant] * 3_000) == []


@pytest.mark.parametrize("make", EVERY)
def test_a_detector_begins_again_after_an_alarm(make: Make) -> None:
    detector = make()
    alarms(detector, mistakes(0.1, 1_000) + mistakes(0.9, 300))

    assert alarms(detector, mistakes(0.1, 3_000) + mistakes(0.9, 300))


@pytest.mark.parametrize("make", EVERY)
def test_a_detector_can_be_saved_in_a_few_kilobytes_and_comes_back_the_same(make: Make) -> None:
    detector = make()
    alarms(detector, mistakes(0.2, 20_000))
    packed = pack_detector(detector)

    assert len(pack(1, packed)) < 8_192
    assert pack_detector(unpack_detector(packed, type(detector))) == packed


def test_every_table_is_fed() -> None:
    harness = MonitorHarness(monitor_config(model={"task": "binary", "watch_features": ("a",)}))
    rates = (0.1, 0.9, 0.1)
    made = [x for k, rate in enumerate(rates) for x in mistakes(rate, 1_000, seed=k)]
    harness.take(
        "predictions",
        *[prediction(f"p{i}", 1, probability=x, features={"a": x}, at=T0 + i) for i, x in enumerate(made)],
    )
    harness.take("feedback", *[feedback(f"p{i}", 1 - int(x), at=T0 + i) for i, x in enumerate(made)])
    fired = {(signal["stream"], signal["detector"]) for signal in harness.signals("change_detected")}

    assert fired >= {("error", name) for name in (*ON_LOSSES, *ON_MISTAKES)}
    assert fired >= {("score", name) for name in ON_SCORES}
    assert fired >= {("feature:a", name) for name in ON_FEATURES}
