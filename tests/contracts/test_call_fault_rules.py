"""Every rule for faults of the calls: the table is the folder, and a window like those before is no fault, but calm."""

from __future__ import annotations

from pathlib import Path

import pytest

from monitor.call_worlds import calls
from trueup.alerter.cause import CALL_FAULTS
from trueup.monitor import call_faults
from trueup.monitor.call_window import CallWindow


def a_day(seed: int) -> CallWindow:
    window, made = CallWindow(), list(calls(seed, days=1))
    window.add_all([came for _, came, event in made if event], [event for *_, event in made if event])
    window.repeats = len([event for *_, event in made if event is None])
    return window


def test_the_table_is_the_folder() -> None:
    folder = Path(call_faults.__file__).parent
    assert set(call_faults.RULES) == {path.stem for path in folder.glob("*.py")} - {"__init__", "look"}


def test_the_alerter_has_words_for_each() -> None:
    assert set(CALL_FAULTS) == set(call_faults.RULES)


@pytest.mark.parametrize("name", call_faults.RULES)
def test_a_window_like_the_one_before_is_calm(name: str) -> None:
    rule = call_faults.RULES[name]
    before, window = a_day(1), a_day(2)
    usual = rule.levels(before)

    assert usual is not None
    assert rule.look(window, usual) is None
    assert rule.calm(window, usual)


@pytest.mark.parametrize("name", call_faults.RULES)
def test_a_window_in_which_nothing_came_tells_nothing(name: str) -> None:
    rule = call_faults.RULES[name]
    usual = rule.levels(a_day(1))

    assert usual is not None
    assert rule.look(CallWindow(), usual) is None
    assert rule.levels(CallWindow()) is None
    assert not rule.calm(CallWindow(), usual)
