"""Training is a function of the examples alone, and answering survives whatever a day brings."""

import pickle
import random
from itertools import islice

import pandas as pd
import pytest

from flights.models import (
    FLIGHT_TIME,
    LATE_ARRIVAL,
    RECIPES,
    CannotTrain,
    Example,
    TrainedModel,
    january,
    plain_columns,
    train,
)

BOTH = pytest.mark.parametrize("model_id", [FLIGHT_TIME, LATE_ARRIVAL])


def some_examples(model_id: str, flights: pd.DataFrame) -> list[Example]:
    return list(islice(january(model_id, flights), 3_000))


@BOTH
def test_two_trainings_give_the_same_bytes(
    model_id: str, flights: pd.DataFrame, first_models: dict[str, TrainedModel]
) -> None:
    again = train(model_id, january(model_id, flights))
    assert pickle.dumps(again) == pickle.dumps(first_models[model_id])


@BOTH
def test_the_order_of_the_examples_does_not_matter(model_id: str, flights: pd.DataFrame) -> None:
    rows = some_examples(model_id, flights)
    shuffled = rows.copy()
    random.Random(5).shuffle(shuffled)
    assert shuffled != rows
    assert pickle.dumps(train(model_id, shuffled)) == pickle.dumps(train(model_id, rows))


@BOTH
def test_the_order_of_the_features_does_not_matter(model_id: str, flights: pd.DataFrame) -> None:
    rows = some_examples(model_id, flights)
    turned = [row._replace(features=dict(reversed(list(row.features.items())))) for row in rows]
    assert pickle.dumps(train(model_id, turned)) == pickle.dumps(train(model_id, rows))


@BOTH
def test_a_model_answers_the_same_after_it_was_stored(
    model_id: str, flights: pd.DataFrame, first_models: dict[str, TrainedModel]
) -> None:
    columns = plain_columns(flights.head(500), RECIPES[model_id].features)
    stored = pickle.loads(pickle.dumps(first_models[model_id]))
    assert stored.answer(columns) == first_models[model_id].answer(columns)


@BOTH
def test_unseen_categories_and_missing_values_are_answered_alike(
    model_id: str, first_models: dict[str, TrainedModel]
) -> None:
    """A category that January did not have says as much as none at all."""
    recipe = RECIPES[model_id]
    numbers = {name: [None, None] for name in recipe.numbers}
    categories = {name: ["ZZ", None] for name in recipe.categories}
    answers = first_models[model_id].answer({**numbers, **categories})
    assert len(answers.predictions) == 2
    assert answers.predictions[0] == answers.predictions[1]


@BOTH
def test_no_row_gets_no_answer(model_id: str, first_models: dict[str, TrainedModel]) -> None:
    answers = first_models[model_id].answer({name: [] for name in RECIPES[model_id].features})
    assert answers.predictions == []


def test_late_arrival_answers_a_label_and_the_probability_of_late(
    flights: pd.DataFrame, first_models: dict[str, TrainedModel]
) -> None:
    answers = first_models[LATE_ARRIVAL].answer(plain_columns(flights.head(2_000), RECIPES[LATE_ARRIVAL].features))
    assert answers.probabilities is not None
    assert answers.predictions == [int(probability >= 0.5) for probability in answers.probabilities]
    assert set(answers.predictions) == {0, 1}


def test_a_feature_that_is_never_known_can_be_trained_on(flights: pd.DataFrame) -> None:
    rows = some_examples(FLIGHT_TIME, flights)
    blind = [row._replace(features={**row.features, "pressure": None, "carrier": None}) for row in rows]
    model = train(FLIGHT_TIME, blind)
    assert len(model.answer(plain_columns(flights.head(10), RECIPES[FLIGHT_TIME].features)).predictions) == 10


def test_the_departure_delay_is_no_feature() -> None:
    assert not any("delay" in name for recipe in RECIPES.values() for name in recipe.features)


@pytest.mark.parametrize(
    ("model_id", "rows", "reason"),
    [
        pytest.param(FLIGHT_TIME, [], "no example", id="nothing to learn from"),
        pytest.param(LATE_ARRIVAL, [Example("a", {}, 0.0), Example("b", {}, 0.0)], "both labels", id="one label only"),
    ],
)
def test_what_nothing_can_be_learned_from_is_refused(model_id: str, rows: list[Example], reason: str) -> None:
    with pytest.raises(CannotTrain, match=reason):
        train(model_id, rows)
