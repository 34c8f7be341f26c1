"""All figures, measured in as many processes as there are cores."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import Future, ProcessPoolExecutor
from dataclasses import dataclass
from multiprocessing import get_context
from typing import Any, TypeVar

from benchmarks.detection import delays, false_alarms, generators, peeking
from benchmarks.detection.contenders import DEFAULT, OURS, RIVERS, STATED
from benchmarks.detection.delays import Delays
from benchmarks.detection.false_alarms import CALMS, DEPENDENCES, Dependence, FalseAlarms
from benchmarks.detection.generators import KINDS, Scene
from benchmarks.detection.peeking import Peeking
from benchmarks.detection.plan import BASES, BUDGET, Plan
from benchmarks.detection.streams import Calm, Rise

#: The rate from which the errors rise for River's detectors.
COMMON = Calm(0.1)
#: The clairvoyant is not calibrated to fewer false alarms for each event than these.
_LEAST_RATE = 0.25e-6
FLEETS = (STATED, DEFAULT)
T = TypeVar("T")


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """What was measured; detectors by their name."""

    quiet: Mapping[tuple[str, Calm], FalseAlarms]
    fleets: Mapping[tuple[str, Dependence], FalseAlarms]
    delays: Mapping[tuple[str, Rise], Delays]
    #: The false alarms for each event that the clairvoyant beside a detector costs, by the rate before the rise.
    rates: Mapping[tuple[str, float], float]
    clairvoyant: Mapping[tuple[Rise, float], Delays]
    peeking: Peeking
    scenes: Sequence[Scene]

    def ratio(self, name: str, rise: Rise) -> float:
        """Median to median of the clairvoyant; infinite where more than half of the rises were missed."""
        return self.ratio_at(name, rise, self.rates[name, rise.base])

    def ratio_at(self, name: str, rise: Rise, rate: float) -> float:
        """The same, held against a clairvoyant that costs `rate` false alarms for each event."""
        return self.delays[name, rise].median / self.clairvoyant[rise, rate].median


class Crew:
    """Runs calls in processes, or at once where there is but one."""

    def __init__(self, workers: int) -> None:
        # A fresh interpreter: what was imported here may hold threads.
        self._pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn")) if workers > 1 else None

    def call(self, function: Callable[..., T], *arguments: Any) -> Future[T]:
        """What the function will have given."""
        if self._pool is not None:
            return self._pool.submit(function, *arguments)
        given: Future[T] = Future()
        given.set_result(function(*arguments))
        return given

    def __enter__(self) -> Crew:
        return self

    def __exit__(self, *_: object) -> None:
        if self._pool is not None:
            self._pool.shutdown(cancel_futures=True)


def measure(plan: Plan) -> Figures:
    """All of them; what takes longest is begun first."""
    with Crew(plan.workers) as crew:
        on_rises = {(one.name, COMMON.rate): crew.call(delays.of_river, one, COMMON.rate, plan) for one in RIVERS[::-1]}
        quiet = {
            (one.name, calm): crew.call(false_alarms.of_river, one, calm, plan)
            for one in RIVERS[::-1]
            for calm in CALMS
        }
        quiet |= {(one.name, calm): crew.call(false_alarms.of_ours, one, calm, plan) for one in OURS for calm in CALMS}
        fleets = {
            (one.name, how): crew.call(false_alarms.of_a_fleet, one, how, plan) for one in FLEETS for how in DEPENDENCES
        }
        on_rises |= {(one.name, base): crew.call(delays.of_ours, one, base, plan) for one in OURS for base in BASES}
        scenes = [crew.call(generators.play, *kind, plan) for kind in KINDS[: plan.kinds]]
        peeked = crew.call(peeking.peek, plan)
        counted = {key: one.result() for key, one in quiet.items()}
        rates = {
            (name, calm.rate): max(_LEAST_RATE, found.per_event)
            for (name, calm), found in counted.items()
            if calm.burst == 1
        }
        known = [
            crew.call(delays.of_the_clairvoyant, base, [BUDGET, *(rates[name, base] for name in names)], plan)
            for base in BASES
            for names in [[name for name, at in rates if at == base and (name, base) in on_rises]]
        ]
        return Figures(
            quiet=counted,
            fleets={key: one.result() for key, one in fleets.items()},
            delays={(name, rise): found for (name, _), one in on_rises.items() for rise, found in one.result().items()},
            rates=rates,
            clairvoyant={key: found for one in known for key, found in one.result().items()},
            peeking=peeked.result(),
            scenes=[one.result() for one in scenes],
        )
