"""The promise of the e-detector, kept on 200 runs of 100,000 events in which nothing changes.

Every alarm here is a false one. A run may raise as many as its events have earned: one, at a budget of one in 100,000.
So many events are stepped through all runs at once, by a twin in NumPy that is written from the rule, not from the
detector, and is first shown to raise the very same alarms.
"""

from dataclasses import dataclass

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.stats import beta

from trueup.monitor.detectors.e_detector import EDetector, EDetectorConfig

RUNS = 200
EVENTS = 100_000
MIN_LABELS = 10_000
CONFIDENCE = 0.95
BETS = 8

Errors = NDArray[np.bool_]  # a run in each row


@dataclass(frozen=True)
class Stream:
    """Errors that come at `rate` in the long run, and in bursts: a tenth of the bursts are storms.

    A storm has five times the rate (90 % at most), the calm between them what then remains. A burst of 1: independent.
    """

    rate: float
    burst: int

    def draw(self, runs: int, events: int, seed: int) -> Errors:
        rng = np.random.default_rng(seed)
        if self.burst == 1:
            return rng.random((runs, events), dtype=np.float32) < self.rate
        stormy = min(0.9, 5.0 * self.rate)
        calm = (self.rate - 0.1 * stormy) / 0.9
        rates = np.where(rng.random((runs, events // self.burst + 2)) < 0.1, stormy, calm).astype(np.float32)
        # Each run starts somewhere within a burst.
        bursts = (rng.integers(self.burst, size=(runs, 1)) + np.arange(events)) // self.burst
        return rng.random((runs, events), dtype=np.float32) < np.take_along_axis(rates, bursts, axis=1)


@dataclass(frozen=True)
class Rule:
    tempered: bool = True
    min_labels: int = MIN_LABELS
    tolerance: float = 0.01


class BatchTwin:
    """The rule of the e-detector for a batch of runs of 0/1 errors without times, a column for each run.

    With `tempered=False` it believes its labels to be independent, whatever they are: V stays 1.
    """

    def __init__(self, errors: Errors, budget: float, rule: Rule) -> None:
        self.min_labels = rule.min_labels
        self.tolerance = rule.tolerance
        self.errors = errors
        self.budget = budget
        self.tempered = rule.tempered
        runs = len(errors)
        self.inflation = np.ones(runs)
        self.learning_from = np.zeros(runs, dtype=np.int64)
        # While a run learns, its factors are 0 and so is its wealth.
        self.if_wrong = np.zeros((BETS, runs))
        self.if_right = np.zeros((BETS, runs))
        # Where m follows the labels: the bound that it does not pass, and with how many labels it moves on.
        self.ceiling = np.ones(runs)
        self.due = np.full(runs, np.inf)

    def alarms(self) -> list[list[int]]:
        """For each run, the events at which it raised an alarm."""
        runs, events = self.errors.shape
        by_event = np.ascontiguousarray(self.errors.T)
        found: list[list[int]] = [[] for _ in range(runs)]
        learned = {self.min_labels: list(range(runs))}
        wealth = np.zeros((BETS, runs))
        threshold = BETS / CONFIDENCE
        for event in range(events):
            for run in learned.pop(event, []):
                self._watch(run, event)
            wealth += self.budget
            wealth *= np.where(by_event[event], self.if_wrong, self.if_right)
            fired = wealth.sum(axis=0) >= threshold
            if fired.any():
                for run in np.flatnonzero(fired).tolist():
                    found[run].append(event)
                    self.learning_from[run] = event + 1
                    learned.setdefault(event + 1 + self.min_labels, []).append(run)
                wealth[:, fired] = self.if_wrong[:, fired] = self.if_right[:, fired] = 0.0
                self.due[fired] = np.inf
            moving = event + 1 - self.learning_from >= self.due
            if moving.any():
                self._move_on(np.flatnonzero(moving), event + 1)
        return found

    def _watch(self, run: int, event: int) -> None:
        seen = self.errors[run, self.learning_from[run] : event].astype(float)
        if self.tempered:
            self.inflation[run] = max(self.inflation[run], inflation_of(seen))
        v = self.inflation[run]
        wrong, right = seen.sum(), seen.size - seen.sum()
        self.ceiling[run] = beta.ppf(CONFIDENCE, wrong / v + 1.0, right / v)
        if v == 1.0:
            self._move_on(np.array([run]), event)
        else:
            self._bet(np.array([run]), self.ceiling[[run]] + self.tolerance, v)

    def _move_on(self, moving: NDArray[np.int64], event: int) -> None:
        """For independent labels: m is the rate that all labels before this event predict."""
        labels = event - self.learning_from[moving]
        wrong = np.array([self.errors[run, self.learning_from[run] : event].sum() for run in moving])
        first = np.array([self.errors[run, self.learning_from[run] :][: self.min_labels].sum() for run in moving])
        m = np.maximum((first + 0.5) / (self.min_labels + 1.0), (wrong + 0.5) / (labels + 1.0))
        self._bet(moving, np.minimum(m, self.ceiling[moving]) + self.tolerance, 1.0)
        self.due[moving] = labels + labels // 32 + 1

    def _bet(self, runs: NDArray[np.int64], m: NDArray[np.float64], v: float) -> None:
        largest = np.minimum(0.5, 0.9 * (1.0 - m))
        stakes = np.geomspace(np.minimum(0.01, largest / 2.0), largest, BETS) / (1.0 - m)
        self.if_wrong[:, runs] = (1.0 + stakes * (1.0 / m - 1.0)) ** (1.0 / v)
        self.if_right[:, runs] = (1.0 - stakes) ** (1.0 / v)


def inflation_of(seen: NDArray[np.float64]) -> float:
    inflation, size = 1.0, 2
    while (blocks := seen.size // size) >= 10:
        means = seen[: blocks * size].reshape(blocks, size).mean(axis=1)
        ratio = size * means.var(ddof=1) / seen.var(ddof=1)
        error = np.sqrt(2.0 / (blocks - 1))
        if ratio > 1.0 + 3.0 * error:
            inflation = max(inflation, ratio * (1.0 + 2.0 * error))
        size *= 2
    return inflation


def false_alarms(stream: Stream, *, budget: float, rule: Rule = Rule()) -> tuple[float, float]:
    """The mean number of alarms in a run, and its standard error."""
    errors = stream.draw(RUNS, EVENTS, seed=round(1000 * stream.rate) + stream.burst)
    counts = np.array([len(run) for run in BatchTwin(errors, budget, rule).alarms()])
    mean, standard_error = float(counts.mean()), float(counts.std(ddof=1) / np.sqrt(RUNS))
    print(f"{stream}: {mean:.3f} ± {standard_error:.3f} false alarms, budget {budget * EVENTS:.1f}")
    return mean, standard_error


@pytest.mark.parametrize("burst", [1, 20, 500])
def test_the_twin_raises_the_very_alarms_of_the_detector(burst: int) -> None:
    # A budget of one in a thousand, and a rise in the middle: runs of several alarms, with references between them.
    budget = 1e-3
    before, after = Stream(0.1, burst).draw(6, 30_000, seed=1), Stream(0.2, burst).draw(6, 30_000, seed=2)
    errors = np.concatenate([before, after], axis=1)
    twin = BatchTwin(errors, budget, Rule())

    expected = twin.alarms()

    assert sum(len(run) for run in expected) >= 6
    for run, events in enumerate(expected):
        detector = EDetector(EDetectorConfig(budget_per_event=budget))
        raised = []
        for event, x in enumerate(errors[run].astype(float).tolist()):
            detector.update(x)
            if detector.drift_detected:
                raised.append(event)
        assert raised == events
        assert detector.inflation == pytest.approx(twin.inflation[run], rel=1e-9)


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("burst", [1, 20, 500])
def test_false_alarms_keep_within_the_budget(rate: float, burst: int) -> None:
    mean, standard_error = false_alarms(Stream(rate, burst), budget=1e-5)

    assert mean + 2.0 * standard_error <= 1.0


@pytest.mark.parametrize("rate", [0.02, 0.1, 0.3])
@pytest.mark.parametrize("min_labels", [500, MIN_LABELS])
def test_without_a_tolerance_independent_errors_keep_within_it_too(rate: float, min_labels: int) -> None:
    """Nothing is left between the learned rate and m. Where m did not follow, 500 labels would cost about 1.0."""
    mean, standard_error = false_alarms(Stream(rate, 1), budget=1e-5, rule=Rule(min_labels=min_labels, tolerance=0.0))

    assert mean + 2.0 * standard_error <= 1.0


@pytest.mark.parametrize("burst", [20, 500])
def test_a_detector_that_takes_bursts_for_independent_labels_overdraws_it(burst: int) -> None:
    """What the test above would show if it were not for the variance inflation."""
    mean, standard_error = false_alarms(Stream(0.1, burst), budget=1e-5, rule=Rule(tempered=False))

    assert mean - 2.0 * standard_error > 5.0


@pytest.mark.parametrize("burst", [1, 20])
def test_a_tenth_of_the_budget_is_kept_too(burst: int) -> None:
    mean, standard_error = false_alarms(Stream(0.1, burst), budget=1e-6)

    assert mean + 2.0 * standard_error <= 0.1


@pytest.mark.xfail(strict=True, reason="20 bursts of 500 are too short a reference: some of them have met no storm")
def test_a_tenth_of_the_budget_is_kept_where_the_reference_has_met_few_bursts() -> None:
    """A gap, known: the first storm after a calm reference is a change to anyone who has seen only that reference.

    It costs about 0.2 alarms for a reference, once, not for each 100,000 events: over 10 times as many events the mean
    is within this budget too. Calendar days (14 of them, by default) and an inherited inflation narrow it.
    """
    mean, standard_error = false_alarms(Stream(0.3, 500), budget=1e-6)

    assert mean - 2.0 * standard_error <= 0.1
