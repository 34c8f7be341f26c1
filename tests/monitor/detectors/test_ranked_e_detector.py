"""The e-detector on ranks: any unit, either direction, few false alarms."""

from __future__ import annotations

import doctest
import math
import random
from collections.abc import Callable

import pytest

from trueup.monitor.detectors import ranked_e_detector
from trueup.monitor.detectors.ranked_e_detector import RankedEDetector


def alarms(detector: RankedEDetector, values: list[float]) -> list[int]:
    fired = []
    for i, x in enumerate(values):
        detector.update(x)
        if detector.drift_detected:
            fired.append(i)
    return fired


def normal(n: int, mean: float = 0.0, seed: int = 1) -> list[float]:
    rng = random.Random(seed)
    return [rng.gauss(mean, 1.0) for _ in range(n)]


@pytest.mark.parametrize("shift", [0.5, -0.5], ids=["rises", "falls"])
def test_a_shift_of_half_a_standard_deviation_is_found_once(shift: float) -> None:
    fired = alarms(RankedEDetector(), normal(4_000) + normal(4_000, shift, seed=2))

    assert len(fired) == 1
    assert 4_000 <= fired[0] < 4_500


@pytest.mark.parametrize(
    "unit", [lambda x: 1e9 * x, lambda x: 1e-9 * x, lambda x: math.exp(9.0 * x)], ids=["large", "small", "crooked"]
)
def test_the_unit_of_a_stream_makes_no_difference(unit: Callable[[float], float]) -> None:
    values = normal(4_000) + normal(1_000, 0.5, seed=2)

    assert alarms(RankedEDetector(), [unit(x) for x in values]) == alarms(RankedEDetector(), values) != []


def test_where_nothing_changes_it_keeps_to_its_budget() -> None:
    """One in a million values is what it may cost: on 600,000 values of 30 streams none is expected but 0.6."""
    fired = [alarms(RankedEDetector(), normal(20_000, seed=seed)) for seed in range(30)]

    assert sum(map(len, fired)) <= 1


def test_a_stream_of_few_values_is_watched_too() -> None:
    """Half of the values are zero: more zeros among them are a fall."""
    rng = random.Random(1)
    values = [rng.choice((0.0, 0.0, 1.0, 2.0)) for _ in range(4_000)]
    fewer = [rng.choice((0.0, 0.0, 0.0, 0.0, 0.0, 1.0, 2.0)) for _ in range(2_000)]

    assert alarms(RankedEDetector(), values) == []
    assert alarms(RankedEDetector(), values + fewer)[0] >= 4_000


def test_its_docstring_is_true() -> None:
    assert doctest.testmod(ranked_e_detector).failed == 0
