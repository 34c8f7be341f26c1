"""Streams on which nothing changes: every alarm is a false one."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Literal

import numpy as np

from benchmarks.detection.contenders import Ours, River
from benchmarks.detection.plan import BASES, BUDGET, Plan
from benchmarks.detection.side_by_side import SideBySide
from benchmarks.detection.streams import Calm
from trueup.monitor.budget import share

CALMS = (*(Calm(base) for base in BASES), Calm(0.1, burst=20), Calm(0.1, burst=500))
MONITORS = 100
Dependence = Literal["independent", "the same stream"]
DEPENDENCES: tuple[Dependence, ...] = ("independent", "the same stream")
_SEED = 7
_MILLION = 1e6


@dataclass(frozen=True, slots=True)
class FalseAlarms:
    """Of some events in all, and how sure that is."""

    alarms: int
    events: int
    #: Of the rate, from the spread between runs.
    standard_error: float

    @property
    def per_event(self) -> float:
        """The rate."""
        return self.alarms / self.events

    @property
    def per_million(self) -> float:
        """The rate, for a million events."""
        return self.per_event * _MILLION

    @property
    def at_most_per_million(self) -> float:
        """The rate is below this: by two standard errors, or, where there was no alarm, by the rule of three."""
        return (self.per_event + 2.0 * self.standard_error if self.alarms else 3.0 / self.events) * _MILLION


def _counted(by_run: list[int], events: int) -> FalseAlarms:
    spread = float(np.std(by_run, ddof=1)) / math.sqrt(len(by_run)) if len(by_run) > 1 else 0.0
    return FalseAlarms(sum(by_run), events * len(by_run), spread / events)


def of_river(contender: River, calm: Calm, plan: Plan) -> FalseAlarms:
    """The alarms of one of River's detectors, which begins again after each."""
    events = plan.river_events // contender.cost // plan.river_runs
    by_run = []
    for run in range(plan.river_runs):
        detector, alarms = contender.make(), 0
        for errors in calm.chunks(events, 1, _SEED + run):
            for x in errors[:, 0].astype(float).tolist():
                detector.update(x)
                alarms += detector.drift_detected
        by_run.append(alarms)
    return _counted(by_run, events)


def of_ours(contender: Ours, calm: Calm, plan: Plan) -> FalseAlarms:
    """The alarms of e-detectors, learning included."""
    budgets = [BUDGET] * plan.streams
    watched = SideBySide([contender.make(calm.rate) for _ in budgets], budgets)
    by_run = [0] * plan.streams
    for errors in calm.chunks(plan.events, plan.streams, _SEED):
        for fired in watched.feed(errors):
            by_run[fired.column] += 1
    return _counted(by_run, plan.events)


def of_a_fleet(contender: Ours, dependence: Dependence, plan: Plan) -> FalseAlarms:
    """The pages of 100 monitors together, the k-th with its share of the budget, for each event of all of them.

    Either each has a stream of its own, or all see the very same errors.
    """
    budgets = [plan.fleet_budget * share(k, 1) for _ in range(plan.fleets) for k in range(1, MONITORS + 1)]
    detectors = [contender.make(0.1, budget) for budget in budgets]
    watched = SideBySide(detectors, budgets)
    by_fleet = [0] * plan.fleets
    drawn = plan.fleets if dependence == "the same stream" else plan.fleets * MONITORS
    for errors in Calm(0.1).chunks(plan.fleet_events, drawn, _SEED):
        for fired in watched.feed(np.repeat(errors, len(budgets) // drawn, axis=1)):
            by_fleet[fired.column // MONITORS] += 1
    return _counted(by_fleet, plan.fleet_events * MONITORS)
