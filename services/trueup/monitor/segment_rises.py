"""What is told of values of segments that rose: since when, to what, against what."""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

from trueup.monitor.breakdown import LOSS_UNITS
from trueup.monitor.watched import Watched


class Rise(NamedTuple):
    """A value that rose: since when, to what, against what. `fired` is it that called, else it is named besides."""

    segment: str
    value: str
    n: int
    mean: float
    changed_at: float
    mean_before: float
    bound: float
    inflation: float
    fired: bool


class Found(NamedTuple):
    """What an hour's end brought: values that rose (the strongest first), and whether all that had risen are back."""

    rises: Sequence[Rise]
    ended: bool
    pages: bool


def rise_of(segment: str, value: str, watched: Watched, *, fired: bool) -> Rise:
    """What a value with outcomes since its likely change rose to: from what it rose above, else from its reference."""
    n, lost = watched.since
    mean_before, bound = (watched.mean_before, watched.bound) if watched.risen else (watched.mean, watched.m)
    return Rise(
        segment, value, n, lost / n / LOSS_UNITS, watched.changed_at, mean_before, bound, watched.inflation, fired
    )
