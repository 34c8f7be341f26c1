"""KSWIN is River's, alarm for alarm."""

from __future__ import annotations

import doctest
import random
from typing import Any

from river import drift

from trueup.monitor.detectors import kswin
from trueup.monitor.detectors.kswin import KSWIN

RIVERS: Any = drift.KSWIN


def test_it_says_what_rivers_says_through_changes_and_restarts() -> None:
    rng = random.Random(2)
    values = [rng.gauss(mean, 1.0) for mean in (0.0, 2.0, 0.0) for _ in range(250)]
    rivers: Any = RIVERS(seed=1)
    own: Any = KSWIN()
    fired = 0
    for x in values:
        rivers.update(x)
        own.update(x)
        assert (own.drift_detected, own.p_value) == (rivers.drift_detected, rivers.p_value)
        fired += own.drift_detected
        own = KSWIN.restore(own.snapshot())

    assert fired >= 2


def test_its_docstring_is_true() -> None:
    assert doctest.testmod(kswin).failed == 0
