"""Many e-detectors at once, a column for each: what they weigh is NumPy's, what they learn is their own."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import numpy as np

from benchmarks.detection.streams import Errors
from trueup.monitor.detectors.e_detector import EDetector


class Fired(NamedTuple):
    """The detector in this column raised an alarm at this event."""

    event: int
    column: int


class SideBySide:
    """The alarms that these detectors raise, each on a stream of its own of errors that are 0 or 1.

    They are used up: a detector learns through its own `update`, and is asked for its factors when it begins to watch.
    """

    def __init__(self, detectors: Sequence[EDetector], budgets: Sequence[float]) -> None:
        self.detectors = detectors
        bets, columns = detectors[0].config.bets, len(detectors)
        self._budgets = np.array(budgets)
        self._wealth = np.zeros((bets, columns))
        # While a detector learns, its factors are 0, and so is its wealth.
        self._if_wrong = np.zeros((bets, columns))
        self._if_right = np.zeros((bets, columns))
        self._threshold = np.full(columns, np.inf)
        self._events = 0
        self._errors = np.zeros(columns)
        # Up to which event, with how many errors before it, m of a column has followed, and when it does next.
        self._followed = [(0, 0.0)] * columns
        self._due = np.full(columns, np.inf)
        for column in range(columns):
            self._arm(column, 0)

    def feed(self, errors: Errors) -> list[Fired]:
        """Take these events (rows) of all streams (columns); who fired, counted from the first event ever."""
        joining: dict[int, list[int]] = {}
        for column, detector in enumerate(self.detectors):
            if detector.state == "learning":
                self._learn(column, errors, 0, joining)
        found = []
        wealth, if_wrong, if_right = self._wealth, self._if_wrong, self._if_right
        for event, row in enumerate(errors):
            for column in joining.get(event, ()):
                self._arm(column, self._events + event)
            wealth += self._budgets
            wealth *= np.where(row, if_wrong, if_right)
            over = wealth.sum(axis=0) >= self._threshold
            if over.any():
                for column in np.flatnonzero(over).tolist():
                    found.append(Fired(self._events + event, column))
                    self._begin_again(column)
                    self._learn(column, errors, event + 1, joining)
            self._errors += row
            due = self._due <= self._events + event + 1
            if due.any():
                for column in np.flatnonzero(due).tolist():
                    self._follow(column, self._events + event + 1)
        self._events += len(errors)
        for column in joining.get(len(errors), ()):
            self._arm(column, self._events)
        return found

    def _begin_again(self, column: int) -> None:
        detector = self.detectors[column]
        self._wealth[:, column] = 0.0
        if detector.config.objective is None:
            detector.relearn()
            self._if_wrong[:, column] = self._if_right[:, column] = 0.0
            self._threshold[column] = self._due[column] = np.inf

    def _learn(self, column: int, errors: Errors, start: int, joining: dict[int, list[int]]) -> None:
        """Let a detector learn from these events on; it joins the others after the one that is enough for it."""
        detector = self.detectors[column]
        for event, x in enumerate(errors[start:, column].astype(float).tolist(), start):
            if detector.state == "watching":
                joining.setdefault(event, []).append(column)
                return
            detector.update(x)
        if detector.state == "watching":
            joining.setdefault(len(errors), []).append(column)

    def _follow(self, column: int, at: int) -> None:
        since, errors = self._followed[column]
        self.detectors[column].follow(at - since, float(self._errors[column]) - errors)
        self._arm(column, at)

    def _arm(self, column: int, at: int) -> None:
        detector = self.detectors[column]
        if detector.state == "watching":
            self._if_wrong[:, column] = detector.factors(1.0)
            self._if_right[:, column] = detector.factors(0.0)
            self._threshold[column] = detector.threshold
            self._followed[column] = at, float(self._errors[column])
            self._due[column] = at + detector.follows_in
