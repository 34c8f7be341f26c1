"""Streams on which the errors rise: after how many events it is found, and what the clairvoyant needs."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.contenders import Ours, River
from benchmarks.detection.cusum import Cusum
from benchmarks.detection.plan import BUDGET, RISES, Plan
from benchmarks.detection.side_by_side import SideBySide
from benchmarks.detection.streams import SHAPES, Calm, Rise
from trueup.monitor.detectors.e_detector import EDetector

#: Events before the rise, after what there is to learn.
_BEFORE = 2_000
_SEED = 11
#: Who costs more than this many times the cheapest is given a horizon of so many events, and fewer runs.
_DEAR, _SHORT_HORIZON = 100, 1_500


@dataclass(frozen=True, slots=True)
class Delays:
    """Events from the rise to the first alarm after it, in all runs; infinite where it was missed."""

    found: tuple[float, ...]

    @property
    def median(self) -> float:
        """Half of the rises were found by then."""
        return float(np.quantile(self.found, 0.5, method="higher"))

    @property
    def p90(self) -> float:
        """Nine tenths of the rises were found by then."""
        return float(np.quantile(self.found, 0.9, method="higher"))


def rises(base: float) -> list[Rise]:
    """All rises from this rate."""
    return [Rise(base, by, shape) for shape in SHAPES for by in RISES]


def of_ours(contender: Ours, base: float, plan: Plan) -> Mapping[Rise, Delays]:
    """For each rise from this rate; the references are the same for all of them."""
    learned = _learned(contender, base, plan)
    return {rise: _of_ours(learned, rise, plan) for rise in rises(base)}


def _learned(contender: Ours, base: float, plan: Plan) -> list[dict[str, object]]:
    detectors = [contender.make(base) for _ in range(plan.rises)]
    if not contender.stated:
        for errors in Calm(base).chunks(detectors[0].labels_needed, plan.rises, _SEED):
            for detector, column in zip(detectors, errors.T.astype(float).tolist(), strict=True):
                for x in column:
                    detector.update(x)
    return [detector.snapshot() for detector in detectors]


def _of_ours(learned: Sequence[dict[str, object]], rise: Rise, plan: Plan) -> Delays:
    watched = SideBySide([EDetector.restore(one) for one in learned], [BUDGET] * len(learned))
    for errors in Calm(rise.base).chunks(_BEFORE, len(learned), _SEED + 1):
        watched.feed(errors)
    found = np.full(len(learned), np.inf)
    for errors in rise.chunks(plan.horizon, len(learned), _SEED):
        for fired in watched.feed(errors):
            found[fired.column] = min(found[fired.column], fired.event - _BEFORE + 1)
        if not np.isinf(found).any():
            break
    return _delays(found)


def of_river(contender: River, base: float, plan: Plan) -> Mapping[Rise, Delays]:
    """For each rise from this rate."""
    dear = contender.cost >= _DEAR
    runs = max(1, plan.river_rises // (4 if dear else 1))
    horizon = min(plan.horizon, _SHORT_HORIZON) if dear else plan.horizon
    return {
        rise: _delays(np.array([_delay(contender, rise, horizon, _SEED + run) for run in range(runs)]))
        for rise in rises(base)
    }


def _delay(contender: River, rise: Rise, horizon: int, seed: int) -> float:
    detector = contender.make()
    before = _BEFORE if contender.cost < _DEAR else _BEFORE // 10
    for errors in Calm(rise.base).chunks(before, 1, seed):
        for x in errors[:, 0].astype(float).tolist():
            detector.update(x)
    event = 0
    for errors in rise.chunks(horizon, 1, seed):
        for x in errors[:, 0].astype(float).tolist():
            event += 1
            detector.update(x)
            if detector.drift_detected:
                return float(event)
    return np.inf


def of_the_clairvoyant(base: float, rates: Sequence[float], plan: Plan) -> Mapping[tuple[Rise, float], Delays]:
    """For each rise from this rate, its delays at each of these rates of false alarms."""
    known = {by: Cusum(Rise(base, by, "abrupt"), streams=plan.cusum_streams, events=plan.cusum_events) for by in RISES}
    return {
        (rise, rate): _of_the_clairvoyant(known[rise.by], rise, rate, plan)
        for rise in rises(base)
        for rate in sorted(set(rates))
    }


def _of_the_clairvoyant(cusum: Cusum, rise: Rise, rate: float, plan: Plan) -> Delays:
    return _delays(cusum.delays(rise, cusum.threshold(rate), runs=5 * plan.rises, horizon=plan.horizon))


def _delays(found: NDArray[np.float64]) -> Delays:
    return Delays(tuple(found.tolist()))
