"""A stated objective costs no more false pages than its budget when errors come in bursts, and real falls are found."""

from __future__ import annotations

import itertools
import random
from collections.abc import Iterable, Iterator
from typing import Any

import msgpack
import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.monitor.config import ModelConfig
from trueup.monitor.detectors.e_detector import EDetector
from trueup.monitor.error_watch import ErrorWatch

OBJECTIVE = 0.1
#: A minute between labels; how bursty they are is known after ten thousand.
CONFIG = ModelConfig(
    objective=OBJECTIVE, loss_detectors=(), mistake_detectors=(), score_detectors=(), reference_days=6.0
)
SETTLED = CONFIG.reference_labels
MINUTE = 60.0


def bursts(seed: int, length: int, *, times: float = 1.0) -> Iterator[float]:
    """Errors whose mean is the objective, times `times`; a tenth of the blocks of this length are storms."""
    rng = random.Random(seed)
    while True:
        rate = times * (0.73 if rng.random() < 0.1 else 0.03)
        for _ in range(length):
            yield float(rng.random() < rate)


def at_rate(rate: float, seed: int = 1) -> Iterator[float]:
    rng = random.Random(seed)
    while True:
        yield float(rng.random() < rate)


def alarms(watch: ErrorWatch, losses: Iterable[float], *, budget: float = 1e-6, start: int = 0) -> list[int]:
    """The places of the losses at which the pager fired."""
    return [place for place, loss in enumerate(losses) if watch.on_loss(loss, MINUTE * (start + place), budget)]


def first_alarm(watch: ErrorWatch, losses: Iterator[float], *, start: int = 0, most: int = 20_000) -> int | None:
    for place in range(most):
        if watch.on_loss(next(losses), MINUTE * (start + place), 1e-6):
            return place
    return None


@pytest.mark.parametrize("length", [20, 100])
def test_bursts_cost_no_more_than_the_budget(length: int) -> None:
    n, streams, budget = 30_000, 8, 1e-5
    found = plain = 0
    for seed in range(streams):
        losses = list(itertools.islice(bursts(seed, length), n))
        watch = ErrorWatch(CONFIG)
        found += len(alarms(watch, losses, budget=budget))
        if seed == 0:
            detector = EDetector(watch.pager.config)
            for loss in losses:
                detector.update(loss, budget=budget)
                plain += detector.drift_detected

    assert found <= n * streams * budget
    assert plain > 50 * n * budget  # what the same promise costs where errors count as independent


@pytest.mark.parametrize(
    ("rate", "most"),
    [pytest.param(0.2, 1_000, id="twice as many"), pytest.param(0.4, 150, id="four times as many")],
)
def test_a_fall_is_found_as_soon_as_errors_are_known_to_be_independent(rate: float, most: int) -> None:
    watch = ErrorWatch(CONFIG)
    assert alarms(watch, itertools.islice(at_rate(OBJECTIVE), SETTLED + 2_000)) == []

    place = first_alarm(watch, at_rate(rate, 2), start=SETTLED + 2_000)
    assert place is not None
    assert place < most


def test_a_fall_of_a_bursty_model_is_found() -> None:
    watch = ErrorWatch(CONFIG)
    assert alarms(watch, itertools.islice(bursts(3, 20), SETTLED + 2_000)) == []
    assert watch.inflation > 5.0

    assert first_alarm(watch, at_rate(0.4), start=SETTLED + 2_000, most=3_000) is not None


def test_what_is_always_wrong_is_found_before_anything_is_known() -> None:
    place = first_alarm(ErrorWatch(CONFIG), itertools.repeat(1.0))

    assert place is not None
    assert place < 64


def test_a_bad_beginning_does_not_blind() -> None:
    """Right or wrong at first, then as promised: it looks like a burst, and a fall is found nevertheless."""
    watch = ErrorWatch(CONFIG.model_copy(update={"reference_labels": 400, "reference_days": 0.0}))
    alarms(watch, itertools.islice(at_rate(0.9), 130))
    alarms(watch, itertools.islice(at_rate(OBJECTIVE), 870), start=130)

    assert watch.inflation == 400 / 16
    place = first_alarm(watch, at_rate(0.9, 3), start=1_000)
    assert place is not None
    assert place < 400


def test_numbers_are_shown_with_what_was_met_and_not_with_what_is_feared() -> None:
    watch = ErrorWatch(CONFIG)
    alarms(watch, itertools.islice(at_rate(OBJECTIVE), 1_000))

    assert watch.pager.inflation > 40.0
    assert watch.inflation < 3.0


def test_another_objective_knows_of_the_bursts_that_were_met() -> None:
    watch = ErrorWatch(CONFIG)
    alarms(watch, itertools.islice(bursts(3, 20), SETTLED))
    other = ErrorWatch.restore(watch.snapshot(), CONFIG.model_copy(update={"objective": 0.2}))

    assert other.inflation == watch.inflation > 5.0
    assert other.pager.inflation >= other.inflation


@given(
    st.lists(st.tuples(st.sampled_from((0.0, 1.0)), st.integers(1, 60)), max_size=20),
    st.integers(0, 600),
)
def test_a_restored_watch_continues_identically(runs: list[tuple[float, int]], cut: int) -> None:
    config = CONFIG.model_copy(update={"reference_labels": 200, "reference_days": 0.1})
    losses = [loss for loss, n in runs for _ in range(n)]
    whole, before = ErrorWatch(config), ErrorWatch(config)
    found = alarms(whole, losses, budget=1e-3)
    first = alarms(before, losses[:cut], budget=1e-3)
    after = ErrorWatch.restore(through_bytes(before.snapshot()), config)
    rest = alarms(after, losses[cut:], budget=1e-3, start=len(losses[:cut]))

    assert first + [place + len(losses[:cut]) for place in rest] == found
    assert after.snapshot() == whole.snapshot()


def through_bytes(snapshot: dict[str, Any]) -> Any:
    return msgpack.unpackb(msgpack.packb(snapshot), strict_map_key=False)
