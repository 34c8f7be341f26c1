"""The detection benchmark counts what the detectors do, and its clairvoyant costs what it was calibrated to."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from benchmarks.detection import run
from benchmarks.detection.cusum import Cusum
from benchmarks.detection.peeking import peek
from benchmarks.detection.plan import QUICK, Plan
from benchmarks.detection.side_by_side import SideBySide
from benchmarks.detection.streams import Calm, Errors, Rise
from trueup.monitor.detectors.e_detector import EDetector, EDetectorConfig

ALARMING = {"min_labels": 300, "min_days": 0.0, "budget_per_event": 1e-3}


def drawn(calm: Calm, events: int, streams: int, seed: int = 1) -> Errors:
    return np.concatenate(list(calm.chunks(events, streams, seed)))


def one_by_one(detector: EDetector, errors: list[float]) -> list[int]:
    fired = []
    for at, x in enumerate(errors):
        detector.update(x)
        if detector.drift_detected:
            fired.append(at)
    return fired


@pytest.mark.parametrize("objective", [None, 0.1], ids=["learned", "stated"])
@pytest.mark.parametrize("chunk", [1, 170, 10_000], ids=["one event", "some", "all at once"])
def test_e_detectors_side_by_side_raise_the_very_alarms_of_each_alone(objective: float | None, chunk: int) -> None:
    config = EDetectorConfig(objective=objective, **ALARMING)  # type: ignore[arg-type]
    errors = np.concatenate([drawn(Calm(rate, burst=30), 900, 5) for rate in (0.1, 0.4, 0.9, 0.2)])
    alone = [one_by_one(EDetector(config), column) for column in errors.T.astype(float).tolist()]
    together = SideBySide([EDetector(config) for _ in alone], [config.budget_per_event] * len(alone))

    found: list[list[int]] = [[] for _ in alone]
    for start in range(0, len(errors), chunk):
        for fired in together.feed(errors[start : start + chunk]):
            found[fired.column].append(fired.event)

    assert found == alone
    assert sum(map(len, alone)) > len(alone)


@pytest.mark.parametrize("rate", [1e-3, 1e-4])
def test_the_clairvoyant_costs_the_false_alarms_that_it_was_calibrated_to(rate: float) -> None:
    rise = Rise(0.1, 0.1, "abrupt")
    threshold = Cusum(rise, streams=400, events=3_000).threshold(rate)
    total, alarms = np.zeros(400), 0
    for row in drawn(Calm(0.1), 2_000, 400, seed=99):
        total = np.maximum(0.0, total + np.where(row, np.log(0.2 / 0.1), np.log(0.8 / 0.9)))
        alarms += int((total >= threshold).sum())
        total[total >= threshold] = 0.0

    assert alarms / 800_000 == pytest.approx(rate, rel=0.2)


def test_the_clairvoyant_finds_a_larger_rise_sooner_and_misses_what_comes_after_its_horizon() -> None:
    medians = []
    for by in (0.1, 0.3):
        cusum = Cusum(Rise(0.1, by, "abrupt"), streams=200, events=1_000)
        delays = cusum.delays(Rise(0.1, by, "abrupt"), cusum.threshold(1e-4), runs=200, horizon=500)
        medians.append(float(np.median(delays)))
        assert np.isinf(cusum.delays(Rise(0.1, by, "abrupt"), 1e9, runs=5, horizon=50)).all()

    assert medians[1] < medians[0] / 2


@pytest.mark.parametrize("burst", [1, 20])
def test_errors_come_at_their_rate_in_the_long_run_in_bursts_too(burst: int) -> None:
    errors = drawn(Calm(0.1, burst), 6_000, 100)
    blocks = errors.reshape(-1, 20, 100).mean(axis=1)

    assert errors.mean() == pytest.approx(0.1, abs=0.01)
    # Independent blocks of 20 vary by 0.1 * 0.9 / 20; half of each burst lies in one block at least.
    assert (blocks.var() > 2.0 * 0.1 * 0.9 / 20) == (burst > 1)


def test_a_gradual_rise_takes_its_time_and_an_abrupt_one_does_not() -> None:
    early = {}
    for shape in ("abrupt", "gradual"):
        errors = np.concatenate(list(Rise(0.1, 0.2, shape).chunks(3_000, 200, 1)))
        early[shape] = errors[:1_000].mean()
        assert errors[2_000:].mean() == pytest.approx(0.3, abs=0.01)

    assert early["abrupt"] == pytest.approx(0.3, abs=0.01)
    assert early["gradual"] == pytest.approx(0.15, abs=0.01)


def test_who_looks_at_a_z_test_after_each_event_is_wrong_too_often() -> None:
    found = peek(Plan(pairs=100, pair_events=2_000))

    assert found.z_test_wrong > 0.05
    assert found.ours_wrong <= 0.02
    assert found.ours_right > 0.7


def test_it_runs_and_writes_its_tables(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    run.run(QUICK, tmp_path / "detection.md")

    *_, line = capsys.readouterr().out.splitlines()
    summary = json.loads(line, parse_constant=lambda name: pytest.fail(f"{name} is no JSON"))
    assert summary["within_budget"] is True
    assert {"KSWIN", "EDDM", "HDDM_W"} < set(summary["ratios"])
    tables = (tmp_path / "detection.md").read_text()
    assert tables.count("| e-detector, learned |") == 6
