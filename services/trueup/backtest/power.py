"""How long a fall takes to be found: the detector that pages, run over simulated labels until it does.

    labels  ▁▁▂▁▁▂▁▁▂▁▁▂▁▁▂▃▅▃▄▅▃▄▅▃▄▅
            └─ learning ──┘└─ fallen ┘▲ found: so many labels, so many hours, and the hours that a label takes

Bursts: the error rate of each burst (a day of labels, or four times V where that is longer) is drawn from a beta
distribution around the mean, with the correlation rho within a burst that inflates the variance by V = 1 + (L - 1) rho
for L labels. The fall begins as soon as the reference is learned, when no evidence has been gathered yet.
"""

from __future__ import annotations

import math
import random
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, fields
from statistics import median
from typing import Any

from trueup.errors import InvalidSettings
from trueup.monitor.budget import earned
from trueup.monitor.config import ModelConfig
from trueup.monitor.detectors.e_detector import EDetector, EDetectorConfig

DEFAULTS = ModelConfig()
#: References that are learned, and falls that are found with each.
REFERENCES, FALLS = 20, 10
SECONDS_PER_DAY = 86_400.0
#: A longer reference counts as one of so many labels: its bound would be lower by little.
MOST_LEARNED = 100_000
#: What is not found within so many labels, or a year, is not found.
MOST_LABELS, MOST_DAYS = 200_000, 365.0
#: Days of the newest cohorts whose truth is not expected yet have less than this part of the usual coverage.
_HALF = 0.5


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What falls, from where, and what may be spent on finding it."""

    labels_per_day: float
    #: The error rate before the fall, and by how much it rises (0.02: accuracy falls by two points).
    base_rate: float
    fall: float
    #: What this one model may cost: its share of the fleet's false pages.
    false_pages_per_month: float
    #: From a prediction to its truth.
    delay_hours: float = 0.0
    #: How much more the mean of its errors varies than that of independent ones.
    inflation: float = 1.0
    model: ModelConfig = DEFAULTS

    def __post_init__(self) -> None:
        for name, right, wanted in (
            ("labels-per-day", 0 < self.labels_per_day < math.inf, "more than 0"),
            ("base-rate", 0 < self.base_rate < 1, "an error rate between 0 and 1"),
            ("fall", self.fall > 0 and self.base_rate + self.fall < 1, "more than 0, and below 1 with the base rate"),
            ("false-pages-per-month", 0 < self.false_pages_per_month < math.inf, "more than 0"),
            ("delay-hours", 0 <= self.delay_hours < math.inf, "0 or more"),
            ("inflation", 1 <= self.inflation < math.inf, "1 (independent errors) or more"),
        ):
            if not right:
                given = getattr(self, name.replace("-", "_"))
                raise InvalidSettings(f"--{name} has to be {wanted}, not {given:g}")


def power(question: Question, *, seed: int = 1) -> dict[str, Any]:
    """Median and 90th percentile of the delay, in labels and hours; None where so many falls are not found at all.

    The same question and seed give the same answer.
    """
    delays: list[float] = []
    for number in range(REFERENCES):
        rng = random.Random(f"{seed}/{number}")
        learned = _learned(question, rng)
        if learned is None:
            delays += [math.inf] * FALLS
        else:
            delays += [_delay(question, learned, rng) for _ in range(FALLS)]
    delays.sort()
    said = {each.name: getattr(question, each.name) for each in fields(Question) if each.name != "model"}
    return {
        **said,
        "runs": len(delays),
        "found": sum(delay < math.inf for delay in delays) / len(delays),
        "median": _shown(question, median(delays)),
        "p90": _shown(question, delays[math.ceil(0.9 * len(delays)) - 1]),
    }


def _shown(question: Question, labels: float) -> dict[str, float] | None:
    if labels == math.inf:
        return None
    hours = labels / question.labels_per_day * 24.0 + question.delay_hours
    return {"labels": labels, "hours": round(hours, 1), "days": round(hours / 24.0, 2)}


def _learned(question: Question, rng: random.Random) -> dict[str, Any] | None:
    """A detector that watches, as a snapshot; None where it would learn for longer than a year."""
    model = question.model
    config = EDetectorConfig(
        objective=model.objective,
        min_labels=model.reference_labels,
        min_days=model.reference_days,
        tolerance=model.worth_paging,
    )
    detector = EDetector(config, inflation=question.inflation)
    if model.objective is None:
        seconds = SECONDS_PER_DAY / question.labels_per_day
        for number, loss in enumerate(_losses(question, question.base_rate, rng)):
            if detector.state == "watching":
                break
            if number * seconds > MOST_DAYS * SECONDS_PER_DAY:
                return None
            if number >= max(MOST_LEARNED, model.reference_labels):
                detector.watch()
                break
            detector.update(loss, at=number * seconds)
    return detector.snapshot()


def _delay(question: Question, learned: dict[str, Any], rng: random.Random) -> float:
    """Labels from the fall to the alarm; infinite where there is none in time."""
    detector = EDetector.restore(learned)
    budget = earned(question.false_pages_per_month, SECONDS_PER_DAY / question.labels_per_day)
    most = min(MOST_LABELS, MOST_DAYS * question.labels_per_day)
    for number, loss in enumerate(_losses(question, question.base_rate + question.fall, rng), start=1):
        if number > most:
            return math.inf
        detector.update(loss, budget=budget)
        if detector.alarm is not None:
            return number
    raise AssertionError("losses never end")


def _losses(question: Question, rate: float, rng: random.Random) -> Iterator[float]:
    """Zeros and ones of this mean without an end, in bursts."""
    inflation, draw = question.inflation, rng.random
    length = max(round(question.labels_per_day), math.ceil(4 * inflation), 2)
    correlation = (inflation - 1.0) / (length - 1.0)
    while True:
        burst = rate
        if correlation > 0.0:
            weight = 1.0 / correlation - 1.0
            burst = rng.betavariate(rate * weight, (1.0 - rate) * weight)
        for _ in range(length):
            yield 1.0 if draw() < burst else 0.0


def known_of(model: Mapping[str, Any]) -> dict[str, float]:
    """What the status of a running installation says of a model, for a `Question`.

    Traffic is that of the median day that has truths; the delay is counted in whole days: how many of the newest ones
    have less than half of the usual share of their truths.
    """
    version = _serving(model)
    detector = version["detector"]
    reference = detector["reference"]
    known = {"false_pages_per_month": model["false_pages_per_month"], "inflation": detector["variance_inflation"]}
    if reference is not None:
        known["base_rate"] = reference["mean"]
    elif version["joined"] and version["correct"]:
        known["base_rate"] = 1.0 - version["correct"] / version["joined"]
    days = [day for day in version["days"] if day["predictions"]]
    labelled = [day["joined"] for day in days if day["joined"]]
    if labelled:
        known["labels_per_day"] = median(labelled)
        known["delay_hours"] = 24.0 * _days_without(days)
    return known


def _serving(model: Mapping[str, Any]) -> Mapping[str, Any]:
    """The champion, or the version with the most truths."""
    versions = [version for version in model["versions"] if version["joined"]]
    if not versions:
        raise InvalidSettings(f"model {model['model_id']} knows no truth yet: say --labels-per-day and --base-rate")
    champions = [version for version in versions if version["role"] == "champion"]
    found: Mapping[str, Any] = max(champions or versions, key=lambda version: version["joined"])
    return found


def _days_without(days: list[Mapping[str, Any]]) -> int:
    ordered = sorted(days, key=lambda day: str(day["day"]))
    covered = [day["joined"] / day["predictions"] for day in ordered]
    usual = median([share for share in covered if share > 0.0])
    newest = 0
    for share in reversed(covered):
        if share >= _HALF * usual:
            break
        newest += 1
    return newest
