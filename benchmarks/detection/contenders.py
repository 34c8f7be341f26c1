"""The detectors of the table: River's with its defaults, ours with a budget of one false alarm in a million events."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from benchmarks.detection.plan import BUDGET
from trueup.monitor.detectors import ON_LOSSES, ON_MISTAKES
from trueup.monitor.detectors.e_detector import EDetector, EDetectorConfig


@dataclass(frozen=True, slots=True)
class River:
    """A detector that informs. `cost`: how many times fewer events it is given than the cheapest."""

    name: str
    make: Callable[[], Any]
    cost: int = 1


RIVERS = (
    River("ADWIN", ON_LOSSES["adwin"]),
    River("PageHinkley", ON_LOSSES["page_hinkley"]),
    River("DDM", ON_MISTAKES["ddm"]),
    River("EDDM", ON_MISTAKES["eddm"], 2),
    River("HDDM_A", ON_MISTAKES["hddm_a"]),
    River("HDDM_W", ON_MISTAKES["hddm_w"], 10),
    River("KSWIN", ON_LOSSES["kswin"], 150),
)


@dataclass(frozen=True, slots=True)
class Ours:
    """The e-detector: told what the error is, or learning it from 10,000 labels."""

    name: str
    stated: bool
    tolerance: float

    def make(self, base: float, budget: float = BUDGET) -> EDetector:
        """One of them, for errors that come at this rate."""
        return EDetector(
            EDetectorConfig(
                objective=base if self.stated else None, tolerance=self.tolerance, min_days=0.0, budget_per_event=budget
            )
        )


STATED = Ours("e-detector, stated", stated=True, tolerance=0.0)
LEARNED = Ours("e-detector, learned", stated=False, tolerance=0.0)
DEFAULT = Ours("e-detector, learned, default tolerance", stated=False, tolerance=EDetectorConfig().tolerance)
OURS = (STATED, LEARNED, DEFAULT)
