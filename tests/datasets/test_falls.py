"""A planted fall is as deep as it was asked for, where it was asked for, and the same every time."""

from __future__ import annotations

import pytest

from builders import DAY, T0
from trueup.datasets.falls import Answered, Fall, moment, parse, plant
from trueup.errors import InvalidSettings

JUNE = moment("2013-06-01")


def answers(n: int, *, right_every: int = 10, model: str = "m") -> list[Answered]:
    """Labels 0 and 1 in turn; all are right but one in `right_every`."""
    return [Answered(row, model, f"p{row}", row % 2, row % 2 if row % right_every else 1 - row % 2) for row in range(n)]


def labels(_: str) -> None:
    return None


def accuracy(answered: list[Answered], truths: dict[int, object]) -> float:
    right = [each for each in answered if each.prediction == truths.get(each.row, each.actual)]
    return len(right) / len(answered)


@pytest.mark.parametrize(
    ("words", "fall"),
    [
        ("accuracy -0.02 from 2013-06-01", Fall(0.02, JUNE)),
        ("accuracy -0.5 of late-arrival from 2013-06-01", Fall(0.5, JUNE, model_id="late-arrival")),
        ("accuracy -0.1 from 2013-06-01 to 2013-06-03", Fall(0.1, JUNE, JUNE + 2 * DAY)),
        ("accuracy -0.1 from 2013-06-01T06:00:00+06:00", Fall(0.1, JUNE)),
    ],
    ids=["size and day", "one model", "until", "a time"],
)
def test_a_fall_is_said_in_words(words: str, fall: Fall) -> None:
    assert parse(words) == fall


@pytest.mark.parametrize(
    "words",
    [
        "accuracy 0.02 from 2013-06-01",
        "accuracy -0.02",
        "accuracy -2 from 2013-06-01",
        "accuracy -0 from 2013-06-01",
        "accuracy -0.1.2 from 2013-06-01",
        "accuracy -0.02 from June",
        "accuracy -0.02 from 2013-06-01T00:00:00",
        "accuracy -0.02 from 2013-06-03 to 2013-06-01",
    ],
)
def test_what_is_no_fall_is_refused_in_a_sentence(words: str) -> None:
    with pytest.raises(InvalidSettings) as refused:
        parse(words)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize("size", [0.02, 0.3])
def test_accuracy_falls_by_what_was_asked(size: float) -> None:
    answered = answers(20_000)
    truths = plant(Fall(size, T0), answered, labels)
    assert accuracy(answered, {}) - accuracy(answered, truths) == pytest.approx(size, abs=0.01)
    assert truths == plant(Fall(size, T0), reversed(answered), labels)


def test_each_model_falls_by_itself() -> None:
    good, bad = answers(10_000, model="good"), answers(10_000, right_every=2, model="bad")
    bad = [each._replace(row=each.row + 10_000) for each in bad]
    truths = plant(Fall(0.1, T0), [*good, *bad], labels)
    for answered in (good, bad):
        assert accuracy(answered, {}) - accuracy(answered, truths) == pytest.approx(0.1, abs=0.015)


def test_numbers_are_made_wrong_by_more_than_the_tolerance() -> None:
    answered = [Answered(row, "m", f"p{row}", 100.0 + row, 101.0 + row) for row in range(1_000)]
    truths = plant(Fall(0.5, T0), answered, lambda _: 0.1)
    assert 400 < len(truths) < 600
    assert all(abs(answered[row].prediction - truth) > 0.1 * abs(truth) for row, truth in truths.items())


def test_a_model_that_is_never_right_cannot_fall() -> None:
    wrong = [Answered(row, "m", f"p{row}", 1, 0) for row in range(10)]
    with pytest.raises(InvalidSettings, match=r"m is right in 0\.0% of 10 predictions"):
        plant(Fall(0.1, T0), wrong, labels)


def test_a_fall_that_concerns_nothing_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="no prediction whose truth is known"):
        plant(Fall(0.1, T0), [], labels)
