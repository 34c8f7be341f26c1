"""The year counted again, without Trueup: from the file of what was served and the table of what was true.

    python -m flights.recount REPORT.json --served SERVED.csv

compares the counts and errors of the demo's report with this recount, prints both side by side, and exits with 1 when
any of them differs. On purpose nothing here is shared with the monitor: no join, no window, no metric of its own.
"""

import argparse
import json
import math
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import NamedTuple

import numpy as np
import pandas as pd

from flights.data import load_flights
from flights.models import FLIGHT_TIME, LATE_ARRIVAL, RECIPES, Model, plain_columns, train_first
from flights.served import read_served

TOLERANCE = 0.10
"""A flight time is right when it is off by at most this share of the true one."""

RELATIVE_PRECISION = 1e-9
"""Errors are sums of floats, and those depend on the order of adding in their last digits."""


class WrongAccount(Exception):
    """The file of what was served contradicts the table of flights, or itself."""


@dataclass(frozen=True)
class ModelCount:
    """One model's figures over all its versions. `mean_error`: in minutes for a flight time, else the error rate."""

    model_id: str
    predictions: int
    feedback: int
    joined: int
    correct: int
    pending: int
    orphans: int
    mean_error: float


@dataclass(frozen=True)
class Recount:
    """The figures of both models, and what the first version of `flight-time` alone would have made of its flights."""

    models: Mapping[str, ModelCount]
    error_with: float
    error_without: float


class Comparison(NamedTuple):
    """One figure as the report has it and as it was counted again."""

    name: str
    reported: object
    recounted: float

    @property
    def same(self) -> bool:
        """Integers must be equal, errors equal but for rounding; a figure that is missing is different."""
        if isinstance(self.recounted, int):
            return self.reported == self.recounted
        return isinstance(self.reported, (int, float)) and math.isclose(
            self.reported, self.recounted, rel_tol=RELATIVE_PRECISION
        )


def recount(served: pd.DataFrame, flights: pd.DataFrame, first: Model, last_day: date | None = None) -> Recount:
    """Count again what was served until the end of `last_day` (by default, the whole year).

    `served` is what `read_served` returns, `flights` the table of `load_flights`, `first` the model that `flight-time`
    began with. The truth comes from `flights` alone; the file's own column of truth must agree with it.

    Raises:
        WrongAccount: a prediction was made twice, or for no flight, or its truth differs from the table's.
    """
    rows = _with_truth(served, flights, last_day)
    models = {model_id: _count(model_id, rows[rows["model_id"] == model_id]) for model_id in RECIPES}
    flight_time = rows[(rows["model_id"] == FLIGHT_TIME) & rows["truth"].notna()]
    said_first = first.answer(plain_columns(flight_time, RECIPES[FLIGHT_TIME].features)).predictions
    return Recount(
        models=models,
        error_with=_mean(flight_time["prediction"] - flight_time["truth"]),
        error_without=_mean(pd.Series(said_first, index=flight_time.index, dtype=float) - flight_time["truth"]),
    )


def compare(report: Mapping[str, object], counted: Recount) -> Iterator[Comparison]:
    """Set each figure of the report beside the recount. Nothing may have become a dead letter."""
    models = report.get("models")
    reported = {m.get("model_id"): m for m in models if isinstance(m, dict)} if isinstance(models, list) else {}
    for model_id, count in counted.models.items():
        for figure in ("predictions", "feedback", "joined", "correct", "pending", "orphans", "mean_error"):
            said = reported.get(model_id, {}).get(figure)
            yield Comparison(f"{model_id} {figure}", said, getattr(count, figure))
    yield Comparison("error_with", report.get("error_with"), counted.error_with)
    yield Comparison("error_without", report.get("error_without"), counted.error_without)
    yield Comparison("dead_letters", _total(report.get("dead_letters")), 0)


