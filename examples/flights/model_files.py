"""The folder of models that the serving app and the pipeline share: `{folder}/{model_id}/{version}.pickle`.

Beside each model lies `{version}.json`, which says where it came from. A pickle runs code when it is read: only what
this app wrote itself is ever put here.
"""

import json
import pickle
from collections.abc import Mapping
from pathlib import Path

import pandas as pd

from flights.models import FIRST_VERSION, RECIPES, TrainedModel, train_first


def save_first_versions(folder: Path, flights: pd.DataFrame) -> None:
    """Train both models on January and save them as `v1`; a second call writes the same again."""
    for model_id in RECIPES:
        save_model(folder, train_first(model_id, flights), FIRST_VERSION, {"trained_on": "January 2013"})


def save_model(folder: Path, model: TrainedModel, version: str, origin: Mapping[str, object]) -> None:
    """Save a model and its origin. Whoever finds the model finds all of it: it is put in place in one step."""
    path = _path(folder, model.model_id, version)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.with_suffix(".json").write_text(json.dumps(origin, indent=2, sort_keys=True) + "\n", encoding="utf-8")
    unfinished = path.with_suffix(".unfinished")
    unfinished.write_bytes(pickle.dumps(model))
    unfinished.replace(path)


def load_model(folder: Path, model_id: str, version: str) -> TrainedModel:
    """Load a model that was saved.

    Raises:
        FileNotFoundError: there is no such version.
    """
    model = pickle.loads(_path(folder, model_id, version).read_bytes())
    if not isinstance(model, TrainedModel):
        raise TypeError(f"{_path(folder, model_id, version)} holds a {type(model).__name__}, not a TrainedModel")
    return model


def versions(folder: Path, model_id: str) -> list[str]:
    """The versions of a model that are complete, oldest first."""
    numbers = [int(path.stem[1:]) for path in (folder / model_id).glob("v*.pickle")]
    return [f"v{number}" for number in sorted(numbers)]


def next_version(folder: Path, model_id: str) -> str:
    """The version that comes after the last complete one: `v1`, `v2`, ..."""
    existing = versions(folder, model_id)
    return f"v{int(existing[-1][1:]) + 1}" if existing else "v1"


def version_made_for(folder: Path, model_id: str, trigger_id: str) -> str | None:
    """The complete version whose origin names this trigger, if there is one."""
    for version in versions(folder, model_id):
        origin = json.loads(_path(folder, model_id, version).with_suffix(".json").read_text(encoding="utf-8"))
        if origin.get("trigger_id") == trigger_id:
            return version
    return None


def _path(folder: Path, model_id: str, version: str) -> Path:
    return folder / model_id / f"{version}.pickle"
