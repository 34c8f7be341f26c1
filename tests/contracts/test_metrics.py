"""What every metric promises, whichever it is: a number with its sample size and an interval around it, or none."""

from __future__ import annotations

import random
from math import isfinite
from pathlib import Path
from typing import Any, get_args

import orjson
import pytest

from trueup.monitor import metrics
from trueup.monitor.config import Task
from trueup.monitor.metrics import METRICS
from trueup.monitor.scorecards.sample import Sample
from trueup.monitor.scorecards.scorecard import Evidence, Frame, Scorecard

EVERY = [pytest.param(task, name, id=f"{task} {name}") for task, of in METRICS.items() for name in of]


def some(task: Any, n: int, rng: random.Random) -> list[Evidence]:
    """Outcomes of a model that is better than chance."""
    found: list[Evidence] = []
    for _ in range(n):
        score = rng.random()
        if task == "binary":
            found.append((task, int(score > 0.5), score, int(rng.random() < score), None))
        elif task == "multiclass":
            label = rng.choice("abc")
            found.append((task, label, score, label if rng.random() < score else rng.choice("abc"), None))
        elif task == "regression":
            found.append((task, 10 * score, None, 10 * score + rng.gauss(0.5, 1.0), None))
        else:
            found.append((task, "an answer", None, None, score))
    return found


def measured(task: Any, name: str, *given: list[Evidence]) -> dict[str, Any]:
    """The metric over the first of these, with the rest as what else came."""
    frame, card, everything = Frame(1), Scorecard(), Scorecard()
    for place, outcomes in enumerate(given):
        for of in (card, everything) if place == 0 else (everything,):
            if outcomes:
                of.add_all(outcomes, frame)
    return METRICS[task][name](Sample(card, frame, everything, 2.0)).shown()


def test_the_table_has_every_task_and_every_file() -> None:
    folder = {path.stem for path in Path(metrics.__file__).parent.glob("*.py")} - {"__init__"}

    assert tuple(METRICS) == get_args(Task)
    assert {name for of in METRICS.values() for name in of} == folder


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_without_outcomes_it_is_none_of_none(task: Task, name: str) -> None:
    assert measured(task, name, []) == {"value": None, "n": 0, "low": None, "high": None}


@pytest.mark.parametrize(("task", "name"), EVERY)
@pytest.mark.parametrize("n", [1, 2, 500], ids=["one", "two", "many"])
def test_its_value_is_finite_and_within_its_interval(task: Task, name: str, n: int) -> None:
    found = measured(task, name, some(task, n, random.Random(n)))

    assert orjson.loads(orjson.dumps(found)) == found
    assert 0 <= found["n"] <= n
    if found["low"] is not None:
        assert isfinite(found["low"] + found["high"])
        assert found["low"] - 1e-9 <= found["value"] <= found["high"] + 1e-9


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_more_outcomes_make_a_narrower_interval(task: Task, name: str) -> None:
    few, many = [measured(task, name, some(task, n, random.Random(7))) for n in (100, 10_000)]
    if few["low"] is not None:
        assert many["high"] - many["low"] < 0.5 * (few["high"] - few["low"])


@pytest.mark.parametrize(("task", "name"), EVERY)
def test_more_taken_back_than_was_counted_is_no_number_and_no_error(task: Task, name: str) -> None:
    frame, card, rng = Frame(1), Scorecard(), random.Random(3)
    card.add_all(some(task, 20, rng), frame)
    card.add_all(some(task, 60, rng), frame, -1)

    assert METRICS[task][name](Sample(card, frame, card, 2.0)).shown()["value"] is None