def main(arguments: Sequence[str] | None = None) -> int:
    """Compare a report with the recount; 0 when they agree, 1 when not, 2 when there is nothing to compare."""
    parser = argparse.ArgumentParser(prog="python -m flights.recount", description="Count the demo's year again.")
    parser.add_argument("report", type=Path, help="the JSON report that the demo wrote")
    parser.add_argument("--served", type=Path, help="the file of what was served (default: the report's 'served')")
    parser.add_argument("--last-day", type=date.fromisoformat, help="the last day replayed (default: all of them)")
    given = parser.parse_args(arguments)
    try:
        report = json.loads(given.report.read_text(encoding="utf-8"))
        served = read_served(given.served or Path(report["served"]))
    except (OSError, ValueError, KeyError) as error:
        print(f"cannot read the report or what was served: {error!r}", file=sys.stderr)
        return 2
    flights = load_flights()
    counted = recount(served, flights, train_first(FLIGHT_TIME, flights), given.last_day)
    comparisons = list(compare(report, counted))
    print("\n".join(_table(comparisons)))
    return 0 if all(comparison.same for comparison in comparisons) else 1


def _with_truth(served: pd.DataFrame, flights: pd.DataFrame, last_day: date | None) -> pd.DataFrame:
    """What was served, each line with its flight and with its `truth`, NaN where there was none by the end."""
    if served.duplicated(["model_id", "prediction_id"]).any():
        raise WrongAccount("a prediction was served twice: (model_id, prediction_id) must be unique in the file")
    rows = served.merge(flights, left_on="prediction_id", right_on="flight_id", how="left", validate="m:1")
    if rows["flight_id"].isna().any():
        raise WrongAccount(f"no such flight: {rows.loc[rows['flight_id'].isna(), 'prediction_id'].iloc[0]}")
    truth = rows["air_time"].where(rows["model_id"] == FLIGHT_TIME, rows["late"])
    if last_day is not None:
        truth = truth.where(rows["landing_at"] < pd.Timestamp(last_day + timedelta(days=1), tz="UTC"))
    wrong = ~((truth == rows["actual"]) | (truth.isna() & rows["actual"].isna()))
    if wrong.any():
        line = rows[wrong].iloc[0]
        raise WrongAccount(
            f"{line['model_id']} {line['prediction_id']}: "
            f"the file says {line['actual']}, the flights say {truth[wrong].iloc[0]}"
        )
    return rows.assign(truth=truth)


def _count(model_id: str, rows: pd.DataFrame) -> ModelCount:
    known = rows[rows["truth"].notna()]
    off = (known["prediction"] - known["truth"]).abs()
    right = off == 0 if model_id == LATE_ARRIVAL else off <= TOLERANCE * known["truth"].abs()
    return ModelCount(
        model_id=model_id,
        predictions=len(rows),
        feedback=int(rows["actual"].notna().sum()),
        joined=len(known),
        correct=int(right.sum()),
        pending=len(rows) - len(known),
        orphans=0,
        mean_error=_mean(~right if model_id == LATE_ARRIVAL else off),
    )


def _mean(errors: pd.Series) -> float:
    """The mean size of the errors; NaN where there are none."""
    return float(np.abs(errors.to_numpy(float)).mean()) if len(errors) else math.nan


def _total(dead_letters: object) -> object:
    """Dead letters as a number, also where the report counts them by reason."""
    return sum(dead_letters.values()) if isinstance(dead_letters, dict) else dead_letters


def _table(comparisons: Sequence[Comparison]) -> Iterator[str]:
    yield f"{'':<28}{'report':>22}{'recount':>22}"
    for name, reported, recounted in comparisons:
        mark = "" if Comparison(name, reported, recounted).same else "  DIFFERENT"
        yield f"{name:<28}{_shown(reported):>22}{_shown(recounted):>22}{mark}"
    different = sum(not comparison.same for comparison in comparisons)
    yield f"{different} of {len(comparisons)} figures differ" if different else "all figures agree"


def _shown(value: object) -> str:
    return "missing" if value is None else f"{value:.9f}" if isinstance(value, float) else str(value)


if __name__ == "__main__":
    sys.exit(main())
