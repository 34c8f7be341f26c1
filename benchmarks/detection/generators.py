"""River's synthetic streams with a drift at a known place, and a model that learns on them, told each truth at once.

    0 ......... 4,000 ......... 14,000 .......... 20,000 ............. 25,000
     the model         detectors       false alarms   drift  found in time?
     learns alone      learn

The probability of the new concept is a sigmoid around 20,000: it begins half its width earlier, at 12 %. An abrupt
drift has a width of 120, about the least for which the generator's exponential does not overflow.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import Any

import numpy as np
from river.compose import Pipeline
from river.datasets import synth
from river.linear_model import LogisticRegression
from river.preprocessing import StandardScaler
from river.tree import HoeffdingTreeClassifier

from benchmarks.detection.contenders import DEFAULT, LEARNED, RIVERS
from benchmarks.detection.plan import GRADUAL_EVENTS, Plan

LEARNT, WARMED_UP, CENTRE, END = 4_000, 14_000, 20_000, 25_000
#: From here on a dear detector is fed, on the first seed alone.
_DEAR, _DEAR_FROM = 100, 17_000
#: Events from the drift on over which the error after it is taken.
AFTER = 1_000

Drifting = Callable[[int, int], Any]


def _drift(before: Any, after: Any, seed: int, width: int) -> Any:
    return synth.ConceptDriftStream(before, after, position=CENTRE, width=width, seed=seed)


def _sea(seed: int, width: int) -> Any:
    return _drift(synth.SEA(variant=0, noise=0.05, seed=seed), synth.SEA(variant=2, noise=0.05, seed=seed), seed, width)


def _stagger(seed: int, width: int) -> Any:
    before, after = (synth.STAGGER(classification_function=k, seed=seed) for k in (0, 1))
    return _drift(before, after, seed, width)


def _agrawal(seed: int, width: int) -> Any:
    before, after = (synth.Agrawal(classification_function=k, perturbation=0.05, seed=seed) for k in (0, 2))
    return _drift(before, after, seed, width)


STREAMS: Mapping[str, Drifting] = {"SEA": _sea, "STAGGER": _stagger, "Agrawal": _agrawal}
WIDTHS: Mapping[str, int] = {"abrupt": 120, "gradual": GRADUAL_EVENTS}
MODELS: Mapping[str, Callable[[], Any]] = {
    "Hoeffding tree": HoeffdingTreeClassifier,
    "logistic regression": lambda: Pipeline(StandardScaler(), LogisticRegression()),
}


#: Each model on each stream.
KINDS = tuple(itertools.product(STREAMS, WIDTHS, MODELS))


@dataclass(frozen=True, slots=True)
class Found:
    """Of one detector on one stream: all seeds together."""

    detector: str
    runs: int
    found: int
    #: Median of those that were found; infinite where none was.
    delay: float
    #: In all calm events that it was fed.
    false_alarms: int
    calm_events: int


@dataclass(frozen=True, slots=True)
class Scene:
    """A model on a stream: its error rate before and after the drift, and who found it."""

    stream: str
    width: str
    model: str
    error_before: float
    error_after: float
    found: tuple[Found, ...]


def play(stream: str, width: str, model: str, plan: Plan) -> Scene:
    """All detectors on the mistakes that this model makes on this stream."""
    drift = CENTRE - WIDTHS[width] // 2
    lives = [_mistakes(STREAMS[stream](seed, WIDTHS[width]), MODELS[model]()) for seed in range(plan.seeds)]
    found = [
        _found(
            one.name,
            one.make,
            [life[_DEAR_FROM - LEARNT :] for life in lives[:1]] if one.cost >= _DEAR else lives,
            drift,
        )
        for one in RIVERS
    ]
    found += [_found(one.name, partial(one.make, 0.0), lives, drift) for one in (LEARNED, DEFAULT)]
    before = float(np.mean([life[WARMED_UP - LEARNT : drift - LEARNT] for life in lives]))
    after = float(np.mean([life[drift - LEARNT :][:AFTER] for life in lives]))
    return Scene(stream, width, model, before, after, tuple(found))


def _mistakes(stream: Any, model: Any) -> list[float]:
    """Whether the model, asked before it is told, was wrong, once it has learnt something."""
    mistakes = []
    for x, y in itertools.islice(stream, END):
        mistakes.append(float(model.predict_one(x) != y))
        model.learn_one(x, y)
    return mistakes[LEARNT:]


def _found(name: str, make: Callable[[], Any], lives: list[list[float]], drift: int) -> Found:
    delays, false_alarms, calm_events = [], 0, 0
    for life in lives:
        start = END - len(life)
        calm = range(max(start, WARMED_UP), drift)
        alarms = [start + at for at in _alarms(make(), life, drift - start)]
        false_alarms += sum(at in calm for at in alarms)
        calm_events += len(calm)
        delays += [at - drift + 1 for at in alarms if at >= drift]
    median = float(np.median(delays)) if delays else np.inf
    return Found(name, len(lives), len(delays), median, false_alarms, calm_events)


def _alarms(detector: Any, life: list[float], drift: int) -> list[int]:
    """Up to the first after the drift."""
    alarms = []
    for at, x in enumerate(life):
        detector.update(x)
        if detector.drift_detected:
            alarms.append(at)
            if at >= drift:
                break
    return alarms
