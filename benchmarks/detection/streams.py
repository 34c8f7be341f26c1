"""Errors of a model, 0 or 1: independent or in bursts, with a rise or without. Events are rows, streams are columns."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.plan import GRADUAL_EVENTS

Errors = NDArray[np.bool_]
Shape = Literal["abrupt", "gradual"]
SHAPES: tuple[Shape, ...] = ("abrupt", "gradual")
#: Events that are drawn at once.
_CHUNK = 5_000


@dataclass(frozen=True, slots=True)
class Calm:
    """Errors that come at `rate` in the long run; a tenth of the bursts are storms with five times the rate.

    A burst of 1: independent. A storm has 90 % at most, and the calm between storms has what then remains.
    """

    rate: float
    burst: int = 1

    @property
    def name(self) -> str:
        """What it is called in the table."""
        return f"{self.rate:g}" if self.burst == 1 else f"{self.rate:g}, bursts of {self.burst}"

    def chunks(self, events: int, streams: int, seed: int) -> Iterator[Errors]:
        """All events, some rows at a time."""
        rng = np.random.default_rng([seed, self.burst, round(1_000 * self.rate)])
        stormy = min(0.9, 5.0 * self.rate)
        calm = (self.rate - 0.1 * stormy) / 0.9
        rates = np.full(streams, self.rate, dtype=np.float32)
        # Each stream starts somewhere within a burst.
        left = rng.integers(self.burst, size=streams)
        for start in range(0, events, _CHUNK):
            drawn = rng.random((min(_CHUNK, events - start), streams), dtype=np.float32)
            if self.burst == 1:
                yield drawn < rates
                continue
            errors = np.empty(drawn.shape, dtype=np.bool_)
            for row, uniform in enumerate(drawn):
                over = left <= 0
                if over.any():
                    rates[over] = np.where(rng.random(int(over.sum())) < 0.1, stormy, calm)
                    left[over] = self.burst
                left -= 1
                np.less(uniform, rates, out=errors[row])
            yield errors


@dataclass(frozen=True, slots=True)
class Rise:
    """A rate that rises, at once or evenly over 2,000 events."""

    base: float
    by: float
    shape: Shape

    @property
    def to(self) -> float:
        """The rate in the end."""
        return self.base + self.by

    def chunks(self, events: int, streams: int, seed: int) -> Iterator[Errors]:
        """All events from the change on, some rows at a time."""
        rng = np.random.default_rng([seed, SHAPES.index(self.shape), round(1_000 * self.base), round(1_000 * self.by)])
        for start in range(0, events, _CHUNK):
            place = np.arange(start, min(start + _CHUNK, events))
            risen = np.minimum(1.0, (place + 1) / GRADUAL_EVENTS) if self.shape == "gradual" else np.ones(len(place))
            rates = (self.base + self.by * risen).astype(np.float32)
            yield rng.random((len(place), streams), dtype=np.float32) < rates[:, None]
