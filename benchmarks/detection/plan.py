"""How much is run."""

from __future__ import annotations

import os
from dataclasses import dataclass, replace

#: Error rates before anything changes.
BASES = (0.02, 0.1, 0.3)
#: By how much the rate rises.
RISES = (0.02, 0.05, 0.1, 0.2)
#: A gradual rise takes so many events.
GRADUAL_EVENTS = 2_000
#: False alarms for each event that ours may cost.
BUDGET = 1e-6


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """What is run. As it is: some six and a half minutes of CPU."""

    #: Processes; 1 runs all in this one.
    workers: int = os.cpu_count() or 1
    #: Streams of ours on which nothing changes, and the events of each.
    streams: int = 256
    events: int = 250_000
    #: Of River's detectors: runs on which nothing changes; the events of them all are divided by a detector's cost.
    river_runs: int = 16
    river_events: int = 1_000_000
    #: Fleets of 100, the events of each of their streams, and what all may cost together at each of these events.
    fleets: int = 4
    fleet_events: int = 60_000
    fleet_budget: float = 1e-4
    #: Streams on which the errors rise; of River's detectors fewer.
    rises: int = 200
    river_rises: int = 24
    #: A detector that has not found it by then has missed it.
    horizon: int = 40_000
    #: The clairvoyant: streams side by side, and events of each.
    cusum_streams: int = 1_000
    cusum_events: int = 100_000
    #: Pairs of equal models, and events of each.
    pairs: int = 1_000
    pair_events: int = 5_000
    #: Seeds of River's generators, and how many of the kinds of stream.
    seeds: int = 2
    kinds: int = 12


FULL = Plan()
#: To see that it all runs, not for figures.
QUICK = replace(
    FULL,
    workers=1,
    streams=2,
    events=2_000,
    river_runs=2,
    river_events=4_000,
    fleets=1,
    fleet_events=500,
    rises=2,
    river_rises=2,
    horizon=200,
    cusum_streams=200,
    cusum_events=1_000,
    pairs=10,
    pair_events=500,
    seeds=1,
    kinds=1,
)
