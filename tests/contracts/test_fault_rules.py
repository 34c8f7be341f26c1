"""Every rule for data faults: the table is the folder, and a window like the days before is no fault, but calm."""

from __future__ import annotations

import random
from pathlib import Path

import pytest

from trueup.monitor.features import faults
from trueup.monitor.features.faults.look import Known
from trueup.monitor.features.profile import Profile


def test_the_table_is_the_folder() -> None:
    folder = Path(faults.__file__).parent
    assert set(faults.RULES) == {path.stem for path in folder.glob("*.py")} - {"__init__", "look"}


@pytest.mark.parametrize("name", faults.RULES)
@pytest.mark.parametrize("kind", ["numbers", "texts"])
def test_a_window_like_the_days_before_is_calm(name: str, kind: str) -> None:
    rng = random.Random(1)
    values = [rng.gauss(0, 1) if kind == "numbers" else rng.choice("abcde") for _ in range(2_000)]
    recent, window = Profile(), Profile()
    recent.add_all(values)
    window.add_all(rng.sample(values, 300))
    known = Known(recent, -3.0, 3.0, 0.0, 0.3, recent.kind)

    assert faults.RULES[name].look(window, known) is None
    assert faults.RULES[name].calm(window, known) or (name, kind) in {("out_of_range", "texts"), ("unseen", "numbers")}
