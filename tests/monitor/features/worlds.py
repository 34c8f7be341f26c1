"""Seeded days of a model's features: independent ones, and a weather that all predictions of an hour share."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterator, Sequence
from math import cos, pi, tau
from typing import Any

from builders import DAY, HOUR, T0
from trueup.monitor.features.column import ReferenceSize
from trueup.monitor.features.watch import FeatureWatch, Made, Told

Features = dict[str, Any]
#: Changes features of an event, made then.
Change = Callable[[Features, float], None]
COUNTRIES = ("nl", "de", "fr", "be", "pl", "it", "es", "at")


def weather(rng: random.Random, hours: int) -> list[float]:
    """Degrees Fahrenheit by the hour: a year, a day, fronts of some days, gusts."""
    front, found = 0.0, []
    for hour in range(hours):
        front = 0.985 * front + rng.gauss(0, 1.6)
        season, daily = -18 * cos(tau * (hour / 24 + 20) / 365), -6 * cos(tau * (hour % 24 - 4) / 24)
        found.append(55 + season + daily + front)
    return found


def world(seed: int, *, days: int, a_day: int = 1_200, change: Change | None = None) -> Iterator[Made]:
    """Predictions of so many days, fewer of them at night."""
    rng = random.Random(seed)
    degrees = weather(rng, 24 * days)
    number = 0
    for hour in range(24 * days):
        n = round(a_day / 24 * (1 - 0.9 * cos(tau * (hour % 24) / 24)))
        for place in range(n):
            at = T0 + hour * HOUR + place * HOUR / n
            features: Features = {
                "temperature": round(degrees[hour] + rng.choice((-1.0, 0.0, 1.5)), 2),
                "amount": round(rng.lognormvariate(3, 0.8), 2),
                "age": rng.randint(18, 80),
                "country": COUNTRIES[min(int(rng.expovariate(0.6)), 7)],
                "rain": max(0.0, round(rng.gauss(-1.5, 1), 2)) if rng.random() < 0.3 else 0.0,
                "member": rng.random() < 0.3,
                "income": None if rng.random() < 0.05 else round(rng.gauss(pi * 1_000, 700)),
            }
            if change is not None:
                change(features, at)
            score = rng.betavariate(2, 5)
            number += 1
            answer = ("v1", int(score > 0.5), score, at, None, None, None)
            yield number, answer, {"prediction_id": f"p{number}", "features": features}


def from_day(day: float, change: Callable[[Features], None], *, until: float = 1e9) -> Change:
    """The change, from this day on."""

    def changed(features: Features, at: float) -> None:
        if day <= (at - T0) / DAY < until:
            change(features)

    return changed


def put(name: str, value: Callable[[Any], Any]) -> Callable[[Features], None]:
    """Another value of one feature, made from the one it had."""

    def change(features: Features) -> None:
        features[name] = value(features[name])

    return change


def watch() -> FeatureWatch:
    """As it is by default."""
    return FeatureWatch(ReferenceSize(1_000, 7.0), 100)


def told_by(watched: FeatureWatch, made: Iterator[Made], *, together: int = 500) -> list[Told]:
    """What it tells of these, given to it so many at once."""
    found: list[Told] = []
    batch: list[Made] = []
    for one in made:
        batch.append(one)
        if len(batch) == together:
            found += [told for _, told in watched.add_all(batch)]
            batch = []
    if batch:
        found += [told for _, told in watched.add_all(batch)]
    return found


def summary(told: Sequence[Told]) -> list[tuple[float, str, Any, str, bool]]:
    """Day, type, which, what, whether ended; for people."""
    return [
        (
            round((one.at - T0) / DAY, 2),
            one.type,
            one.data.get("feature") or one.data.get("features") or [drift["stream"] for drift in one.data["drifted"]],
            one.data.get("fault", ""),
            one.data.get("ended", False),
        )
        for one in told
    ]
