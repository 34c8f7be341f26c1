"""The year and its first models, loaded and trained once for all tests of the demo."""

import pandas as pd
import pytest

from flights.data import load_flights
from flights.models import RECIPES, TrainedModel, train_first


@pytest.fixture(scope="session")
def flights() -> pd.DataFrame:
    return load_flights()


@pytest.fixture(scope="session")
def first_models(flights: pd.DataFrame) -> dict[str, TrainedModel]:
    return {model_id: train_first(model_id, flights) for model_id in RECIPES}
