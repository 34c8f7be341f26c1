"""The year as the events of a serving app, in the order in which they happen.

    late-arrival   prediction ............................. feedback
                   scheduled departure                      landing
    flight-time                 prediction ................ feedback
                                take-off                    landing

A cancelled flight gets no `flight-time` prediction, and no feedback; a diverted one gets predictions and no feedback.
Flights of January only train: the replay starts with those scheduled on the first of February.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import NamedTuple

import numpy as np
import numpy.typing as npt
import pandas as pd

from flights.data import FEBRUARY
from flights.models import FLIGHT_TIME, LATE_ARRIVAL, RECIPES, FeatureValue, Model, plain_columns

FIRST_DAY = FEBRUARY.date()
DAY_SECONDS = 86_400

PREDICTED_AT = {FLIGHT_TIME: "takeoff_at", LATE_ARRIVAL: "scheduled_at"}


class Prediction(NamedTuple):
    """A model's answer about one flight, at `at` (epoch seconds)."""

    at: int
    prediction_id: str
    model_id: str
    model_version: str
    prediction: float | int
    probability: float | None
    features: dict[str, FeatureValue]
    segment: dict[str, str]


class Feedback(NamedTuple):
    """The truth about one prediction, known at `at` (epoch seconds)."""

    at: int
    prediction_id: str
    model_id: str
    actual: float | int


class Serving(NamedTuple):
    """The version of a model that answers, by name and in person."""

    version: str
    model: Model


class Replay:
    """The events of every day from `FIRST_DAY` to the last landing (in the night to 1 January 2014)."""

    def __init__(self, flights: pd.DataFrame) -> None:
        """Take the table that `data.load_flights` returns."""
        self._flights = flights[flights["scheduled_at"] >= FEBRUARY].reset_index(drop=True)
        times = {name: _epoch_seconds(self._flights[name]) for name in ("scheduled_at", "takeoff_at", "landing_at")}
        self._rows = {name: _rows_by_day(at) for name, at in times.items()}
        self._times = times

    @property
    def days(self) -> list[date]:
        """Every day, in order, without a gap."""
        last = max(day for rows in self._rows.values() for day in rows)
        return [FIRST_DAY + timedelta(days=number) for number in range((last - FIRST_DAY).days + 1)]

    def events(self, day: date, serving: Mapping[str, Serving]) -> Iterator[Prediction | Feedback]:
        """The events of one day in the order of time; at one instant, predictions first, then by model and flight.

        `serving` names the version of each model that answers this whole day. Each model answers the day's flights
        in one call. Shared between events: `segment`, which nobody may change.
        """
        events: list[Prediction | Feedback] = []
        for model_id, now in serving.items():
            events += self._predictions(day, model_id, now)
            events += self._feedback(day, model_id)
        events.sort(key=_order)
        yield from events

    def _predictions(self, day: date, model_id: str, now: Serving) -> Iterator[Prediction]:
        recipe, at = RECIPES[model_id], PREDICTED_AT[model_id]
        rows = self._rows[at].get(day, NO_ROWS)
        flights = self._flights.iloc[rows]
        columns = plain_columns(flights, recipe.features)
        answers = now.model.answer(columns)
        probabilities: Sequence[float | None] = answers.probabilities or [None] * len(rows)
        segments: dict[tuple[str, str], dict[str, str]] = {}
        for at_s, flight_id, prediction, probability, origin, carrier, *values in zip(
            self._times[at][rows].tolist(),
            flights["flight_id"].tolist(),
            answers.predictions,
            probabilities,
            flights["origin"].tolist(),
            flights["carrier"].tolist(),
            *columns.values(),
            strict=True,
        ):
            segment = segments.setdefault((origin, carrier), {"origin": origin, "carrier": carrier})
            features = dict(zip(columns, values, strict=True))
            yield Prediction(at_s, flight_id, model_id, now.version, prediction, probability, features, segment)

    def _feedback(self, day: date, model_id: str) -> Iterator[Feedback]:
        rows = self._rows["landing_at"].get(day, NO_ROWS)
        flights = self._flights.iloc[rows]
        truth = flights[RECIPES[model_id].target]
        actuals = truth.tolist() if RECIPES[model_id].task == "regression" else truth.astype(int).tolist()
        for at_s, flight_id, actual in zip(
            self._times["landing_at"][rows].tolist(), flights["flight_id"].tolist(), actuals, strict=True
        ):
            yield Feedback(at_s, flight_id, model_id, actual)


Rows = npt.NDArray[np.intp]
NO_ROWS: Rows = np.array([], dtype=np.intp)
NEVER = np.iinfo(np.int64).min


def _order(event: Prediction | Feedback) -> tuple[int, bool, str, str]:
    return event.at, isinstance(event, Feedback), event.model_id, event.prediction_id


def _epoch_seconds(times: pd.Series) -> npt.NDArray[np.int64]:
    """Seconds since 1970; `NEVER` where there is no time."""
    seconds: npt.NDArray[np.int64] = times.dt.tz_localize(None).to_numpy("datetime64[s]").astype(np.int64)
    return seconds


def _rows_by_day(at: npt.NDArray[np.int64]) -> dict[date, Rows]:
    """The numbers of the rows that fall on each day; those of `NEVER` fall on none."""
    happened = np.flatnonzero(at != NEVER)
    days = at[happened] // DAY_SECONDS
    order = np.argsort(days, kind="stable")
    found, starts = np.unique(days[order], return_index=True)
    parts = np.split(happened[order], starts[1:])
    return {
        datetime.fromtimestamp(number * DAY_SECONDS, UTC).date(): rows
        for number, rows in zip(found.tolist(), parts, strict=True)
    }
