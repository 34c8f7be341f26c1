"""The demo's report: what Trueup says of the year, as one JSON file, to be held against `flights.recount`."""

import json
from collections.abc import Mapping
from datetime import date
from pathlib import Path
from typing import Any

import pandas as pd

from flights.model_files import load_model
from flights.models import FIRST_VERSION, FLIGHT_TIME
from flights.recount import recount
from flights.served import read_served

MODEL_KEYS = ("model_id", "predictions", "feedback", "joined", "correct", "pending", "orphans")


def write_report(
    path: Path,
    status: Mapping[str, Any],
    served: Path,
    models_folder: Path,
    flights: pd.DataFrame,
    *,
    seconds: float,
    last_day: date | None = None,
) -> None:
    """Write the report of a finished year, or of its days up to `last_day`.

    `error_with` is Trueup's figure for `flight-time` over all versions that served; `error_without` is what its first
    version alone makes of the same flights.
    """
    first = load_model(models_folder, FLIGHT_TIME, FIRST_VERSION)
    models = [_model(view) for view in status["models"]]
    with_trueup = next(model["mean_error"] for model in models if model["model_id"] == FLIGHT_TIME)
    report = {
        "models": models,
        "error_with": with_trueup,
        "error_without": recount(read_served(served), flights, first, last_day).error_without,
        "dead_letters": status["dead_letters"],
        "alerts": status["alerts"],
        "triggers": status["triggers"],
        "served": str(served.absolute()),
        "seconds": round(seconds, 1),
    }
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(report, indent=2) + "\n", encoding="utf-8")


def _model(view: Mapping[str, Any]) -> dict[str, Any]:
    versions = view["versions"]
    error = sum(version["mean_error"] * version["joined"] for version in versions if version["joined"])
    joined = sum(version["joined"] for version in versions)
    return {
        **{key: view[key] for key in MODEL_KEYS},
        "mean_error": error / joined if joined else None,
        "versions": [_version(version) for version in versions],
    }


def _version(version: Mapping[str, Any]) -> dict[str, Any]:
    return {key: version[key] for key in ("model_version", "predictions", "joined", "correct", "mean_error")}
