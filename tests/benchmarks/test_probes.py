"""A probe makes the detector fire, and the alert names the very feedback on which it did."""

from __future__ import annotations

import tomllib

import pytest

from benchmarks.probes import ANSWERS, OBJECTIVE, Probe, percentile, settings
from trueup.monitor import step as monitor
from trueup.monitor.config import MonitorConfig
from trueup.step import NOTHING_FOUND, Arrival

START = 1_760_000_000
#: When the records came: label times after it would be taken for a wrong clock.
CAME = START + 86_400


def paging_signals(probes: list[Probe]) -> list[tuple[int, bytes]]:
    """How many feedbacks had come, and the signal, of each that pages on the last probe."""
    config = MonitorConfig.model_validate(tomllib.loads(settings(probes))["monitor"])
    step = monitor.restore({}, place=monitor.Place(0, 4), config=config)
    for probe in probes:
        step.take(
            "predictions",
            [Arrival(at, 0, CAME, event) for at, event in enumerate(probe.predictions())],
            {},
            NOTHING_FOUND,
        )
    step.effects()
    found = []
    for at, event in enumerate(probes[-1].feedback()):
        step.take("feedback", [Arrival(at, 0, CAME, event)], {}, NOTHING_FOUND)
        found += [
            (at, output.value)
            for output in step.effects().outputs
            if output.topic == "signals" and step_pages(output.value)
        ]
    return found


def step_pages(signal: bytes) -> bool:
    return b'"pages":true' in signal


def test_the_settings_state_the_objective_of_every_probe() -> None:
    models = tomllib.loads(settings([Probe("a", START), Probe("b.c", START)]))["monitor"]["models"]
    assert models == {"a": {"objective": OBJECTIVE}, "b.c": {"objective": OBJECTIVE}}


@pytest.mark.parametrize("others", [0, 60], ids=["the first of its partition", "late in its partition"])
def test_a_probe_fires_on_one_of_its_feedbacks_and_the_signal_says_on_which(others: int) -> None:
    probes = [Probe(f"probe-{number}", START) for number in range(others + 1)]
    at, signal = paging_signals(probes)[0]
    assert 2 <= at < ANSWERS - 5
    assert f'"at":{START + 60 * at}'.encode() in signal


def test_no_two_feedbacks_of_a_probe_have_the_same_label_time() -> None:
    times = [event["observed_at"] for event in Probe("a", START).feedback()]
    assert len(set(times)) == len(times) == ANSWERS


@pytest.mark.parametrize(
    ("percent", "expected"), [(50, 50.0), (99, 99.0), (100, 100.0), (0.5, 1.0)], ids=["half", "99", "all", "least"]
)
def test_a_percentile_is_the_value_that_so_many_do_not_exceed(percent: float, expected: float) -> None:
    assert percentile([float(value) for value in range(100, 0, -1)], percent) == expected
