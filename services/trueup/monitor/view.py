"""What is shown of a model: plain values, each number with what it stands on."""

from __future__ import annotations

from functools import lru_cache
from typing import Any

import orjson

from trueup.monitor.cohorts import Cohort, day_name
from trueup.monitor.config import Task
from trueup.monitor.metrics_shown import metrics_shown
from trueup.monitor.model import Model
from trueup.monitor.traffic import shown
from trueup.monitor.version import Version
from trueup.monitor.versions_compared import VersionsCompared
from trueup.monitor.windows import HOUR, Tally, Windows
from trueup.statistics.intervals import Interval, rate_interval

#: Days of cohorts in the view.
DAYS_SHOWN = 60
#: Features in the view: those that lie furthest from their reference.
FEATURES_SHOWN = 3
#: Counts of a model that are the sums of its versions'.
SUMMED = ("predictions", "joined", "correct", "pending", "expired")


def model_view(model: Model) -> dict[str, Any]:
    """One model as `trueup status --json` gives it."""
    versions = [_version_view(version, model.task) for version in model.versions.values()]
    return {
        "model_id": model.model_id,
        "task": model.task,
        **model.counts,
        # An id that several versions answered is a prediction of each of them.
        **{name: sum(version[name] for version in versions) for name in SUMMED},
        "false_pages_per_month": model.pages_per_month,
        "blind": {**model.sight.blind, **model.labels.shown},
        "traffic": [shown(shift) for shift in model.traffic.shifts],
        "comparisons": [_comparison(compared, model.inflation) for compared in model.comparisons],
        "versions": versions,
    }


def _version_view(version: Version, task: Task | None) -> dict[str, Any]:
    counts = version.counts
    day = version.windows.label_time.day()
    inflation = version.inflation
    total = version.total
    return {
        "model_version": version.model_version,
        "role": version.role,
        **counts,
        "orphans": 0,
        "correct": version.total.correct,
        "rolling_accuracy": {
            **_accuracy(version.windows.last.correct, version.windows.last.n, inflation),
            "window": f"last {version.fleet.last_outcomes} outcomes",
        },
        "accuracy_hour": _tally_accuracy(version.windows.label_time.last(HOUR), inflation),
        "accuracy_day": _tally_accuracy(day, inflation),
        "mean_error": total.mean_error,
        "rmse": total.root_mean_squared_error,
        "mean_error_day": day.mean_error,
        "metrics": metrics_shown(version.scorecards, task, inflation) if version.config.metrics else {},
        "label_coverage": counts["joined"] / counts["predictions"] if counts["predictions"] else None,
        "calls": {
            "n": version.calls.n,
            "error_rate": version.calls.error_rate,
            "mean_latency_ms": version.calls.mean_latency_ms,
        },
        "call_faults": version.call_watch.faults,
        "segments": {
            name: {value: _segment(windows, inflation) for value, windows in values.items()}
            for name, values in version.segments.by_name.items()
        },
        "detector": _detector(version),
        "features": _features(version),
        "estimated_performance": version.estimated.view(inflation, task),
        "days": [_day(day, cohort) for day, cohort in version.cohorts.recent(DAYS_SHOWN)],
    }


def _comparison(compared: VersionsCompared, inflation: float) -> dict[str, Any]:
    """A newer version against the one before it: what was found, or how far from finding it is."""
    return {
        "model_version": compared.new,
        "previous_version": compared.old,
        "verdict": compared.verdict,
        "pairing": compared.pairing,
        "pairs": compared.test.n,
        "mean_difference": compared.test.mean if compared.test.n else None,
        "error": _mean_loss(compared.new_tally, inflation),
        "previous_error": _mean_loss(compared.old_tally, inflation),
        "alpha": compared.test.alpha,
        "margin": compared.test.margin,
        "more_events_needed": compared.more_events_needed,
    }


def _mean_loss(tally: Tally, inflation: float) -> dict[str, Any]:
    mean = tally.mean_loss
    low, high = _interval(min(1.0, max(0.0, mean or 0.0)) * tally.n, tally.n, inflation)
    return {"mean": mean, "n": tally.n, "low": low, "high": high}


def _accuracy(correct: int, n: int, inflation: float) -> dict[str, Any]:
    """With a 95 % interval for as many independent outcomes as these are worth."""
    low, high = _interval(correct, n, inflation)
    return {"correct": correct, "n": n, "accuracy": correct / n if n else None, "low": low, "high": high}


@lru_cache(10_000)
def _interval(correct: float, n: int, inflation: float) -> Interval:
    """As `rate_interval`: most models have the few outcomes of others, or the same in all of their windows."""
    return rate_interval(correct, n, inflation=inflation)


def _tally_accuracy(tally: Tally, inflation: float) -> dict[str, Any]:
    return _accuracy(tally.correct, tally.judged, inflation)


def _segment(windows: Windows, inflation: float) -> dict[str, Any]:
    day = windows.label_time.day()
    return {
        **_accuracy(windows.last.correct, windows.last.n, inflation),
        "day": {**_tally_accuracy(day, inflation), "mean_error": day.mean_error, "outcomes": day.n},
    }


def _detector(version: Version) -> dict[str, Any]:
    pager = version.watch.pager
    reference = pager.reference
    return {
        "state": pager.state if version.watch.pages else "off",
        "evidence": pager.evidence,
        "labels_needed": pager.labels_needed,
        "days_needed": pager.days_needed,
        "variance_inflation": pager.inflation,
        "reference": None if reference is None else {"mean": reference.mean, "n": reference.n, "bound": reference.m},
    }


def _features(version: Version) -> dict[str, Any]:
    watched = version.features
    return {
        "looked_at": watched.features,
        "values_not_looked_at": watched.not_looked_at,
        "faults": watched.faults,
        "furthest": watched.worst(FEATURES_SHOWN),
    }


def _day(day: int, cohort: Cohort) -> orjson.Fragment:
    """One day, written once and as long as it stays the same."""
    if cohort.shown is None:
        tally = cohort.tally
        cohort.shown = orjson.dumps(
            {
                "day": day_name(day),
                "predictions": cohort.predictions,
                "joined": tally.n,
                "correct": tally.correct,
                "mean_error": tally.mean_error,
            }
        )
    return orjson.Fragment(cohort.shown)
