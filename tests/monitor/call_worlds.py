"""Seeded weeks of a version's calls: days and weeks with their rush hours, retries, phones that were out of reach."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Iterator
from math import cos, tau
from typing import Any

from builders import DAY, HOUR, T0
from trueup.monitor.call_watch import Call, CallWatch
from trueup.monitor.features.watch import Told

#: Changes an event that comes then; True: and sends it again.
Change = Callable[[dict[str, Any], float, random.Random], bool | None]


def calls(seed: int, *, days: int, a_day: int = 3_000, change: Change | None = None) -> Iterator[Call]:
    """Calls as they come: hours of rush are slower and fail more often, Mondays most; now and then an hour is bad.

    A twentieth comes from phones, up to half a day late; a tenth of the nights' is dated an hour before it comes.
    """
    rng = random.Random(seed)
    arrival, last_bad = 0, -99
    for hour in range(24 * days):
        rush = (1 - 0.9 * cos(tau * (hour % 24) / 24)) * (1.5 if hour // 24 % 7 == 0 else 0.9)
        n = round(a_day / 24 * rush)
        bad = rng.random() < 0.01 and hour - last_bad > 12
        last_bad = hour if bad else last_bad
        for place in range(n):
            came = T0 + hour * HOUR + place * HOUR / n
            waited = rng.expovariate(0.5)
            if rng.random() < 0.05:
                waited = rng.uniform(0, DAY / 2)
            elif hour % 24 < 3 and rng.random() < 0.1:
                waited = HOUR
            event: dict[str, Any] = {"predicted_at": came - waited}
            event["latency_ms"] = rng.lognormvariate(3, 0.6) * (1 + rush) * (3 if bad else 1)
            if rng.random() < 0.004 * rush**2 + 0.3 * bad:
                event["error"] = "timeout"
            again = change(event, came, rng) if change is not None else None
            yield arrival, came, event
            arrival += 1
            if again or rng.random() < 0.01 * rush + 0.1 * bad:
                yield arrival, came, None
                arrival += 1


def between(first: float, last: float, change: Change) -> Change:
    """The change, from this day to that one."""

    def changed(event: dict[str, Any], came: float, rng: random.Random) -> bool | None:
        return change(event, came, rng) if first <= (came - T0) / DAY < last else None

    return changed


def dated(hours: float, share: float = 1.0) -> Change:
    """Dated by a clock that is so far ahead, in this share of the calls."""

    def change(event: dict[str, Any], _: float, rng: random.Random) -> None:
        if rng.random() < share:
            event["predicted_at"] += hours * HOUR

    return change


def told_by(watch: CallWatch, made: Iterable[Call], *, together: int = 500) -> list[Told]:
    """What it tells of these, given to it so many at once."""
    found: list[Told] = []
    batch: list[Call] = []
    for one in made:
        batch.append(one)
        if len(batch) == together:
            found += [told for _, told in watch.add_all(batch)]
            batch = []
    if batch:
        found += [told for _, told in watch.add_all(batch)]
    return found
