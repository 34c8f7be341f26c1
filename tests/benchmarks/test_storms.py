"""The year of flights as it was costs two pages at most, each of a bad week; planted storms are storms."""

from __future__ import annotations

from collections.abc import Sequence
from statistics import fmean

import pytest

from benchmarks.storms import A_DAY, A_WEEK, Label, as_it_was, days_above, late_arrivals, measure, with_storm


@pytest.fixture(scope="module")
def labels() -> Sequence[Label]:
    return late_arrivals()


def test_late_arrival_costs_two_pages_a_year_at_most_and_each_after_bad_days(labels: Sequence[Label]) -> None:
    year = as_it_was(labels)

    assert 1 <= len(year.alarms) <= 2
    assert min(days_above(labels, alarm) for alarm in year.alarms) >= 3


def test_a_storm_is_a_day_of_errors_and_the_week_goes_on_as_it_was(labels: Sequence[Label]) -> None:
    place = 50_000
    week = with_storm(labels, place, seed=1)
    begin = labels[place].at
    storm = [label.loss for label in week if label.at < begin + A_DAY]

    assert [label.at for label in week] == [label.at for label in labels if begin <= label.at < begin + A_WEEK]
    assert fmean(storm) == pytest.approx(0.85, abs=0.05)
    assert week[len(storm) :] == list(labels[place + len(storm) : place + len(week)])


def test_tries_that_page_are_counted_and_not_the_pages_of_the_year_itself(labels: Sequence[Label]) -> None:
    measured = measure(labels[:100_000], 10)

    assert (measured.pages, len(measured.days_above), measured.tries) == (1, 1, 10)
    assert 0 <= measured.paged <= 10
