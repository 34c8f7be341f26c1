"""The file of what was served: a line per prediction, written once its truth is known, or at the end without one.

It is the app's own account, kept apart from Kafka and from Trueup, so that `recount` has something to count against.
"""

import csv
import math
from contextlib import AbstractContextManager
from pathlib import Path
from types import TracebackType

import pandas as pd

from flights.replay import Feedback, Prediction

COLUMNS = ["prediction_id", "model_id", "model_version", "predicted_at", "prediction", "probability", "actual"]


class ServedFile(AbstractContextManager["ServedFile"]):
    """Written while the year passes; complete when closed. Floats are written so that they read back the same."""

    def __init__(self, path: Path) -> None:
        """Start the file afresh; its folder must exist."""
        self._file = path.open("w", encoding="utf-8", newline="")
        self._lines = csv.writer(self._file, lineterminator="\n")
        self._lines.writerow(COLUMNS)
        self._waiting: dict[tuple[str, str], Prediction] = {}

    def add(self, event: Prediction | Feedback) -> None:
        """Take note of an event that was emitted; a feedback comes after its prediction."""
        key = event.model_id, event.prediction_id
        if isinstance(event, Prediction):
            self._waiting[key] = event
        else:
            self._write(self._waiting.pop(key), event.actual)

    def close(self) -> None:
        """Write the predictions that have no truth, in the order in which they were made."""
        for prediction in self._waiting.values():
            self._write(prediction, None)
        self._waiting.clear()
        self._file.close()

    def _write(self, made: Prediction, actual: float | int | None) -> None:
        self._lines.writerow(
            (
                made.prediction_id,
                made.model_id,
                made.model_version,
                made.at,
                made.prediction,
                made.probability,
                actual,
            )
        )

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self.close()


def read_served(path: Path) -> pd.DataFrame:
    """Read the file as a table of `COLUMNS`: `predicted_at` in epoch seconds, NaN for no probability or no truth.

    Python's own float reads what was written to the last bit, which not every reader of CSV does.
    """
    with path.open(encoding="utf-8", newline="") as lines:
        header, *rows = csv.reader(lines)
    if header != COLUMNS:
        raise ValueError(f"{path} has the columns {header}, not {COLUMNS}")
    table = pd.DataFrame(rows, columns=COLUMNS)
    for name in ("predicted_at", "prediction", "probability", "actual"):
        table[name] = [float(value) if value else math.nan for value in table[name]]
    return table
