"""How often two versions are told apart that do not differ, and how soon two that do: seeded simulations."""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from statistics import median

import pytest

from trueup.monitor.outcome import Outcome
from trueup.monitor.versions_compared import VersionsCompared

#: Lets a test take one request.
Step = Callable[[VersionsCompared, random.Random], object]

ALPHA = 0.01
#: What a z-test that is looked at once calls a difference at 1 %.
Z_AT_ONE_PERCENT = 2.576


def of(loss: float) -> Outcome:
    return Outcome(None, loss, loss)


def split(share: float, old: float, new: float) -> Step:
    """One request, answered by the new version with this share; 0/1 losses of these means."""

    def step(compared: VersionsCompared, rng: random.Random) -> None:
        is_new = rng.random() < share
        loss = float(rng.random() < (new if is_new else old))
        compared.add("new" if is_new else "old", of(loss), 1.0)

    return step


def shadow(old: float, new: float) -> Step:
    """One request that both answer; 0/1 losses of these means."""

    def step(compared: VersionsCompared, rng: random.Random) -> float:
        first, second = float(rng.random() < new), float(rng.random() < old)
        compared.add_pair(of(first), of(second))
        return first - second

    return step


def storms(compared: VersionsCompared, rng: random.Random) -> None:
    """Split traffic, errors of both alike: for some hundreds of requests rare, for some hundreds frequent."""
    rate = 0.05 if compared.new_tally.n // 200 % 2 else 0.6
    compared.add(rng.choice(("new", "old")), of(float(rng.random() < rate)), 1.0)


def skewed(compared: VersionsCompared, rng: random.Random) -> None:
    """Both answer; losses between 0 and 1 of the same mean, those of the new version far more spread."""
    compared.add_pair(of(rng.random() ** 4), of(rng.uniform(0.1, 0.3)))


def verdicts(step: Step, *, runs: int, most: int, margin: float = 0.0) -> list[tuple[str, int]]:
    """The verdict of each run, looked for after every request, and after how many it fell."""
    found: list[tuple[str, int]] = []
    for seed in range(runs):
        rng, compared, taken = random.Random(seed), VersionsCompared("new", "old", ALPHA, since=0.0, margin=margin), 0
        while compared.undecided and taken < most:
            step(compared, rng)
            taken += 1
        found.append((compared.verdict, taken))
    return found


@pytest.mark.parametrize(
    ("step", "margin"),
    [
        pytest.param(split(0.5, 0.2, 0.2), 0.0, id="split in halves"),
        pytest.param(split(0.1, 0.2, 0.2), 0.0, id="a tenth for the new one"),
        pytest.param(shadow(0.2, 0.2), 0.0, id="in shadow"),
        pytest.param(storms, 0.0, id="storms that hit both"),
        pytest.param(skewed, 0.0, id="losses that are not 0 or 1"),
        pytest.param(shadow(0.10, 0.15), 0.05, id="worse by just the margin"),
    ],
)
def test_equal_versions_are_told_apart_in_one_of_a_hundred_tests_at_most(step: Step, margin: float) -> None:
    """Held: P(ever a verdict) <= 1 %. Of 300 tests 8 or more would come in one of a hundred such simulations."""
    found = verdicts(step, runs=300, most=800, margin=margin)

    assert sum(verdict != "undecided" for verdict, _ in found) <= 7


def test_a_z_test_that_is_looked_at_as_often_is_wrong_eight_times_as_often() -> None:
    """At the same 1 %, on the differences that a test in shadow takes."""
    step, wrong, runs = shadow(0.2, 0.2), 0, 300
    for seed in range(runs):
        rng, compared, total, squares = random.Random(seed), VersionsCompared("new", "old", ALPHA, since=0.0), 0.0, 0.0
        for _ in range(800):
            d = step(compared, rng)
            assert isinstance(d, float)
            total, squares = total + d, squares + d * d
            if squares >= 20 and abs(total) > Z_AT_ONE_PERCENT * math.sqrt(squares):
                wrong += 1
                break

    assert wrong > 8 * ALPHA * runs


@pytest.mark.parametrize(
    ("step", "margin", "verdict", "half_within"),
    [
        pytest.param(split(0.5, 0.1, 0.2), 0.0, "worse", 1_600, id="ten points worse, in halves"),
        pytest.param(split(0.1, 0.2, 0.1), 0.0, "better", 3_800, id="ten points better, a tenth of the traffic"),
        pytest.param(shadow(0.1, 0.2), 0.0, "worse", 420, id="ten points worse, in shadow"),
        pytest.param(shadow(0.1, 0.1), 0.1, "not_worse", 360, id="equal, ten points accepted"),
    ],
)
def test_versions_that_differ_are_told_apart_in_time(step: Step, margin: float, verdict: str, half_within: int) -> None:
    found = verdicts(step, runs=20, most=20_000, margin=margin)

    assert {of_run for of_run, _ in found} == {verdict}
    assert median(taken for _, taken in found) < half_within
