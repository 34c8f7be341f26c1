"""The recount against figures worked by hand, and its judgement of a report."""

from pathlib import Path

import pandas as pd
import pytest

from flights.models import FLIGHT_TIME, LATE_ARRIVAL, RECIPES, Answers, Columns
from flights.recount import WrongAccount, compare, recount
from flights.served import COLUMNS, read_served

# Five flights of one evening. C is cancelled, D is diverted, E lands after midnight.
#
#   id    air time   late      served as flight-time     right?        served as late-arrival
#   A       100        0       v1: 110.0                 yes, by 10    v1: 0  right
#   B       200        1       v1: 230.0                 no, by 30     v1: 0  wrong
#   C        -         -       (no take-off)                           v1: 1  pending
#   D        -         -       v1:  90.0                 pending       v1: 0  pending
#   E        50        1       v2:  47.0                 yes, by 3     v1: 1  right
SERVED = """\
prediction_id,model_id,model_version,predicted_at,prediction,probability,actual
A,late-arrival,v1,1359741600,0,0.25,0
A,flight-time,v1,1359743000,110.0,,100.0
B,late-arrival,v1,1359741600,0,0.4,1
B,flight-time,v1,1359743000,230.0,,200.0
E,flight-time,v2,1359759000,47.0,,50.0
E,late-arrival,v1,1359758000,1,0.75,1
C,late-arrival,v1,1359741600,1,0.5,
D,late-arrival,v1,1359741600,0,0.1,
D,flight-time,v1,1359743000,90.0,,
"""


class Always100:
    """The first version said 100 about every flight: wrong by 0, 100 and 50."""

    def answer(self, columns: Columns) -> Answers:
        return Answers([100.0] * len(columns["distance"]), None)


@pytest.fixture
def few_flights() -> pd.DataFrame:
    table = pd.DataFrame(
        {
            "flight_id": list("ABCDE"),
            "air_time": [100.0, 200.0, None, None, 50.0],
            "late": [0.0, 1.0, None, None, 1.0],
            "landing_at": pd.to_datetime(
                ["2013-02-01T20:00Z", "2013-02-01T22:00Z", None, None, "2013-02-02T00:30Z"], utc=True
            ),
        }
    )
    features = dict.fromkeys(RECIPES[FLIGHT_TIME].features, 1)
    return table.assign(**features)


def served_file(folder: Path, text: str) -> pd.DataFrame:
    path = folder / "served.csv"
    path.write_text(text, encoding="utf-8")
    return read_served(path)


REPORT: dict[str, object] = {
    "models": [
        {
            "model_id": FLIGHT_TIME,
            "predictions": 4,
            "feedback": 3,
            "joined": 3,
            "correct": 2,
            "pending": 1,
            "orphans": 0,
            "mean_error": 43 / 3,
        },
        {
            "model_id": LATE_ARRIVAL,
            "predictions": 5,
            "feedback": 3,
            "joined": 3,
            "correct": 2,
            "pending": 2,
            "orphans": 0,
            "mean_error": 1 / 3,
        },
    ],
    "error_with": 43 / 3,
    "error_without": 50.0,
    "dead_letters": {},
}


def test_the_figures_are_those_worked_by_hand(tmp_path: Path, few_flights: pd.DataFrame) -> None:
    counted = recount(served_file(tmp_path, SERVED), few_flights, Always100())
    assert all(comparison.same for comparison in compare(REPORT, counted))
    assert len(list(compare(REPORT, counted))) == 17


@pytest.mark.parametrize(
    ("change", "different"),
    [
        pytest.param({"error_without": 50.001}, ["error_without"], id="another error"),
        pytest.param({"dead_letters": {"not_json": 1}}, ["dead_letters"], id="a dead letter"),
        pytest.param({"error_with": None}, ["error_with"], id="a figure that is missing"),
    ],
)
def test_what_differs_is_named(
    tmp_path: Path, few_flights: pd.DataFrame, change: dict[str, object], different: list[str]
) -> None:
    counted = recount(served_file(tmp_path, SERVED), few_flights, Always100())
    assert [c.name for c in compare(REPORT | change, counted) if not c.same] == different


def test_a_model_that_is_not_reported_differs_in_all_its_figures(tmp_path: Path, few_flights: pd.DataFrame) -> None:
    counted = recount(served_file(tmp_path, SERVED), few_flights, Always100())
    different = [c.name for c in compare(REPORT | {"models": []}, counted) if not c.same]
    assert len(different) == 14


def test_flights_still_in_the_air_on_the_last_day_are_pending(tmp_path: Path, few_flights: pd.DataFrame) -> None:
    """A replay that stops on the first of February never hears of E's landing."""
    stopped = SERVED.replace("47.0,,50.0", "47.0,,").replace("0.75,1", "0.75,")
    counted = recount(served_file(tmp_path, stopped), few_flights, Always100(), pd.Timestamp("2013-02-01").date())
    flight_time = counted.models[FLIGHT_TIME]
    assert (flight_time.predictions, flight_time.joined, flight_time.pending) == (4, 2, 2)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        pytest.param(SERVED.replace("110.0,,100.0", "110.0,,99.0"), "the file says 99.0", id="another truth"),
        pytest.param(SERVED.replace("110.0,,100.0", "110.0,,"), "the file says nan", id="a truth that was kept back"),
        pytest.param(SERVED.replace("D,late", "X,late"), "no such flight: X", id="no such flight"),
        pytest.param(SERVED.replace("D,late", "C,late"), "served twice", id="a flight served twice"),
    ],
)
def test_an_account_that_contradicts_the_flights_is_refused(
    tmp_path: Path, few_flights: pd.DataFrame, text: str, reason: str
) -> None:
    with pytest.raises(WrongAccount, match=reason):
        recount(served_file(tmp_path, text), few_flights, Always100())


def test_the_header_is_that_of_the_written_file() -> None:
    assert SERVED.splitlines()[0].split(",") == COLUMNS
