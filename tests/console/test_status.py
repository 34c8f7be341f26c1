"""The object that `trueup status --json` prints."""

from __future__ import annotations

from typing import cast

from trueup.console.progress import Progress, Saved
from trueup.console.status import FORMAT, read_status
from trueup.workers.setups import WorkerName


class Standing:
    """What `Progress` would read of one model, and of workers that hold all of their input."""

    def saved(self, worker: WorkerName) -> dict[int, Saved]:
        view = {"model_id": "m", "blind": {"feedback": 1_362_182_400.5}, "versions": []}
        return {0: Saved({}, 0, {"model/m": view} if worker == "monitor" else {})}

    def lag(self, *_: object) -> dict[str, int]:
        return {}


def test_it_says_its_format_and_every_time_in_rfc_3339() -> None:
    found = read_status(cast(Progress, Standing()))
    assert found["format"] == FORMAT == 1
    assert found["models"] == [{"model_id": "m", "blind": {"feedback": "2013-03-02T00:00:00.500000Z"}, "versions": []}]
