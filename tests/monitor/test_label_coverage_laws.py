"""The coverage of labels goes on from what was saved, is the same however events are cut, and rarely speaks falsely."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import msgpack
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.random import Generator

from builders import DAY, HOUR, T0
from trueup.monitor.join import Answer
from trueup.monitor.label_counts import KEEP_DAYS, TOTAL, LabelCounts
from trueup.monitor.label_coverage import LabelCoverage, Told

#: What happens: answers that were given and answers that met their truth, or a look.
Happening = tuple[list[Answer], list[Answer]] | float


def answer(day: float, label: object = 1, carrier: str | None = None, *, n: int = 1) -> list[Answer]:
    return [("v1", label, None, T0 + day * DAY, None if carrier is None else {"carrier": carrier}, None, None)] * n


def some_days(seed: int, n: int) -> list[Happening]:
    """Days on which labels come, stop for a class or a carrier, or stop altogether."""
    rng = random.Random(seed)
    found: list[Happening] = []
    stops: tuple[object, str] | None = None
    for day in range(n):
        found.append((answer(day), []))
        found.append(T0 + day * DAY + 1.5 * HOUR)
        if rng.random() < 0.1:
            stops = rng.choice([None, (None, "AA"), (True, ""), (None, "")])
        made, met = [], []
        for label in (0, True, "odd", 2.5, None):
            for carrier in ("AA", "UA", "DL"):
                new = answer(day - rng.choice((0, 0, 3)), label, carrier, n=rng.choice((20, 60)))
                made += new
                if stops is None or not (stops[0] in (None, label) and stops[1] in ("", carrier)):
                    met += new
        found.append((made, met))
        found += [T0 + day * DAY + hour * HOUR for hour in (2.0, 23.0)]
    return found


def feed(labels: LabelCoverage, happenings: Sequence[Happening]) -> list[Told]:
    told: list[Told] = []
    for one in happenings:
        if isinstance(one, float):
            told += labels.look(one, hour_began=True, classes=True)
        else:
            labels.counts.made += one[0]
            labels.counts.met += one[1]
    return told


def saved(labels: LabelCoverage) -> tuple[bytes, bytes]:
    """All of it, as bytes."""
    labels.touch()
    return msgpack.packb(labels.counts.changes()), msgpack.packb(labels.changes())


def restored(labels: LabelCoverage) -> LabelCoverage:
    counts, coverage = saved(labels)
    again = LabelCoverage(("carrier",))
    again.counts.restore(msgpack.unpackb(counts))
    again.restore(msgpack.unpackb(coverage))
    return again


@given(st.integers(0, 10_000), st.integers(1, 70), st.lists(st.integers(0, 350), max_size=4))
@settings(max_examples=40, deadline=None)
def test_restored_anywhere_it_tells_the_same(seed: int, n: int, cuts: list[int]) -> None:
    happenings = some_days(seed, n)
    whole = LabelCoverage(("carrier",))
    expected = feed(whole, happenings)

    parts, found, start = LabelCoverage(("carrier",)), list[Told](), 0
    for cut in sorted(cuts):
        found += feed(parts, happenings[start:cut])
        parts, start = restored(parts), max(start, cut)
    found += feed(parts, happenings[start:])

    assert found == expected
    assert saved(parts) == saved(whole)


@given(st.integers(0, 10_000), st.integers(1, 40))
@settings(max_examples=20, deadline=None)
def test_references_that_were_saved_without_their_lowest_day_are_read(seed: int, n: int) -> None:
    labels = LabelCoverage(("carrier",))
    feed(labels, some_days(seed, n))
    counts, coverage = map(msgpack.unpackb, saved(labels))
    coverage[1] = [sums[:-1] for sums in coverage[1]]
    again = LabelCoverage(("carrier",))
    again.counts.restore(counts)
    again.restore(coverage)

    assert [sums[:-1] for sums in msgpack.unpackb(saved(again)[1])[1]] == coverage[1]
    assert all(sums[-1] == 0.0 for sums in msgpack.unpackb(saved(again)[1])[1])


def test_the_days_that_are_restored_have_every_kind_of_blindness_in_them() -> None:
    told = [one for seed in range(6) for one in feed(LabelCoverage(("carrier",)), some_days(seed, 70))]

    kinds = {(one.missing, one.ended) for one in told}
    missing = ("label_coverage", "labels_of_class", "labels_of_segment")
    assert kinds == {(what, ended) for what in missing for ended in (False, True)}


@given(st.integers(0, 10_000), st.lists(st.integers(0, 400), max_size=20))
@settings(max_examples=60, deadline=None)
def test_when_they_are_counted_changes_no_count(seed: int, cuts: list[int]) -> None:
    rng = random.Random(seed)
    made, met = [], []
    for _ in range(200):
        one = answer(rng.choice((0, 1, 2, 40, 41, 80)), rng.choice((*range(25), "a", True)), rng.choice("abc"))
        made.append(one[0])
        met.append(one[0] if rng.random() < 0.7 else None)
    once, often = LabelCounts(("carrier",)), LabelCounts(("carrier",))
    for place, (given_, truth) in enumerate(zip(made, met, strict=True)):
        for counts in (once, often):
            counts.made.append(given_)
            counts.met += [] if truth is None else [truth]
        if place in cuts:
            often.count()

    assert often.changes() == once.changes()


def test_counts_are_bounded_by_days_and_values() -> None:
    counts = LabelCounts(("carrier",))
    for day in range(100):
        counts.made += [one for i in range(100) for one in answer(day, f"class-{i}", f"carrier-{i}")]
    counts.met += answer(99, "class-3", "carrier-50")
    counts.count()

    assert [day for day in range(100) if counts.of(T0_DAY + day)] == list(range(100 - KEEP_DAYS, 100))
    today = counts.of(T0_DAY + 99)
    assert len(today) == 1 + 2 * 21
    assert today[TOTAL] == (100, 1)
    others = {slot.name: count for slot, count in today.items() if slot.value == "__other__"}
    assert others == {None: (80, 0), "carrier": (80, 1)}


T0_DAY = int(T0 // DAY)


def test_values_that_are_seen_no_more_make_room_for_others() -> None:
    labels = LabelCoverage(())
    for day in range(120):
        label = "old" if day < 40 else f"new-{day // 60}"
        feed(labels, [(answer(day, label), []), T0 + day * DAY + 1.5 * HOUR, (answer(day, label, n=50), [])])

    assert {slot.value for slot in labels.counts.of(T0_DAY + 119)} == {None, "new-1"}
    assert b"old" not in b"".join(saved(labels))


# -- false alarms -----------------------------------------------------------------------------------------------------


def shares(kind: str, rng: Generator, days: int) -> list[float]:
    """The coverage of each day at the age of one day, in a world in which nothing is wrong."""
    if kind == "independent":
        return [0.9] * days
    if kind == "noisy":
        return [float(share) for share in rng.beta(18, 2, days)]
    if kind == "weekly":
        return [0.95 if day % 7 < 5 else float(rng.uniform(0.1, 0.5)) for day in range(days)]
    if kind == "rarely labelled":
        return [float(share) for share in rng.beta(80, 320, days)]
    level, found = 2.0, []  # a level that wanders for weeks
    for step in rng.normal(0, 0.25, days):
        level = 2.0 + 0.9 * (level - 2.0) + float(step)
        found.append(1 / (1 + math.exp(-level)))
    return found


def one_day(share: float, rng: Generator) -> list[list[int]]:
    """The rows of a day as they are saved: all, two classes, three carriers of which one is small."""
    made = np.array([[rng.poisson(mean) for mean in (40, 120, 120)] for _ in range(2)])
    met = rng.binomial(made, share)
    by_class = [n for pair in zip(made.sum(1), met.sum(1), strict=True) for n in pair]
    by_carrier = [n for pair in zip(made.sum(0), met.sum(0), strict=True) for n in pair]
    return [[int(n) for n in row] for row in ((made.sum(), met.sum()), by_class, by_carrier)]


def told_of(world: list[float], rng: Generator, *, least: int = 0) -> int:
    """How often it is told that labels are missing, where these are the shares of the days."""
    labels, days, told = LabelCoverage(("carrier",)), list[tuple[int, list[list[int]]]](), 0
    for day, share in enumerate(world):
        today = (T0_DAY + day, [[1, 0], [1, 0], [1, 0]])
        labels.counts.restore([T0_DAY + day, [[None, [0, 1]], ["carrier", ["AA", "UA", "DL"]]], [*days[-29:], today]])
        now = T0 + day * DAY + 1.5 * HOUR
        told += sum(not one.ended and day >= least for one in labels.look(now, hour_began=True, classes=True))
        days.append((T0_DAY + day, one_day(share, rng)))
    return told


WORLDS = ("independent", "noisy", "weekly", "rarely labelled", "wandering")


@pytest.mark.parametrize("kind", WORLDS)
def test_where_nothing_is_wrong_it_is_told_of_at_most_once_in_10_000_days(kind: str) -> None:
    # 20 models of 250 days each: of 5,000 days half a false word is allowed.
    rng = np.random.default_rng(WORLDS.index(kind))

    assert sum(told_of(shares(kind, rng, 250), rng) for _ in range(20)) <= 1


@pytest.mark.parametrize(("kind", "left"), [("independent", 0.6), ("noisy", 0.3), ("rarely labelled", 0.0)])
def test_in_the_same_worlds_a_fall_is_found(kind: str, left: float) -> None:
    rng = np.random.default_rng(7)
    found = 0
    for _ in range(20):
        world = shares(kind, rng, 60)
        found += told_of([*world[:45], *[left * share for share in world[45:]]], rng, least=45) > 0

    assert found >= 18
