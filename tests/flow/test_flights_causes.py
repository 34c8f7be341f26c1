"""Real flights and one planted change each, through Emitter, Kafka, monitor and alerter: what is said to be behind it.

1 Feb                    18 Feb ── 23 Feb    3 Mar
the winter               UA without labels   flight-time falls by itself: retrain
the winter, in °C        from 20 Feb on      flight-time falls all the same: retraining will not help
13 Oct       30 Oct: mostly EV     2 Nov     late-arrival errs more, on other traffic: retraining will not help
18 May        1 June: in °C                  nobody errs more, and it is told all the same
"""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, date, datetime

import pandas as pd
import pytest

from benchmarks.faults.installation import Installation
from flights.data import load_flights
from flights.demo import CONFIG
from flights.models import FIRST_VERSION, FLIGHT_TIME, LATE_ARRIVAL
from flights.replay import FIRST_DAY, Replay
from flow.flights_planted import WithoutLabels, in_celsius, scheduled_from, with_share
from flow.flights_served import CameOut, days, serve_days
from trueup_schemas.reason import Reason

pytestmark = [pytest.mark.live, pytest.mark.timeout(300)]

Install = Callable[[str, str], Installation]
#: The fall of `flight-time` is told on the third of March; a trigger that nobody takes up is trouble a day later.
END_OF_WINTER = date(2013, 3, 3)


@pytest.fixture(scope="module")
def flights() -> pd.DataFrame:
    return load_flights()


def day_of(seconds: float) -> date:
    """The day in UTC."""
    return datetime.fromtimestamp(seconds, UTC).date()


def told(install: Install, name: str, replay: Replay, flights: pd.DataFrame, period: tuple[date, date]) -> CameOut:
    """What came of these days of the replay, in an installation of their own."""
    return serve_days(install(name, CONFIG.read_text()), replay, flights, days(*period))


def test_the_fall_of_march_is_a_change_of_concept_and_labels_of_a_carrier_that_stop_are_told(
    install: Install, flights: pd.DataFrame
) -> None:
    stops, comes = date(2013, 2, 18), date(2013, 2, 23)
    replay = WithoutLabels(flights, "UA", stops, comes)
    came = told(install, "flights-winter", replay, flights, (FIRST_DAY, END_OF_WINTER))

    [(fired, _)] = came.kind("performance_drop")
    assert (fired.model_id, fired.severity) == (FLIGHT_TIME, "page")
    assert date(2013, 3, 1) <= day_of(fired.updated_at) <= END_OF_WINTER
    assert "a change of concept. Retraining would help" in fired.cause
    [trigger] = came.triggers
    assert (trigger.action, trigger.model_id, trigger.model_version) == ("retrain", FLIGHT_TIME, FIRST_VERSION)
    assert trigger.alert_id == fired.alert_id

    assert came.kind("data_fault") == []
    for model_id in (FLIGHT_TIME, LATE_ARRIVAL):
        [(began, ended)] = came.of(model_id).kind("blind")
        evidence = began.evidence
        assert (evidence["missing"], evidence["segment"], evidence["values"]) == (
            "labels_of_segment",
            "carrier",
            ["UA"],
        )
        assert "carrier UA since 18 Feb 2013" in began.summary
        assert stops < day_of(began.updated_at) < comes
        assert ended.status == "resolved"
        assert ended.resolved_at is not None
        assert comes <= day_of(ended.resolved_at) <= date(2013, 2, 25)


def test_the_same_fall_while_temperatures_come_in_celsius_is_no_reason_to_retrain(
    install: Install, flights: pd.DataFrame
) -> None:
    planted = in_celsius(flights, date(2013, 2, 20))
    came = told(install, "flights-frost", Replay(planted), flights, (FIRST_DAY, END_OF_WINTER)).of(FLIGHT_TIME)

    [(fault, _)] = came.kind("data_fault")
    assert day_of(fault.evidence["since"]) == date(2013, 2, 20)
    [(fall, _)] = came.kind("performance_drop")
    assert "temperature (unit_changed). Retraining will not help." in fall.cause
    assert came.triggers == []
    withheld = [(entry.reason, entry.subject) for entry in came.audit if entry.what == "trigger_withheld"]
    assert withheld == [(Reason.RETRAINING_WILL_NOT_HELP, fall.alert_id)]


def test_temperatures_in_celsius_from_one_day_on_are_a_data_fault(install: Install, flights: pd.DataFrame) -> None:
    june = date(2013, 6, 1)
    begins = date(2013, 5, 18)
    planted = scheduled_from(in_celsius(flights, june), begins)
    came = told(install, "flights-june", Replay(planted), flights, (begins, date(2013, 6, 3)))

    for model_id in (FLIGHT_TIME, LATE_ARRIVAL):
        [(fault, now)] = came.of(model_id).kind("data_fault")
        assert fault.evidence["fault"] == "unit_changed"
        assert "temperature: unit changed" in fault.summary
        assert "Fahrenheit to Celsius" in fault.cause
        assert "Retraining will not help" in fault.cause
        assert day_of(fault.evidence["since"]) == june
        assert now.status == "firing"
    assert came.triggers == []


def test_more_flights_of_a_bad_carrier_are_another_mix_and_no_reason_to_retrain(
    install: Install, flights: pd.DataFrame
) -> None:
    begins = date(2013, 10, 13)
    planted = scheduled_from(with_share(flights, {"EV"}, 0.9, date(2013, 10, 30)), begins)
    came = told(install, "flights-mix", Replay(planted), flights, (begins, date(2013, 11, 3))).of(LATE_ARRIVAL)

    [(fall, _)] = came.kind("performance_drop")
    assert day_of(fall.updated_at) >= date(2013, 10, 31)
    assert "another mix of carrier (carrier=EV: 8" in fall.cause
    assert "Retraining would not bring the old error rate back" in fall.cause
    assert came.triggers == []
    withheld = [(entry.reason, entry.subject) for entry in came.audit if entry.what == "trigger_withheld"]
    assert withheld == [(Reason.RETRAINING_WILL_NOT_HELP, fall.alert_id)]
