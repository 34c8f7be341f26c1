"""Which share of a day's predictions usually has its truth at one age, and whether a day lies too far below that.

A share p of n predictions, over k days so far, varies by F p (1 - p)/n, where F is how much more the days differ than
independent predictions would (Pearson's chi-square over its degrees of freedom; McCullagh and Nelder, Generalized
Linear Models, 1989, 4.5), and 1 at least. A day has *fallen* where it lies below p by more than Student's quantile
(k - 1 degrees of freedom), and below three quarters of p; or below a quarter of the lowest of these days: one stormy
day among them makes F so large that not even nothing is far below.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Literal

from scipy.special import stdtrit

#: Days at one age before anything is held against another: weeks have to be seen twice.
LEAST_DAYS = 14
#: The reference follows the last so many days.
MEMORY_DAYS = 28.0
#: Truths that a day would usually have, for it to say anything.
LEAST_EXPECTED = 30.0
#: What is left of the usual coverage where it fell, and where it is as good as ever.
FALLEN, AS_USUAL = 0.75, 0.9
#: What is left of the lowest day of the reference where they hardly come at all, and the truths such a day must have.
GONE, LEAST_ON_LOWEST = 0.25, 10.0

Seen = Literal["learning", "too_little", "fallen", "between", "usual"]


@dataclass(slots=True)
class Reference:
    """The coverage of earlier days at one age: sums, the older ones weighing less."""

    days: float = 0.0
    predictions: float = 0.0
    truths: float = 0.0
    #: Of truths squared over predictions.
    squares: float = 0.0
    #: The share of the lowest day of all.
    lowest: float = 1.0

    def add(self, predictions: int, truths: int) -> None:
        """One day more."""
        if self.days >= MEMORY_DAYS:
            kept = (MEMORY_DAYS - 1) / self.days
            self.days *= kept
            self.predictions *= kept
            self.truths *= kept
            self.squares *= kept
        self.days += 1
        self.predictions += predictions
        self.truths += truths
        self.squares += truths * truths / predictions
        self.lowest = min(self.lowest, truths / predictions)

    @property
    def coverage(self) -> float:
        """Its mean, kept off 0 and 1."""
        return (self.truths + 0.5) / (self.predictions + 1.0)

    @property
    def inflation(self) -> float:
        """How much more the days differ than independent predictions would."""
        p = self.coverage
        chi_square = self.squares - 2 * p * self.truths + p * p * self.predictions
        return max(1.0, chi_square / (p * (1 - p)) / (self.days - 1))

    def see(self, predictions: int, truths: int, alpha: float) -> Seen:
        """What a day with so many predictions, of which so many have their truth, is against this."""
        if self.days < LEAST_DAYS:
            return "learning"
        p = self.coverage
        if predictions * p < LEAST_EXPECTED:
            return "too_little"
        share = truths / predictions
        if share >= AS_USUAL * p:
            return "usual"
        if share < GONE * self.lowest and predictions * self.lowest >= LEAST_ON_LOWEST:
            return "fallen"
        spread = sqrt(self.inflation * p * (1 - p) * (1 / predictions + 1 / self.predictions))
        below = float(-stdtrit(self.days - 1, alpha)) * spread
        return "fallen" if share < FALLEN * p and share < p - below else "between"
