"""The year as events: in the order of time, each exactly once, no truth before its prediction."""

from collections import Counter
from datetime import date
from itertools import pairwise

import pandas as pd
import pytest

from flights.models import FLIGHT_TIME, LATE_ARRIVAL, RECIPES, Answers, Columns, TrainedModel
from flights.replay import Feedback, Prediction, Replay, Serving


class Guess:
    """A model that answers at once, for tests that are about events."""

    def __init__(self, probabilities: bool) -> None:
        self._probabilities = probabilities

    def answer(self, columns: Columns) -> Answers:
        count = len(columns["distance"])
        return Answers([1] * count, [0.9] * count if self._probabilities else None)


GUESSES = {
    FLIGHT_TIME: Serving("v1", Guess(probabilities=False)),
    LATE_ARRIVAL: Serving("v1", Guess(probabilities=True)),
}


@pytest.fixture(scope="module")
def replay(flights: pd.DataFrame) -> Replay:
    return Replay(flights)


@pytest.fixture(scope="module")
def year(replay: Replay) -> list[Prediction | Feedback]:
    return [event for day in replay.days for event in replay.events(day, GUESSES)]


def test_the_days_go_from_the_first_of_february_to_the_last_landing(replay: Replay) -> None:
    assert replay.days[0] == date(2013, 2, 1)
    assert replay.days[-1] == date(2014, 1, 1)
    assert len(replay.days) == 335


def test_the_year_comes_in_the_order_of_time(year: list[Prediction | Feedback]) -> None:
    assert all(before.at <= after.at for before, after in pairwise(year))


def test_at_one_instant_predictions_come_first_then_models_and_flights_by_name(replay: Replay) -> None:
    """A fixed order, so that two runs put the same bytes on the topics."""
    events = list(replay.events(date(2013, 7, 1), GUESSES))
    order = [(e.at, isinstance(e, Feedback), e.model_id, e.prediction_id) for e in events]
    assert order == sorted(order)
    assert any(a.at == b.at and isinstance(a, Prediction) and isinstance(b, Feedback) for a, b in pairwise(events))


def test_every_event_comes_exactly_once(year: list[Prediction | Feedback]) -> None:
    assert len({(type(event), event.model_id, event.prediction_id) for event in year}) == len(year)


def test_the_year_has_its_known_numbers_of_events(year: list[Prediction | Feedback]) -> None:
    assert Counter((type(event), event.model_id) for event in year) == {
        (Prediction, LATE_ARRIVAL): 309_772,
        (Prediction, FLIGHT_TIME): 302_038,
        (Feedback, LATE_ARRIVAL): 300_948,
        (Feedback, FLIGHT_TIME): 300_948,
    }


def test_no_feedback_comes_before_its_prediction(year: list[Prediction | Feedback]) -> None:
    predicted = set()
    for event in year:
        key = event.model_id, event.prediction_id
        if isinstance(event, Prediction):
            predicted.add(key)
        else:
            assert key in predicted


def test_every_event_comes_on_its_day(replay: Replay) -> None:
    day = date(2013, 7, 1)
    events = list(replay.events(day, GUESSES))
    assert {pd.Timestamp(event.at, unit="s").date() for event in events} == {day}


def test_events_carry_plain_values(replay: Replay) -> None:
    """What NumPy would bring, a JSON encoder refuses."""
    for event in replay.events(date(2013, 12, 31), GUESSES):
        assert type(event.at) is int
        if isinstance(event, Feedback):
            assert type(event.actual) is (float if event.model_id == FLIGHT_TIME else int)
        else:
            assert set(event.features) == set(RECIPES[event.model_id].features)
            assert {type(value) for value in event.features.values()} <= {int, float, str, type(None)}
            assert event.segment == {name: event.features[name] for name in ("origin", "carrier")}


def test_missing_weather_is_null(replay: Replay) -> None:
    """The last hour of the year has no reading."""
    last = [e for e in replay.events(date(2013, 12, 31), GUESSES) if isinstance(e, Prediction)][-1]
    assert last.features["temperature"] is None


def test_the_version_that_serves_is_named_and_asked(replay: Replay, first_models: dict[str, TrainedModel]) -> None:
    serving = {FLIGHT_TIME: Serving("v7", first_models[FLIGHT_TIME])}
    events = [event for event in replay.events(date(2013, 2, 3), serving) if isinstance(event, Prediction)]
    assert {(event.model_id, event.model_version) for event in events} == {(FLIGHT_TIME, "v7")}
    columns = {name: [event.features[name] for event in events] for name in RECIPES[FLIGHT_TIME].features}
    assert [event.prediction for event in events] == first_models[FLIGHT_TIME].answer(columns).predictions
    assert all(event.probability is None for event in events)
