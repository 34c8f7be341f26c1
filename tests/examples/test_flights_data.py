"""The facts about the year that everything in the demo stands on."""

import pandas as pd

from flights.data import COLUMNS


def test_the_year_has_every_flight_and_every_column(flights: pd.DataFrame) -> None:
    assert len(flights) == 336_776
    assert list(flights.columns) == COLUMNS


def test_the_months_have_their_known_numbers_of_flights(flights: pd.DataFrame) -> None:
    counts = flights.groupby(flights["flight_id"].str[:7]).size()
    assert counts.tolist() == [
        27_004, 24_951, 28_834, 28_330, 28_796, 28_243, 29_425, 29_327, 27_574, 28_889, 27_268, 28_135
    ]  # fmt: skip


def test_ids_are_unique_over_the_year(flights: pd.DataFrame) -> None:
    assert flights["flight_id"].is_unique


def test_an_id_tells_day_flight_origin_and_scheduled_departure(flights: pd.DataFrame) -> None:
    first_of_the_year = flights.iloc[0]
    assert first_of_the_year["flight_id"] == "2013-01-01.UA1545.EWR.0515"
    assert first_of_the_year["scheduled_at"] == pd.Timestamp("2013-01-01T10:15Z")


def test_times_follow_from_schedule_delay_taxi_and_air_time(flights: pd.DataFrame) -> None:
    """10:15 + 2 minutes late + 20 of taxi = 10:37; 227 minutes in the air; 11 minutes late at arrival is not late."""
    flight = flights.iloc[0]
    assert flight["takeoff_at"] == pd.Timestamp("2013-01-01T10:37Z")
    assert flight["landing_at"] == pd.Timestamp("2013-01-01T14:24Z")
    assert (flight["air_time"], flight["late"]) == (227.0, 0.0)


def test_cancelled_flights_have_no_take_off_and_diverted_ones_no_landing(flights: pd.DataFrame) -> None:
    assert flights["takeoff_at"].isna().sum() == 8_255
    assert flights["landing_at"].isna().sum() == 9_430
    assert flights["landing_at"].notna().equals(flights["air_time"].notna())
    assert flights["landing_at"].notna().equals(flights["late"].notna())
    assert not (flights["takeoff_at"].isna() & flights["landing_at"].notna()).any()


def test_hours_without_a_reading_leave_the_weather_empty(flights: pd.DataFrame) -> None:
    empty = flights[["temperature", "wind_speed", "wind_dir", "precipitation", "visibility", "pressure"]].isna().sum()
    assert empty.tolist() == [1_573, 1_634, 9_796, 1_556, 1_556, 38_788]


def test_the_order_is_that_of_scheduled_departure_and_id(flights: pd.DataFrame) -> None:
    assert flights.sort_values(["scheduled_at", "flight_id"], ignore_index=True).equals(flights)


def test_no_flight_lands_before_it_was_predicted(flights: pd.DataFrame) -> None:
    landed = flights[flights["landing_at"].notna()]
    assert (landed["landing_at"] > landed["takeoff_at"]).all()
    assert (landed["landing_at"] > landed["scheduled_at"]).all()
