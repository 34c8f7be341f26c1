"""Champion against challenger, decided at any moment without ever being wrong more often than stated.

A test that is looked at after every event must pay for the looking: a z-test at 1 % that is, calls one of two equal
models the better one in 22 % of the cases. Testing by betting pays by construction (Waudby-Smith & Ramdas 2024,
"Estimating means of bounded random variables by betting"): the capital of a fair game exceeds 1/alpha with probability
alpha at most, ever (Ville's inequality).
"""

import math
from typing import Any, Literal, Self

from trueup.statistics.bets import geometric_bets

Verdict = Literal["worse", "better", "undecided"]

_BETS = geometric_bets(0.005, 0.6, 12)
_WIDEST_MARGIN = 0.5
#: Of fewer differences the mean says too little to foretell anything.
_LEAST_TO_FORETELL = 30


class SequentialComparison:
    """Is the new model worse or better than the old one? Says so as soon as the losses tell.

    Takes d = loss(new) - loss(old) in [-1, 1], one after the other. With g = `margin` two wealths are bet up, each a
    mixture over 12 bets λ: one on d > g, by factors 1 + λ(d - g)/(1 + g), one on d < g, by 1 + λ(g - d)/(1 - g). The
    verdict falls when one of them reaches 2/alpha, and stays. As long as the mean of d, given all before it, is on one
    side of the margin (or on it), the probability of ever calling it on the other is at most alpha, at any peeking.

    `margin` is the loss that the new model may cost: 0 asks which is better; 0.01 lets a model that is equally good,
    or worse by less than one point, win ("not inferior"); a negative one demands a gain.

    Kept in logarithms: however long it runs undecided, no wealth overflows, or falls to a zero it cannot leave.

    >>> import random
    >>> rng = random.Random(42)
    >>> comparison = SequentialComparison(alpha=0.01)
    >>> while comparison.verdict == "undecided":
    ...     comparison.update(float(rng.random() < 0.15) - float(rng.random() < 0.10))
    >>> comparison.verdict, comparison.n, round(comparison.mean, 3)
    ('worse', 1064, 0.055)
    """

    __slots__ = ("_log_better", "_log_threshold", "_log_worse", "_steps", "_total", "alpha", "margin", "n", "verdict")

    def __init__(self, alpha: float = 0.01, margin: float = 0.0) -> None:
        if not 0.0 < alpha < 1.0:
            raise ValueError(f"alpha, the accepted probability of a wrong verdict, lies between 0 and 1, not {alpha}")
        if not -_WIDEST_MARGIN <= margin <= _WIDEST_MARGIN:
            raise ValueError(f"margin lies in [-{_WIDEST_MARGIN}, {_WIDEST_MARGIN}], not {margin}")
        self.alpha = alpha
        self.margin = margin
        self.verdict: Verdict = "undecided"
        self.n = 0
        self._total = 0.0
        self._log_worse = [0.0] * len(_BETS)
        self._log_better = [0.0] * len(_BETS)
        self._log_threshold = math.log(2.0 / alpha)
        # With 0/1 losses d has three values, and their logarithms need not be taken each time.
        self._steps = {d: self._steps_of(d) for d in (-1.0, 0.0, 1.0)}

    @property
    def mean(self) -> float:
        """The mean of d so far (up to the verdict); 0 before the first."""
        return self._total / self.n if self.n else 0.0

    @property
    def evidence_worse(self) -> float:
        """The wealth bet on "worse", as a part of what decides: 1 or more is a verdict."""
        return math.exp(_log_mean_exp(self._log_worse) - self._log_threshold)

    @property
    def evidence_better(self) -> float:
        """The wealth bet on "better", as a part of what decides: 1 or more is a verdict."""
        return math.exp(_log_mean_exp(self._log_better) - self._log_threshold)

    @property
    def more_needed(self) -> int | None:
        """How many differences more the verdict is expected to take, should they go on as those so far.

        Bet k has grown by L_k / n at each of n differences, in logarithms. Going on so, it brings the mean of all K to
        the threshold by itself once L_k = log(2K / alpha); the first of either side that does decides:

            min over k, L_k > 0, of (log(2K / alpha) - L_k) / (L_k / n)

        With small bets L_k / n is λm - λ²s/2 for the mean m and the mean square s of d - g, at its highest m²/2s: to
        see half the difference takes four times as long. None: too few to say (less than 30), or no bet has grown, so
        that at this difference none would ever tell. 0 after the verdict.

        >>> comparison = SequentialComparison(alpha=0.01)
        >>> for _ in range(100):
        ...     comparison.update(1.0)
        ...     comparison.update(-0.8)
        >>> comparison.n, comparison.more_needed
        (200, 1086)
        """
        if self.verdict != "undecided":
            return 0
        best = max(*self._log_worse, *self._log_better)
        if self.n < _LEAST_TO_FORETELL or best <= 0.0:
            return None
        alone = self._log_threshold + math.log(len(_BETS))
        return max(1, math.ceil((alone - best) * self.n / best))

    def update(self, d: float) -> None:
        """Take one difference of losses. After the verdict nothing changes any more, and the figures stay its figures.

        Raises:
            ValueError: d is outside [-1, 1] or not a number.
        """
        if not -1.0 <= d <= 1.0:
            raise ValueError(f"a difference of losses lies in [-1, 1], not {d}")
        if self.verdict != "undecided":
            return
        self.n += 1
        self._total += d
        if d == self.margin:
            return  # no bet gains or loses: with 0/1 losses on the same events most differences are 0
        worse_steps, better_steps = self._steps.get(d) or self._steps_of(d)
        self._log_worse = worse = [w + s for w, s in zip(self._log_worse, worse_steps, strict=True)]
        self._log_better = better = [w + s for w, s in zip(self._log_better, better_steps, strict=True)]
        # A mean reaches the threshold only where its largest term does: the exponentials are rarely needed.
        if max(worse) >= self._log_threshold and _log_mean_exp(worse) >= self._log_threshold:
            self.verdict = "worse"
        elif max(better) >= self._log_threshold and _log_mean_exp(better) >= self._log_threshold:
            self.verdict = "better"

    def snapshot(self) -> dict[str, Any]:
        """The whole state as plain numbers and lists, for `restore`."""
        return {
            "v": 1,
            "alpha": self.alpha,
            "margin": self.margin,
            "verdict": self.verdict,
            "n": self.n,
            "total": self._total,
            "log_worse": list(self._log_worse),
            "log_better": list(self._log_better),
        }

    @classmethod
    def restore(cls, snapshot: dict[str, Any]) -> Self:
        """The comparison that `snapshot` was taken of; it continues bit for bit."""
        comparison = cls(snapshot["alpha"], snapshot["margin"])
        comparison.verdict = snapshot["verdict"]
        comparison.n = snapshot["n"]
        comparison._total = snapshot["total"]
        comparison._log_worse = list(snapshot["log_worse"])
        comparison._log_better = list(snapshot["log_better"])
        return comparison

    def _steps_of(self, d: float) -> tuple[list[float], list[float]]:
        excess = d - self.margin
        worse, better = excess / (1.0 + self.margin), -excess / (1.0 - self.margin)
        return [math.log1p(bet * worse) for bet in _BETS], [math.log1p(bet * better) for bet in _BETS]


def _log_mean_exp(logs: list[float]) -> float:
    top = max(logs)
    return top + math.log(sum(math.exp(value - top) for value in logs) / len(logs))
