"""Two models, and two tests that are looked at after each event: which is wrong how often, where both are equal?"""

from __future__ import annotations

from dataclasses import dataclass
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.plan import Plan
from trueup.statistics.comparison import SequentialComparison

ALPHA = 0.01
EQUAL, BETTER = 0.10, 0.15
#: Nobody looks at a z-test earlier.
_FIRST_LOOK = 100
_SEED = 5


@dataclass(frozen=True, slots=True)
class Peeking:
    """Shares of the pairs of models, from looking after each event."""

    pairs: int
    #: A verdict though both are equal: it is wrong.
    z_test_wrong: float
    ours_wrong: float
    #: Of pairs of which one is worse by five points: the verdict was right, and after how many events.
    ours_right: float
    ours_median: float


def peek(plan: Plan) -> Peeking:
    """All pairs of equal models, and as many in which the new one is worse."""
    rng = np.random.default_rng(_SEED)
    z_wrong, ours_wrong, right, after = 0, 0, 0, []
    for _ in range(plan.pairs):
        differences = _differences(rng, EQUAL, plan.pair_events)
        z_wrong += _z_test_ever_decides(differences)
        ours_wrong += _decided(differences).verdict != "undecided"
        found = _decided(_differences(rng, BETTER, plan.pair_events))
        right += found.verdict == "worse"
        after.append(found.n if found.verdict == "worse" else np.inf)
    n = plan.pairs
    return Peeking(n, z_wrong / n, ours_wrong / n, right / n, float(np.quantile(after, 0.5, method="higher")))


def _differences(rng: np.random.Generator, new: float, events: int) -> NDArray[np.float64]:
    return (rng.random(events) < new).astype(float) - (rng.random(events) < EQUAL)


def _z_test_ever_decides(differences: NDArray[np.float64]) -> bool:
    n = np.arange(1, len(differences) + 1)
    mean = differences.cumsum() / n
    deviation = np.sqrt(np.maximum((differences**2).cumsum() / n - mean**2, 1e-12) / n)
    reach = NormalDist().inv_cdf(1.0 - ALPHA / 2.0)
    return bool((np.abs(mean) > reach * deviation)[_FIRST_LOOK:].any())


def _decided(differences: NDArray[np.float64]) -> SequentialComparison:
    comparison = SequentialComparison(ALPHA)
    for d in differences.tolist():
        comparison.update(d)
        if comparison.verdict != "undecided":
            break
    return comparison
