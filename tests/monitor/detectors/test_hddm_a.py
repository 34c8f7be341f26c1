"""HDDM_A is River's, alarm for alarm and warning for warning."""

from __future__ import annotations

import doctest
import random
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import binary as rivers

from trueup.monitor.detectors import hddm_a
from trueup.monitor.detectors.hddm_a import HDDMA

RIVERS: Any = rivers.HDDMA


def said(detector: Any, values: list[bool]) -> list[tuple[bool, bool]]:
    found = []
    for value in values:
        detector.update(value)
        found.append((detector.drift_detected, detector.warning_detected))
    return found


@pytest.mark.parametrize("seed", range(5))
def test_it_says_what_rivers_says_through_changes_and_alarms(seed: int) -> None:
    rng = random.Random(seed)
    rates = [rng.choice((0.0, 0.02, 0.1, 0.3, 0.9, 1.0)) for _ in range(12)]
    values = [rng.random() < rate for rate in rates for _ in range(rng.randint(1, 400))]
    found = said(HDDMA(), values)

    assert found == said(RIVERS(), values)
    assert any(drift for drift, _ in found)
    assert any(warning for _, warning in found)


@given(st.lists(st.booleans(), max_size=200))
@settings(max_examples=100, deadline=None)
def test_it_says_what_rivers_says_on_any_stream(values: list[bool]) -> None:
    assert said(HDDMA(), values) == said(RIVERS(), values)


def test_its_docstring_is_true() -> None:
    assert doctest.testmod(hddm_a).failed == 0
