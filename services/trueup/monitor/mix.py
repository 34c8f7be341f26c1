"""Why the mean loss rose: other traffic than before, or more lost on the same traffic.

    rise = Σ p·e − Σ q·f = Σ (p − q)·(f − F)  +  Σ p·(e − f)
                           the mix             within the segments

with the shares q before and p now, and the mean losses f before and e now of each value of a segment; F is the mean
before. Source: Kitagawa (1955), "Components of a difference between two rates". Of a value that was not there before,
nothing is known: it is taken to have been as good as the mean, so what it loses more counts as within.
"""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from trueup.monitor.breakdown import LOSS_UNITS, Counts


@dataclass(frozen=True, slots=True)
class Part:
    """One value of a segment, before and now, and what of the rise is its own, through the mix and within."""

    value: str
    n: int
    mean: float
    n_before: int
    mean_before: float
    share: float
    share_before: float
    mix: float
    within: float


@dataclass(frozen=True, slots=True)
class Decomposition:
    """A rise in its two components, and in the parts of each value, the largest first.

    `mix_error` is the standard error of the mix component.
    """

    n: int
    rise: float
    mix: float
    within: float
    mix_error: float
    parts: Sequence[Part]


def decompose(
    before: Mapping[str, Counts], now: Mapping[str, Counts], *, inflation: float = 1.0
) -> Decomposition | None:
    """Where the difference in mean loss comes from; None where either is empty. n outcomes are worth n / `inflation`.

    >>> before = {"hub": [800, 80_000_000], "island": [200, 60_000_000]}
    >>> more_islands = {"hub": [500, 50_000_000], "island": [500, 150_000_000]}
    >>> found = decompose(before, more_islands)
    >>> round(found.rise, 3), round(found.mix, 3), round(found.within, 3), [part.value for part in found.parts]
    (0.06, 0.06, 0.0, ['island', 'hub'])
    """
    n_before, lost_before = _total(before)
    n, lost = _total(now)
    if not n or not n_before:
        return None
    mean_before = lost_before / n_before
    parts = [_part(value, before, now, (n_before, n, mean_before)) for value in sorted({**before, **now})]
    mix = math.fsum(part.mix for part in parts)
    # The mix component is the mean, over the outcomes of now, of what was lost on their value before.
    square = math.fsum(part.share * (part.mean_before - mean_before) ** 2 for part in parts)
    return Decomposition(
        n=n,
        rise=lost / n - mean_before,
        mix=mix,
        within=math.fsum(part.within for part in parts),
        mix_error=math.sqrt(max(0.0, square - mix * mix) * inflation / n),
        parts=sorted(parts, key=lambda part: -(part.mix + part.within)),
    )


def _part(value: str, before: Mapping[str, Counts], now: Mapping[str, Counts], totals: tuple[int, int, float]) -> Part:
    n_before, n, mean_before = totals
    own_before, lost_before = before.get(value, (0, 0))
    own, lost = now.get(value, (0, 0))
    was = lost_before / own_before / LOSS_UNITS if own_before else mean_before
    mean = lost / own / LOSS_UNITS if own else was
    share, share_before = own / n, own_before / n_before
    return Part(
        value,
        own,
        mean,
        own_before,
        was,
        share,
        share_before,
        mix=(share - share_before) * (was - mean_before),
        within=share * (mean - was),
    )


def _total(counted: Mapping[str, Counts]) -> tuple[int, float]:
    return sum(n for n, _ in counted.values()), sum(lost for _, lost in counted.values()) / LOSS_UNITS
