"""Pages are false, found something, or came after it was found."""

from __future__ import annotations

import pytest

from builders import DAY, T0
from trueup.backtest.changes import Change, Page, known_changes, verdicts
from trueup.datasets.falls import Fall, moment
from trueup.errors import InvalidSettings


def page(name: str, days: float, model: str = "m") -> Page:
    return Page(name, model, T0 + days * DAY)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ([], {"a": "false", "b": "false", "c": "false"}),
        ([Change(T0 + 2 * DAY)], {"a": "false", "b": "found", "c": "later"}),
        ([Change(T0)], {"a": "found", "b": "later", "c": "later"}),
        ([Change(T0), Change(T0 + 4 * DAY)], {"a": "found", "b": "later", "c": "found"}),
        ([Change(T0, "other")], {"a": "false", "b": "false", "c": "false"}),
        ([Change(T0 + 3 * DAY)], {"a": "false", "b": "found", "c": "later"}),
    ],
    ids=["nothing known", "one change", "before all", "two changes", "another model's", "at the very moment"],
)
def test_a_page_is_judged_by_the_change_before_it(changes: list[Change], expected: dict[str, str]) -> None:
    judged = verdicts([page("c", 5), page("a", 1), page("b", 3)], changes)
    assert {name: verdict for name, (verdict, _) in judged.items()} == expected


def test_each_model_finds_a_change_of_all_by_itself() -> None:
    judged = verdicts([page("a", 1, "m"), page("b", 2, "n")], [Change(T0)])
    assert [verdict for verdict, _ in judged.values()] == ["found", "found"]


def test_changes_are_said_in_words_and_a_planted_fall_is_one() -> None:
    first, second = moment("2013-03-01"), moment("2013-04-02T06:00:00Z")
    fall = Fall(0.02, moment("2013-03-15"), model_id="m")
    assert known_changes("fraud@2013-04-02T06:00:00Z,2013-03-01", fall) == [
        Change(first),
        Change(fall.begin, "m", planted=True),
        Change(second, "fraud"),
    ]
    assert known_changes(None, None) == []


@pytest.mark.parametrize("words", ["March", "m@", "2013-03-01T00:00:00"])
def test_what_is_no_time_is_refused(words: str) -> None:
    with pytest.raises(InvalidSettings):
        known_changes(words, None)
