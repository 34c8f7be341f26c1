"""The two models: what each looks at, how it is trained, what it answers.

A model is trained from *examples*, whoever made them: the first versions from the flights of January, every later one
from what the topics say was predicted and turned out to be true. The same examples give the same model, in whatever
order they come.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any, Literal, NamedTuple, Protocol

import numpy as np
import numpy.typing as npt
import pandas as pd
from sklearn.ensemble import HistGradientBoostingClassifier, HistGradientBoostingRegressor
from threadpoolctl import threadpool_limits  # type: ignore[import-untyped]

from flights.data import FEBRUARY

FeatureValue = str | int | float | bool | None
"""A feature as an event carries it; None where it is not known."""

Columns = Mapping[str, Sequence[FeatureValue]]
"""A table by columns: all of one length."""

FLIGHT_TIME = "flight-time"
LATE_ARRIVAL = "late-arrival"

SEED = 2013
FIRST_VERSION = "v1"


class CannotTrain(Exception):
    """No model can come of these examples; the message says why. Another try with the same data is in vain."""


class Example(NamedTuple):
    """One prediction's features, and what turned out to be true."""

    prediction_id: str
    features: Mapping[str, FeatureValue]
    actual: float


class Answers(NamedTuple):
    """What a model says about each row. `probabilities` (of label 1) is None for a regression."""

    predictions: list[float] | list[int]
    probabilities: list[float] | None


class Model(Protocol):
    """Whatever can be asked. `TrainedModel` is one."""

    def answer(self, columns: Columns) -> Answers:
        """Answer every row of `columns`, which holds (at least) the features of the model's recipe, in one call."""
        ...


@dataclass(frozen=True)
class Recipe:
    """What a model looks at (numbers and categories), what the truth is called in the table, how it learns."""

    task: Literal["regression", "binary"]
    numbers: tuple[str, ...]
    categories: tuple[str, ...]
    target: str
    iterations: int

    @property
    def features(self) -> tuple[str, ...]:
        return self.numbers + self.categories


RECIPES: Mapping[str, Recipe] = {
    FLIGHT_TIME: Recipe(
        task="regression",
        numbers=("distance", "hour", "temperature", "wind_speed", "wind_dir", "pressure"),
        categories=("origin", "dest", "carrier"),
        target="air_time",
        iterations=150,
    ),
    LATE_ARRIVAL: Recipe(
        task="binary",
        numbers=("distance", "hour", "temperature", "wind_speed", "precipitation", "visibility", "pressure"),
        categories=("origin", "carrier"),
        target="late",
        iterations=100,
    ),
}


@dataclass(frozen=True)
class TrainedModel:
    """An estimator together with the categories it has seen. It can be pickled: the app's own, trusted file."""

    model_id: str
    known: Mapping[str, Mapping[str, int]]
    """For each categorical feature, the number that stands for each of its values."""
    estimator: Any

    def answer(self, columns: Columns) -> Answers:
        """Answer every row of `columns`, which holds (at least) the recipe's features, in one call.

        A value that is None, or a category that was not in the training data, counts as missing.
        """
        table = _matrix(RECIPES[self.model_id], self.known, columns)
        if len(table) == 0:
            return Answers([], None if RECIPES[self.model_id].task == "regression" else [])
        with _one_thread():
            if RECIPES[self.model_id].task == "regression":
                return Answers(self.estimator.predict(table).tolist(), None)
            probabilities = self.estimator.predict_proba(table)[:, 1]
        return Answers((probabilities >= 0.5).astype(int).tolist(), probabilities.tolist())


def train(model_id: str, examples: Iterable[Example]) -> TrainedModel:
    """Train a model from `examples`, which may come in any order, each prediction_id once.

    Nothing is left to chance: no early stopping, whose split is random, and the seed is fixed.

    Raises:
        CannotTrain: there are no examples, or those of a binary model all have the same label.
        KeyError: there is no recipe for `model_id`.
    """
    recipe = RECIPES[model_id]
    rows = sorted(examples, key=lambda example: example.prediction_id)
    if not rows:
        raise CannotTrain(f"{model_id}: no example, not one prediction with its features has a known outcome")
    truth = np.array([row.actual for row in rows], dtype=float)
    if recipe.task == "binary" and len(set(truth.tolist())) < 2:
        raise CannotTrain(f"{model_id}: all {len(rows)} examples have the label {truth[0]:g}; both labels are needed")
    columns = {name: [row.features.get(name) for row in rows] for name in recipe.features}
    known = {name: _number_of_each(columns[name]) for name in recipe.categories}
    table = _matrix(recipe, known, columns)
    # A feature that no example knows teaches nothing; the estimator refuses a column that is empty, not a constant one.
    table[:, np.isnan(table).all(axis=0)] = 0.0
    with _one_thread():
        return TrainedModel(model_id, known, _estimator(recipe).fit(table, truth))


def train_first(model_id: str, flights: pd.DataFrame) -> TrainedModel:
    """Train the first version: on the flights of January whose outcome is known."""
    return train(model_id, january(model_id, flights))


def january(model_id: str, flights: pd.DataFrame) -> Iterator[Example]:
    """The examples that the flights scheduled in January 2013 make, as the topics would have told them."""
    recipe = RECIPES[model_id]
    rows = flights[(flights["scheduled_at"] < FEBRUARY) & flights[recipe.target].notna()]
    columns = plain_columns(rows, recipe.features)
    for prediction_id, actual, *values in zip(rows["flight_id"], rows[recipe.target], *columns.values(), strict=True):
        yield Example(prediction_id, dict(zip(columns, values, strict=True)), actual)


def plain_columns(table: pd.DataFrame, names: Sequence[str]) -> dict[str, list[FeatureValue]]:
    """Columns as lists of plain Python values, None where a value is missing."""
    return {name: [None if value != value else value for value in table[name].tolist()] for name in names}


def _estimator(recipe: Recipe) -> HistGradientBoostingRegressor | HistGradientBoostingClassifier:
    kind = HistGradientBoostingRegressor if recipe.task == "regression" else HistGradientBoostingClassifier
    categorical = range(len(recipe.numbers), len(recipe.features))
    return kind(
        max_iter=recipe.iterations, categorical_features=list(categorical), early_stopping=False, random_state=SEED
    )


def _one_thread() -> AbstractContextManager[object]:
    """Keep the estimators to one thread. Where brokers and workers want the same cores, several threads that wait for
    each other after every split take a minute for what one does in half a second.
    """
    limits: AbstractContextManager[object] = threadpool_limits(limits=1, user_api="openmp")
    return limits


def _number_of_each(values: Sequence[FeatureValue]) -> dict[str, int]:
    """Number the categories in the order of their names, so that the numbers do not depend on the order of rows."""
    names = sorted({value for value in values if isinstance(value, str)})
    return {name: number for number, name in enumerate(names)}


def _matrix(recipe: Recipe, known: Mapping[str, Mapping[str, int]], columns: Columns) -> npt.NDArray[np.float64]:
    """The recipe's features as numbers, a row each; NaN where a value is missing or its category unknown."""
    numbers = [np.array(columns[name], dtype=float) for name in recipe.numbers]
    codes = [np.array([known[name].get(str(value)) for value in columns[name]], float) for name in recipe.categories]
    return np.column_stack(numbers + codes)
