"""A change detector whose one setting is the number of false alarms it may raise.

The idea: for each bet λ keep R, the wealth of all the gamblers who started betting, at one event or another, that the
error has risen above m. A gambler enters with the alarm budget that the event has earned, so all of them together have
paid in no more than the budget; where the error has not risen, no strategy multiplies money in expectation; so however
the events depend on each other, R reaches 1 no more often than the budget says. Where it has risen, R grows
exponentially (Shin, Ramdas & Rinaldo 2022, "E-detectors: a nonparametric framework for sequential change detection").

    error  ▁▁▂▁▁▂▁▁▁▁▂▁▁▁▂▁▂▁▅▆▅▆▅▆▅▆▅▁▁▂▁▁▁
           └── learning ──┘└ watching ┘└ learning
                                      ▲ alarm: evidence reached 1

Real errors come in bursts, and a reference learned from them stands on far fewer independent observations than it has
labels. The variance inflation V of the reference (`statistics.variance_inflation`) enters twice: m is a bound from n/V
observations, and each factor is taken to the power 1/V, which by Jensen's inequality leaves the budget intact.

Where errors of 0 and 1 come independently (V = 1), m does not have to stay at that bound. It is the rate that all
labels so far predict, those of the reference and those since, but no more than the bound and no less than the learned
rate. A gambler's factor is then his prediction of the label over the one from all labels before, and his wealth the
ratio of two predictions of one stream: of expectation 1 on average over the rates near the learned one, as long as the
rate stays what it is. So what the reference does not know is paid for as it is, and not by a margin. To hold m up to
the learned rate makes it only safer; to hold it down to the bound is wrong where the bound is, which the threshold
pays for.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any, Literal, Self

from river.base import DriftAndWarningDetector

from trueup.statistics.bets import geometric_bets
from trueup.statistics.intervals import mean_upper_bound, rate_upper_bound
from trueup.statistics.variance_inflation import SECONDS_PER_DAY, DependentSample

State = Literal["learning", "watching"]

# An error of zero would make the first wrong answer infinite evidence.
_LEAST_M = 1e-6
# So close to 1 that being worse cannot be told from being as bad as ever.
_HOPELESS_M = 0.999
# The boldest bet keeps a tenth of its wealth on a right answer.
_LARGEST_STAKE = 0.9
# m follows the labels whenever they have grown by this part of them: more often gains nothing that can be measured.
_FOLLOWED_IN = 32


@dataclass(frozen=True, kw_only=True)
class EDetectorConfig:
    """How long to learn, what rise to tolerate, and how to bet. The defaults serve a model with thousands of labels.

    objective: the error the team has promised. With it nothing is learned, and the budget is an exact guarantee as long
        as the true error is at most objective + tolerance. Without it (None) the reference is learned.
    min_labels, min_days: what a learned reference takes, both of them (days only where labels come with a time). A few
        hundred labels work too; the bound m is then far above the mean, and only a large rise is found.
    tolerance: a rise that no one is woken for.
    reference_confidence: of the bound on the learned mean; the threshold rises to its inverse, to pay for the
        references whose bound is wrong.
    bets, smallest_rise, largest_rise: how many bets there are, and the rises they aim at.
    warning_evidence: the part of an alarm's evidence that is worth a warning.
    budget_per_event: false alarms per event, for updates that state no budget.
    largest_budget: what one event may spend of a budget that piled up while no label came. The rest is forgone, or a
        long silence would be an alarm in itself.
    """

    objective: float | None = None
    min_labels: int = 10_000
    min_days: float = 14.0
    tolerance: float = 0.01
    reference_confidence: float = 0.95
    bets: int = 8
    smallest_rise: float = 0.01
    largest_rise: float = 0.5
    warning_evidence: float = 0.1
    budget_per_event: float = 1e-6
    largest_budget: float = 0.05

    def __post_init__(self) -> None:
        for name, right in {
            "objective": self.objective is None or 0.0 <= self.objective <= 1.0,
            "min_labels": self.min_labels >= 2,
            "min_days": 0.0 <= self.min_days < math.inf,
            "tolerance": 0.0 <= self.tolerance < 1.0,
            "reference_confidence": 0.5 <= self.reference_confidence < 1.0,
            "bets": self.bets >= 1,
            "smallest_rise": 0.0 < self.smallest_rise <= self.largest_rise,
            "largest_rise": self.largest_rise < 1.0,
            "warning_evidence": 0.0 < self.warning_evidence <= 1.0,
            "budget_per_event": 0.0 <= self.budget_per_event < 1.0,
            "largest_budget": 0.0 < self.largest_budget < 1.0,
        }.items():
            if not right:
                raise ValueError(f"EDetectorConfig.{name} = {getattr(self, name)!r} is out of range")


@dataclass(frozen=True, kw_only=True)
class Reference:
    """What the stream is held against: a learned mean, or a stated one (n = 0, no times)."""

    mean: float
    n: int
    inflation: float  # V: n labels are worth n / V independent ones
    m: float  # watched for: the mean has risen above this; of independent errors it follows the labels
    from_at: float | None = None  # label times in epoch seconds
    to_at: float | None = None

    @property
    def effective_labels(self) -> float:
        """How many independent labels the reference is worth: what it really stands on."""
        return self.n / self.inflation


@dataclass(frozen=True, kw_only=True)
class Alarm:
    """The error has risen above `reference.m`. Since when, and to what, as far as a running sum can tell."""

    at: float | None  # label time in epoch seconds
    reference: Reference
    evidence: float  # as a part of the threshold; at least 1
    changed_at: float | None  # label time of the last label before the likely change
    labels_since_change: int
    mean_since_change: float


class EDetector(DriftAndWarningDetector):
    """Watches a stream of losses in [0, 1] for a lasting rise of their mean, at a stated price in false alarms.

    Learns a reference, watches against it, and after an alarm learns anew. One-sided: it is silent on improvement. With
    `inflation` a model's next version starts with the variance inflation that its predecessor has met.

    >>> import random
    >>> rng = random.Random(1)
    >>> detector = EDetector(EDetectorConfig(tolerance=0.0))
    >>> for i in range(40_000):
    ...     detector.update(float(rng.random() < (0.10 if i < 30_000 else 0.15)))
    ...     if alarm := detector.alarm:
    ...         print(f"alarm at {i}: mean {alarm.mean_since_change:.3f} in the last {alarm.labels_since_change}")
    alarm at 30672: mean 0.162 in the last 735
    """

    def __init__(self, config: EDetectorConfig | None = None, *, inflation: float = 1.0) -> None:
        super().__init__()
        if not 1.0 <= inflation < math.inf:
            raise ValueError(f"inflation is at least 1 (independent values), not {inflation}")
        self.config = config or EDetectorConfig()
        self.inflation = inflation
        self.reference: Reference | None = None
        self.alarm: Alarm | None = None
        self._learning = DependentSample()
        self._wealth = [0.0] * self.config.bets
        self._excess = 0.0
        self._since = 0
        self._changed_at: float | None = None
        self._clear = True
        # Where m follows the labels: the bound that it does not pass, the labels and their errors, when it moves on.
        self._ceiling: float | None = None
        self._labels = 0
        self._errors = 0.0
        self._due = math.inf
        if self.config.objective is not None:
            self._watch_stated(self.config.objective)

    @property
    def state(self) -> State:
        """Whether a reference is being learned, or watched against."""
        return "learning" if self.reference is None else "watching"

    @property
    def evidence(self) -> float:
        """The mean wealth, as a part of what makes an alarm; 0 while learning."""
        return 0.0 if self.reference is None else sum(self._wealth) / self._threshold

    @property
    def labels_needed(self) -> int:
        """How many labels are missing before watching starts; 0 while watching."""
        return 0 if self.reference is not None else max(0, self.config.min_labels - self._learning.n)

    @property
    def days_needed(self) -> float:
        """How many days the labels still have to span before watching starts; 0 while watching, or without times."""
        if self.reference is not None or self._learning.first_at is None:
            return 0.0
        return max(0.0, self.config.min_days - self._learning.span_seconds / SECONDS_PER_DAY)

    @property
    def threshold(self) -> float:
        """What the wealths have to add up to for an alarm; only while watching."""
        return self._threshold

    def factors(self, x: float) -> list[float]:
        """What a loss multiplies each wealth with, in the order of the bets; only while watching."""
        gain, power = x / self._m - 1.0, self._power
        return [(1.0 + stake * gain) ** power for stake in self._stakes]

    @property
    def follows_in(self) -> float:
        """How many labels from now m is worked out anew; infinite where it stays as it is."""
        return self._due - self._labels

    def follow(self, labels: int, errors: float) -> None:
        """Let m follow these labels too; `update` does so by itself.

        For who weighs many streams at once, by `factors`: it is due after `follows_in` labels, and not before.
        """
        self._labels += labels
        self._errors += errors
        if self._labels >= self._due:
            self._move_on()

    def update(self, x: float, *, at: float | None = None, budget: float | None = None) -> None:
        """Take one loss, the label time `at` in epoch seconds, and the alarm budget that the event has earned.

        `budget` is a number of false alarms: 1/N for "one in N events", or rate x seconds since the last event. Without
        one, the configuration's is used. While learning no budget is spent. A time before the last one is harmless.

        Raises:
            ValueError: x is outside [0, 1] or not a number, or the budget is negative or not a number.
        """
        if not 0.0 <= x <= 1.0:
            raise ValueError(f"a loss lies in [0, 1], not {x}")
        if budget is None:
            budget = self.config.budget_per_event
        elif not budget >= 0.0:
            raise ValueError(f"a budget is a number of false alarms, at least 0, not {budget}")
        if not self._clear:
            self._clear = True
            self.alarm = None
            self._drift_detected = self._warning_detected = False
        if self.reference is None:
            self._learn(x, at)
        else:
            self._weigh(x, at, min(budget, self._largest_budget))

    def watch(self) -> None:
        """Stop learning and watch from now on, on however few labels there are; nothing happens while watching.

        For a reference that was fed from elsewhere, and for a team that will not wait.

        Raises:
            ValueError: fewer than two labels have been seen.
        """
        if self.reference is not None:
            return
        if self._learning.n < 2:
            raise ValueError("a reference needs at least two labels")
        self._watch_learned()

    def relearn(self) -> None:
        """Forget the reference and learn a new one; the variance inflation is remembered. Not for a stated objective.

        Raises:
            ValueError: the reference is a stated objective.
        """
        if self.config.objective is not None:
            raise ValueError("a stated objective is not learned: change the configuration")
        self.reference = None
        self._learning = DependentSample()
        self._reset_evidence(None)

    def snapshot(self) -> dict[str, Any]:
        """The whole state as plain numbers, strings and lists, for `restore`."""
        # The dataclasses are flat but for one; `dataclasses.asdict` would cost more than all the rest.
        alarm = self.alarm and {**vars(self.alarm), "reference": dict(vars(self.alarm.reference))}
        return {
            "v": 1,
            "config": dict(vars(self.config)),
            "inflation": self.inflation,
            "reference": self.reference and dict(vars(self.reference)),
            "alarm": alarm,
            "drift": self._drift_detected,
            "warning": self._warning_detected,
            "learning": self._learning.snapshot() if self.reference is None else None,
            "wealth": list(self._wealth),
            "excess": self._excess,
            "since": self._since,
            "changed_at": self._changed_at,
            "follows": None if self._ceiling is None else [self._ceiling, self._labels, self._errors, self._due],
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """The detector that `snapshot` was taken of; it continues bit for bit.

        To go on with another configuration, start a new detector with the old one's `inflation`: evidence weighed by
        other rules proves nothing.
        """
        detector = cls(EDetectorConfig(**snapshot["config"]), inflation=snapshot["inflation"])
        if snapshot["reference"] is not None:
            detector._arm(Reference(**snapshot["reference"]))
        if snapshot["learning"] is not None:
            detector._learning = DependentSample.restore(snapshot["learning"])
        if snapshot["alarm"] is not None:
            alarm = dict(snapshot["alarm"])
            detector.alarm = Alarm(**{**alarm, "reference": Reference(**alarm["reference"])})
        detector._drift_detected = snapshot["drift"]
        detector._warning_detected = snapshot["warning"]
        detector._clear = not (snapshot["drift"] or snapshot["warning"])
        detector._wealth = list(snapshot["wealth"])
        detector._excess = snapshot["excess"]
        detector._since = snapshot["since"]
        detector._changed_at = snapshot["changed_at"]
        # What was saved before m could follow the labels goes on with the m that it has.
        if follows := snapshot.get("follows"):
            detector._ceiling, detector._labels, detector._errors, detector._due = follows
        return detector

    def _learn(self, x: float, at: float | None) -> None:
        learning = self._learning
        learning.update(x, at)
        if learning.n >= self.config.min_labels and not self.days_needed:
            self._watch_learned()

    def _weigh(self, x: float, at: float | None, budget: float) -> None:
        if x == 1.0:
            factors = self._if_wrong
        elif x == 0.0:
            factors = self._if_right
        else:
            factors = self.factors(x)
        # strict=True costs a quarter of the whole; both are as long as there are bets.
        wealth = [(w + budget) * f for w, f in zip(self._wealth, factors)]  # noqa: B905
        self._wealth = wealth
        # The likely change is where the running sum of x - level was last at its lowest (Page's CUSUM).
        excess = self._excess + x - self._level
        if excess > 0.0:
            self._excess = excess
            self._since += 1
        else:
            self._excess = 0.0
            self._since = 0
            self._changed_at = at
        self._labels += 1
        self._errors += x
        total = sum(wealth)
        if total >= self._warning_threshold:
            self._clear = False
            if total >= self._threshold:
                self._fire(at)
            else:
                self._warning_detected = True
        if self._labels >= self._due:
            self._move_on()

    def _fire(self, at: float | None) -> None:
        assert self.reference is not None
        since = max(1, self._since)
        self.alarm = Alarm(
            at=at,
            reference=self.reference,
            evidence=self.evidence,
            changed_at=self._changed_at,
            labels_since_change=self._since,
            mean_since_change=self._level + self._excess / since,
        )
        self._drift_detected = True
        if self.config.objective is None:
            self.relearn()
        else:
            self._reset_evidence(at)

    def _watch_stated(self, objective: float) -> None:
        m = min(1.0, objective + self.config.tolerance)
        self._arm(Reference(mean=objective, n=0, inflation=self.inflation, m=m))

    def _watch_learned(self) -> None:
        seen = self._learning
        # Never below what was met before: a calm month does not unlearn the storms.
        self.inflation = max(self.inflation, seen.inflation())
        confidence = self.config.reference_confidence
        if seen.is_binary:
            bound = rate_upper_bound(seen.total, seen.n, confidence=confidence, inflation=self.inflation)
        else:
            bound = mean_upper_bound(seen.mean, seen.variance, seen.n, confidence=confidence, inflation=self.inflation)
        self._arm(
            Reference(
                mean=seen.mean,
                n=seen.n,
                inflation=self.inflation,
                m=min(1.0, bound + self.config.tolerance),
                from_at=seen.first_at,
                to_at=seen.last_at,
            )
        )
        self._learning = DependentSample()
        self._reset_evidence(seen.last_at)
        if seen.is_binary and self.inflation == 1.0:
            self._ceiling, self._labels, self._errors = bound, seen.n, seen.total
            self._move_on()

    def _move_on(self) -> None:
        """Let m follow the labels, and say when it does so next: each time when there are 3 % more of them."""
        reference = self.reference
        assert reference is not None
        assert self._ceiling is not None
        now = _predicted(self._errors, self._labels)
        learned = _predicted(reference.mean * reference.n, reference.n)
        before = self._level
        self._arm(replace(reference, m=min(1.0, min(self._ceiling, max(learned, now)) + self.config.tolerance)))
        # The sum of x - level, as if it had been held against this level all the time.
        self._excess += (before - self._level) * self._since
        self._due = self._labels + self._labels // _FOLLOWED_IN + 1

    def _follow_none(self) -> None:
        self._ceiling, self._due = None, math.inf
        self._labels, self._errors = 0, 0.0

    def _reset_evidence(self, at: float | None) -> None:
        self._wealth = [0.0] * self.config.bets
        self._excess = 0.0
        self._since = 0
        self._changed_at = at
        self._follow_none()

    def _arm(self, reference: Reference) -> None:
        """Work out what each update needs. Everything here follows from the configuration and the reference."""
        config = self.config
        self.reference = reference
        self._m = min(max(_LEAST_M, reference.m), _HOPELESS_M)
        # Where m may be as low as the mean, a sum of x - m wanders off from 0 without any change.
        independent = reference.n > 0 and reference.inflation == 1.0
        self._level = self._m + config.smallest_rise / 2.0 if independent else self._m
        self._power = 1.0 / reference.inflation
        self._stakes = _stakes(self._m, config)
        self._if_wrong = self.factors(1.0)
        self._if_right = self.factors(0.0)
        # The sum of the wealths is compared, not their mean. A stated mean is exact and has nothing to pay for.
        reach = 1.0 if config.objective is not None else 1.0 / config.reference_confidence
        self._threshold = reach * config.bets
        self._warning_threshold = config.warning_evidence * self._threshold
        # Where nothing can be worse than m, no budget is spent: the wealth stays 0.
        self._largest_budget = config.largest_budget if reference.m < _HOPELESS_M else 0.0


def _predicted(errors: float, labels: int) -> float:
    """The rate that so many errors in so many labels predict (Krichevsky & Trofimov 1981)."""
    return (errors + 0.5) / (labels + 1.0)


def _stakes(m: float, config: EDetectorConfig) -> Sequence[float]:
    """The stakes λ = δ / (1 - m), the rises δ on a geometric grid."""
    largest = min(config.largest_rise, _LARGEST_STAKE * (1.0 - m))
    smallest = min(config.smallest_rise, largest / 2.0)
    return [rise / (1.0 - m) for rise in geometric_bets(smallest, largest, config.bets)]
