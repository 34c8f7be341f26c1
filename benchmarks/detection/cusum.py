"""The clairvoyant: Page's CUSUM of log likelihood ratios, told the rate before the rise and the rate after it.

No detector with as few false alarms finds the rise sooner in the worst case (Moustakides 1986, "Optimal stopping times
for detecting changes in distributions"): what another needs more is the price of not knowing.
"""

from __future__ import annotations

import math

import numpy as np
from numpy.typing import NDArray

from benchmarks.detection.streams import Calm, Rise

#: Excursions that stay below are not kept: any threshold lies above.
_LEAST_PEAK = 0.5
#: Events before the rise: by then the sum is as it mostly is.
_BEFORE = 2_000
_SEED = 3


class Cusum:
    """For one rise."""

    def __init__(self, rise: Rise, *, streams: int, events: int) -> None:
        self.rise = rise
        # The same for a gradual rise: it is told the two rates, not the way from one to the other.
        self._if_wrong = math.log(rise.to / rise.base)
        self._if_right = math.log((1.0 - rise.to) / (1.0 - rise.base))
        self._events = streams * events
        self._peaks = self._highest_points(streams, events)

    def threshold(self, rate: float) -> float:
        """Where it has to stand for an alarm, so that it raises `rate` false ones for each event.

        Read off the highest points of all its excursions from 0 on errors that do not rise, each of which is taken for
        one alarm: right where alarms are rare, up to about one in a thousand events. Beyond, it costs more than asked.
        """
        alarms = max(1, round(rate * self._events))
        return float(self._peaks[min(alarms, len(self._peaks)) - 1])

    def delays(self, rise: Rise, threshold: float, *, runs: int, horizon: int) -> NDArray[np.float64]:
        """Events from a rise between its two rates to the alarm, one for each run; infinite beyond the horizon."""
        total = np.zeros(runs)
        for errors in Calm(rise.base).chunks(_BEFORE, runs, _SEED):
            for step in np.where(errors, self._if_wrong, self._if_right):
                total = np.maximum(0.0, total + step)
                total[total >= threshold] = 0.0
        found = np.full(runs, np.inf)
        event = 0
        for errors in rise.chunks(horizon, runs, _SEED):
            for step in np.where(errors, self._if_wrong, self._if_right):
                event += 1
                total = np.maximum(0.0, total + step)
                found[(total >= threshold) & np.isinf(found)] = event
            if not np.isinf(found).any():
                break
        return found

    def _highest_points(self, streams: int, events: int) -> NDArray[np.float64]:
        """Of all excursions from 0, the highest first."""
        total, peak = np.zeros(streams), np.zeros(streams)
        kept = []
        for errors in Calm(self.rise.base).chunks(events, streams, _SEED):
            for step in np.where(errors, self._if_wrong, self._if_right):
                total += step
                ended = total <= 0.0
                high = ended & (peak > _LEAST_PEAK)
                if high.any():
                    kept.append(peak[high])
                total[ended] = peak[ended] = 0.0
                np.maximum(peak, total, out=peak)
        return np.sort(np.concatenate([*kept, peak[peak > 0.0], np.full(1, _LEAST_PEAK)]))[::-1]
