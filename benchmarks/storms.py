"""Whether a bad day calls anybody: the errors of `late-arrival` over a year, and with one stormy day planted into it.

The model of the demo, trained on January, answers all flights whose outcome is known, in the order of their landing.
Its detector is that of the demo: it learns two weeks, and may cost so many false pages a month.

    labels   ────────────────┬── 24 hours ──┬── six days ──▶
    as it was                │              │                  does it page on its own?
    with a storm             └─ 85 % wrong ─┘                  does it page now?

A try counts as paged where it pages within that week and the year as it was does not. Tries begin at times evenly
spread over the time in which the detector watches.
"""

from __future__ import annotations

import json
import random
import sys
from bisect import bisect_left
from collections.abc import Sequence
from itertools import pairwise
from pathlib import Path
from statistics import fmean
from typing import Any, NamedTuple

from trueup.monitor.budget import earned
from trueup.monitor.detectors.e_detector import Alarm, EDetector

#: Four a month for the fleet, over four partitions; half of that for the first model, of which segments get a quarter.
PAGES_PER_MONTH = 4 / 4 / 2 * 0.75
TRIES = 400
STORM, A_DAY, A_WEEK = 0.85, 86_400.0, 7 * 86_400.0


class Label(NamedTuple):
    """When it came (epoch seconds), whether the answer was wrong."""

    at: float
    loss: float


class Year(NamedTuple):
    """The year as it was: its alarms, and for each hour while it watched, the detector as it stood before it."""

    alarms: Sequence[Alarm]
    watching: Sequence[tuple[int, dict[str, Any]]]


class Measured(NamedTuple):
    """Pages of the year with the days above the baseline among the last seven of each; tries, and those that paged."""

    pages: int
    days_above: Sequence[int]
    tries: int
    paged: int


def run() -> None:
    """Measure, and print one JSON line."""
    print(json.dumps({"benchmark": "storms", **measure(late_arrivals(), TRIES)._asdict()}))


def measure(labels: Sequence[Label], tries: int) -> Measured:
    """The pages of these labels, which are in the order of time, and of this many tries."""
    year = as_it_was(labels)
    own = [alarm.at for alarm in year.alarms if alarm.at is not None]
    spread = [year.watching[number * len(year.watching) // tries] for number in range(tries)]
    paged = 0
    for number, (place, standing) in enumerate(spread):
        begin = labels[place].at
        calm = not any(begin <= at < begin + A_WEEK for at in own)
        paged += calm and pages(EDetector.restore(standing), with_storm(labels, place, seed=number))
    return Measured(len(own), [days_above(labels, alarm) for alarm in year.alarms], tries, paged)


def as_it_was(labels: Sequence[Label]) -> Year:
    """Feed all of it to one detector."""
    detector, alarms, watching = EDetector(), list[Alarm](), list[tuple[int, dict[str, Any]]]()
    before = labels[0].at
    for place, (at, loss) in enumerate(labels):
        if at // 3_600 > before // 3_600 and detector.state == "watching":
            watching.append((place, detector.snapshot()))
        detector.update(loss, at=at, budget=earned(PAGES_PER_MONTH, at - before))
        before = at
        if detector.alarm is not None:
            alarms.append(detector.alarm)
    return Year(alarms, watching)


def with_storm(labels: Sequence[Label], place: int, *, seed: int) -> list[Label]:
    """The week from this place on, its first 24 hours a storm."""
    rng, begin = random.Random(seed), labels[place].at
    end, storm = (bisect_left(labels, begin + more, key=_at) for more in (A_WEEK, A_DAY))
    stormy = [Label(label.at, float(rng.random() < STORM)) for label in labels[place:storm]]
    return stormy + list(labels[storm:end])


def pages(detector: EDetector, labels: Sequence[Label]) -> bool:
    """Whether the detector, as it stands, pages on any of these."""
    before = labels[0].at
    for at, loss in labels:
        detector.update(loss, at=at, budget=earned(PAGES_PER_MONTH, at - before))
        before = at
        if detector.alarm is not None:
            return True
    return False


def days_above(labels: Sequence[Label], alarm: Alarm) -> int:
    """How many of the last seven times 24 hours before an alarm lay above the mean that it was held against."""
    assert alarm.at is not None
    edges = [bisect_left(labels, alarm.at - number * A_DAY, key=_at) for number in range(8)]
    means = [fmean(label.loss for label in labels[first:end]) for end, first in pairwise(edges)]
    return sum(mean > alarm.reference.mean for mean in means)


def late_arrivals() -> list[Label]:
    """The flights after January whose outcome is known; the demo is no package of the installation."""
    sys.path.insert(0, str(Path(__file__).parents[1] / "examples"))
    from flights.data import FEBRUARY, load_flights
    from flights.models import LATE_ARRIVAL, RECIPES, plain_columns, train_first

    flights = load_flights()
    model = train_first(LATE_ARRIVAL, flights)
    rest = flights[(flights["scheduled_at"] >= FEBRUARY) & flights["landing_at"].notna() & flights["late"].notna()]
    rest = rest.sort_values(["landing_at", "flight_id"])
    answers = model.answer(plain_columns(rest, RECIPES[LATE_ARRIVAL].features))
    landed = [landing.timestamp() for landing in rest["landing_at"]]
    return [
        Label(at, float(answered != late))
        for at, answered, late in zip(landed, answers.predictions, rest["late"].tolist(), strict=True)
    ]


def _at(label: Label) -> float:
    return label.at
