"""Whether a day of a column is distributed as its reference, and how far it is from it."""

from __future__ import annotations

from collections.abc import Mapping
from math import log, log2, sqrt
from typing import Any, NamedTuple

from scipy.special import chdtrc, kolmogorov

from trueup.monitor.features.histogram import Histogram
from trueup.monitor.features.profile import Profile

#: Groups of equal mass in the reference, for PSI and JS.
_GROUPS = 10
#: The mean of the square of Kolmogorov's limit distribution, pi^2 / 12: what n * D^2 is on average without any drift.
_MEAN_SQUARE = 0.822467


class Distance(NamedTuple):
    """A window held against a reference.

    `size` is the test's statistic on a scale that does not grow with the number of values without drift: n * D^2 over
    its mean for Kolmogorov-Smirnov, chi-square over its degrees of freedom. For days that vary more than independent
    values would, it is on average `inflation` instead of 1 (Rao and Scott 1981, of the first order).
    """

    test: str
    statistic: float
    size: float
    freedom: int

    def chance(self, inflation: float) -> float:
        """How likely so large a distance is without drift."""
        size = self.size / max(1.0, inflation)
        if self.test == "ks":
            return float(kolmogorov(sqrt(size * _MEAN_SQUARE)))
        return float(chdtrc(self.freedom, size * self.freedom))


def held_against(reference: Profile, window: Profile) -> Distance | None:
    """The distance between two stretches of a column, by the type of most values; None where one has none of them."""
    if reference.kind == "number":
        return kolmogorov_smirnov(reference.numbers, window.numbers)
    return _chi_square(reference.categories, window.categories)


def kolmogorov_smirnov(reference: Histogram, window: Histogram) -> Distance | None:
    """The largest difference of the distribution functions, at the edges of buckets: never more than the true one."""
    if not reference.n or not window.n:
        return None
    apart = old = new = 0.0
    for before, after in aligned(reference, window):
        old, new = old + before / reference.n, new + after / window.n
        apart = max(apart, abs(old - new))
    n = reference.n * window.n / (reference.n + window.n)
    return Distance("ks", apart, n * apart * apart / _MEAN_SQUARE, 1)


def _chi_square(reference: Mapping[str, int], window: Mapping[str, int]) -> Distance | None:
    """The chi-square test of homogeneity, with all values together of which fewer than five are expected a window."""
    old_n, new_n = sum(reference.values()), sum(window.values())
    if not old_n or not new_n:
        return None
    pairs, rest = [], (0, 0)
    for value in sorted({*reference, *window}):
        old, new = reference.get(value, 0), window.get(value, 0)
        if (old + new) * min(old_n, new_n) >= 5 * (old_n + new_n):
            pairs.append((old, new))
        else:
            rest = (rest[0] + old, rest[1] + new)
    if rest != (0, 0):
        pairs.append(rest)
    to_old, to_new = sqrt(new_n / old_n), sqrt(old_n / new_n)
    found = sum([(to_old * old - to_new * new) ** 2 / (old + new) for old, new in pairs])
    freedom = max(1, len(pairs) - 1)
    return Distance("chi2", found, found / freedom, freedom)


def aligned(reference: Histogram, window: Histogram) -> list[tuple[int, int]]:
    """The counts of both in the same buckets, in their order."""
    shift = max(reference.shift, window.shift)
    pairs: dict[int, list[int]] = {}
    for which, histogram in enumerate((reference, window)):
        down = shift - histogram.shift
        for key, n in histogram.counts.items():
            pairs.setdefault(key >> down, [0, 0])[which] += n
    return [(pairs[key][0], pairs[key][1]) for key in sorted(pairs)]


def groups(reference: Profile, window: Profile) -> list[tuple[int, int]]:
    """The counts of both in some ten groups: of equal mass in the reference for numbers, else the values themselves."""
    if reference.kind != "number":
        values = sorted({*reference.categories, *window.categories})
        return [(reference.categories.get(value, 0), window.categories.get(value, 0)) for value in values]
    found, old, new = [], 0, 0
    for before, after in aligned(reference.numbers, window.numbers):
        old, new = old + before, new + after
        if old * _GROUPS >= reference.numbers.n:
            found.append((old, new))
            old = new = 0
    return [*found, (old, new)] if old or new else found


def sizes(pairs: list[tuple[int, int]]) -> Mapping[str, float]:
    """Population stability index and Jensen-Shannon divergence (in bits, 0 to 1), half a value more in each group."""
    old_n, new_n = (sum([pair[which] + 0.5 for pair in pairs]) for which in (0, 1))
    psi = divergence = 0.0
    for old, new in pairs:
        p, q = (old + 0.5) / old_n, (new + 0.5) / new_n
        psi += (q - p) * log(q / p)
        divergence += (p * log2(2 * p / (p + q)) + q * log2(2 * q / (p + q))) / 2
    return {"psi": psi, "js": min(1.0, max(0.0, divergence))}


def unseen_share(reference: Profile, window: Profile) -> float | None:
    """Which share of the texts of the window the reference does not have, None where it has no texts."""
    of = sum(window.categories.values())
    if not reference.categories or not of:
        return None
    return sum([n for value, n in window.categories.items() if value not in reference.categories]) / of


def told(reference: Profile, window: Profile, distance: Distance, inflation: float) -> dict[str, Any]:
    """All of it as signals carry it."""
    found: dict[str, Any] = {
        "test": distance.test,
        "statistic": distance.statistic,
        "p": distance.chance(inflation),
        **sizes(groups(reference, window)),
        "n": window.n,
        "reference_n": reference.n,
        "missing": window.missing_share,
        "reference_missing": reference.missing_share,
    }
    unseen = unseen_share(reference, window)
    return found if unseen is None else {**found, "unseen": unseen}
