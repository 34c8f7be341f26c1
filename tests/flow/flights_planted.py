"""Changes planted into the year of flights: of the table before it is served, or of the events of a day."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import date, datetime, time
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd

from flights.replay import Feedback, Prediction, Replay, Serving

NEW_YORK = ZoneInfo("America/New_York")


def in_celsius(flights: pd.DataFrame, since: date) -> pd.DataFrame:
    """The temperatures of all flights that are scheduled from this day on in Celsius, those before in Fahrenheit."""
    celsius = (flights["temperature"] - 32) * 5 / 9
    return flights.assign(temperature=flights["temperature"].mask(_from(flights, since), celsius))


def with_share(flights: pd.DataFrame, carriers: Collection[str], share: float, since: date) -> pd.DataFrame:
    """From this day on, as many flights a day as there were, drawn anew so that `share` of them are of these carriers.

    A flight that is drawn again is the same flight under another id; what is true of it is untouched. Days on which
    none, or only these carriers fly are left alone.
    """
    rng = np.random.default_rng(2013)
    later = _from(flights, since)
    drawn = [flights[~later]]
    for _, day in flights[later].groupby(flights["scheduled_at"].dt.tz_convert(NEW_YORK).dt.date):
        theirs = day["carrier"].isin(carriers).to_numpy()
        if theirs.all() or not theirs.any():
            drawn.append(day)
            continue
        weights = np.where(theirs, share / theirs.sum(), (1 - share) / (~theirs).sum())
        drawn.append(day.iloc[np.sort(rng.choice(len(day), len(day), p=weights))])
    table = pd.concat(drawn, ignore_index=True)
    again = table.groupby("flight_id").cumcount()
    ids = table["flight_id"].mask(again > 0, table["flight_id"] + "." + again.astype(str))
    return table.assign(flight_id=ids)


def scheduled_from(flights: pd.DataFrame, since: date) -> pd.DataFrame:
    """Only the flights from this day on: a replay of them begins there, without truths of flights before it."""
    return flights[_from(flights, since)]


class WithoutLabels(Replay):
    """The replay without the truth of this carrier's flights that land on days in [`since`, `until`), UTC."""

    def __init__(self, flights: pd.DataFrame, carrier: str, since: date, until: date) -> None:
        super().__init__(flights)
        self._ids = frozenset(flights.loc[flights["carrier"] == carrier, "flight_id"])
        self._since, self._until = since, until

    def events(self, day: date, serving: Mapping[str, Serving]) -> Iterator[Prediction | Feedback]:
        for event in super().events(day, serving):
            lost = self._since <= day < self._until and event.prediction_id in self._ids
            if not (lost and isinstance(event, Feedback)):
                yield event


def _from(flights: pd.DataFrame, since: date) -> pd.Series:
    return flights["scheduled_at"] >= pd.Timestamp(datetime.combine(since, time(), NEW_YORK))
