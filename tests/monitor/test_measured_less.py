"""A team can do without metrics and without estimates: nothing is computed or saved then, and all else is the same."""

from __future__ import annotations

from typing import Any

from builders import HOUR, T0, MonitorHarness, Take, feedback, monitor_config, prediction

KEPT = ("predictions", "joined", "correct", "rolling_accuracy", "accuracy_hour", "accuracy_day", "mean_error", "days")


def watched(*, corrected: bool = True, **config: Any) -> MonitorHarness:
    """A model of 60 predictions, one of them with a truth that is corrected later."""
    harness = MonitorHarness(monitor_config(model=config))
    made = tuple(prediction(f"p{i}", i % 2, at=T0 + i, probability=0.9 if i % 2 else 0.1) for i in range(60))
    told = tuple(feedback(f"p{i}", int(i % 3 > 0), at=T0 + HOUR + i) for i in range(60))
    harness.run(Take("predictions", made), Take("feedback", told))
    if corrected:
        harness.take("feedback", feedback("p0", 1, at=T0 + 2 * HOUR))
    harness.restart()
    return harness


def sections(harness: MonitorHarness, kind: str) -> list[str]:
    return [name for name in harness.sections if name.startswith(f"{kind}/")]


def test_without_metrics_none_are_kept_and_all_else_is_the_same() -> None:
    full, less = watched(), watched(metrics=False)

    assert full.version()["metrics"]["all"]["accuracy"]["n"] == 60
    assert less.version()["metrics"] == {}
    assert sections(full, "scorecards")
    assert not sections(less, "scorecards")
    assert {name: full.version()[name] for name in KEPT} == {name: less.version()[name] for name in KEPT}


def test_without_estimates_none_are_kept_and_all_else_is_the_same() -> None:
    full, less = watched(), watched(estimates=False)

    assert full.version()["estimated_performance"]["reference"]["n"] == 60
    assert less.version()["estimated_performance"] is None
    assert sections(full, "estimated")
    assert not sections(less, "estimated")
    assert {name: full.version()[name] for name in KEPT} == {name: less.version()[name] for name in KEPT}
