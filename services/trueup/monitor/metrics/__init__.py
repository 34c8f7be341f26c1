"""Metrics by task, read off a merge of scorecards: each its formula, its sample size, and an interval where one exists.

To add a metric: a file here with a function `measure`, and one line in the table.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from trueup.monitor.config import Task
from trueup.monitor.metrics import (
    accuracy,
    bias,
    brier,
    calibration_error,
    f1,
    grown_confusion,
    log_loss,
    macro_f1,
    mae,
    mean_score,
    micro_f1,
    precision,
    r2,
    recall,
    rmse,
    roc_auc,
)
from trueup.monitor.scorecards.sample import Measured, Sample

Measure = Callable[[Sample], Measured]

METRICS: Mapping[Task, Mapping[str, Measure]] = {
    "binary": {
        "accuracy": accuracy.measure,
        "precision": precision.measure,
        "recall": recall.measure,
        "f1": f1.measure,
        "log_loss": log_loss.measure,
        "brier": brier.measure,
        "roc_auc": roc_auc.measure,
        "calibration_error": calibration_error.measure,
    },
    "multiclass": {
        "accuracy": accuracy.measure,
        "macro_f1": macro_f1.measure,
        "micro_f1": micro_f1.measure,
        "log_loss": log_loss.measure,
        "grown_confusion": grown_confusion.measure,
    },
    "regression": {"mae": mae.measure, "rmse": rmse.measure, "r2": r2.measure, "bias": bias.measure},
    "judged": {"mean_score": mean_score.measure},
}
