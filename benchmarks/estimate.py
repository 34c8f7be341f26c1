"""How near the expected performance of `late-arrival` comes to the actual, on the flights of February to December.

The model of the demo, trained on January, answers all flights whose outcome is known. 10,000 are the reference. Of each
5,000 after them, what is expected from the scores alone is held against what was actual; beside that, how far off "the
same as in the reference" is. The flights come in three orders:

- `year`: as they were scheduled. What makes a flight late changes with the seasons, which scores do not show.
- `mix`: shuffled, and after the reference sorted by the hour of departure: the traffic changes, the concept does not.
- `shuffled`: nothing changes; what is left is chance.

Printed: mean absolute errors in points of a hundred; `worst` is the largest of an expected accuracy. Beside the
calibration of the reference, of accuracy two others:

- `recalibrated`: learned anew for each 5,000, from the 30,000 flights before the last 1,000 (labels come a day later);
- `by_the_whole_year`: learned from all labels, those to come among them. What follows the scores alone and stays as it
  is can hardly come nearer: what is left is the change of concept that cannot be seen.
"""

from __future__ import annotations

import json
import random
import sys
from pathlib import Path
from statistics import fmean
from typing import NamedTuple

from trueup.statistics.calibration import LABELLED, POSITIVE, Calibration, Quality, actual_quality, key_of

REFERENCE, BLOCK = 10_000, 5_000
#: Flights from which a later calibration is learned, and those before a block whose labels have not come.
RECENT, UNKNOWN = 30_000, 1_000
METRICS = ("accuracy", "precision", "auc")


class Scored(NamedTuple):
    """A probability of being late, what was predicted with it, whether it was late, its hour of departure."""

    score: float
    predicted: bool
    late: bool
    hour: int


def run() -> None:
    """Measure, and print one JSON line for each order."""
    year = _flights()
    shuffled = random.Random(2013).sample(year, len(year))
    mix = shuffled[:REFERENCE] + sorted(shuffled[REFERENCE:], key=lambda flight: flight.hour)
    for order, scored in (("year", year), ("mix", mix), ("shuffled", shuffled)):
        print(json.dumps({"benchmark": "estimate", "order": order, **_measured(scored)}))


def _measured(scored: list[Scored]) -> dict[str, object]:
    reference = _counts(scored[:REFERENCE])
    calibration, before = Calibration(reference), actual_quality(reference)
    blocks = [_counts(scored[at : at + BLOCK]) for at in range(REFERENCE, len(scored) - BLOCK + 1, BLOCK)]
    actual = [actual_quality(block) for block in blocks]
    expected = [calibration.expected(block, LABELLED) for block in blocks]
    same = [before] * len(blocks)
    row: dict[str, object] = {"flights": len(scored), "blocks": len(blocks)}
    for name in METRICS:
        row[f"{name}_error_points"] = round(fmean(_errors(name, expected, actual)), 2)
        row[f"{name}_error_points_as_in_reference"] = round(fmean(_errors(name, same, actual)), 2)
    row["accuracy_error_points_recalibrated"] = round(
        fmean(_errors("accuracy", _recalibrated(scored, blocks), actual)), 2
    )
    by_all = Calibration(_counts(scored))
    foreknown = [by_all.expected(block, LABELLED) for block in blocks]
    row["accuracy_error_points_by_the_whole_year"] = round(fmean(_errors("accuracy", foreknown, actual)), 2)
    row["worst"] = round(max(_errors("accuracy", expected, actual)), 2)
    row["worst_as_in_reference"] = round(max(_errors("accuracy", same, actual)), 2)
    return row


def _recalibrated(scored: list[Scored], blocks: list[dict[int, int]]) -> list[Quality]:
    """What is expected of each block by the labels that came lately, as far as they had come."""
    expected = []
    for place, block in enumerate(blocks):
        known = max(REFERENCE, REFERENCE + place * BLOCK - UNKNOWN)
        expected.append(Calibration(_counts(scored[max(0, known - RECENT) : known])).expected(block, LABELLED))
    return expected


def _counts(rows: list[Scored]) -> dict[int, int]:
    counts: dict[int, int] = {}
    for row in rows:
        key = key_of(row.score, predicted=row.predicted)
        for kind in (LABELLED, POSITIVE) if row.late else (LABELLED,):
            counts[key + kind] = counts.get(key + kind, 0) + 1
    return counts


def _errors(name: str, expected: list[Quality], actual: list[Quality]) -> list[float]:
    pairs = [(getattr(hoped, name), getattr(was, name)) for hoped, was in zip(expected, actual, strict=True)]
    return [100 * abs(hoped - was) for hoped, was in pairs if hoped is not None and was is not None]


def _flights() -> list[Scored]:
    """The flights after January, scored by the demo's first model; the demo is no package of the installation."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
    from flights.data import FEBRUARY, load_flights
    from flights.models import LATE_ARRIVAL, RECIPES, plain_columns, train_first

    flights = load_flights()
    model = train_first(LATE_ARRIVAL, flights)
    rest = flights[(flights["scheduled_at"] >= FEBRUARY) & flights["late"].notna()]
    answers = model.answer(plain_columns(rest, RECIPES[LATE_ARRIVAL].features))
    assert answers.probabilities is not None
    return [
        Scored(score, predicted == 1, late == 1.0, hour)
        for score, predicted, late, hour in zip(
            answers.probabilities, answers.predictions, rest["late"], rest["hour"], strict=True
        )
    ]
