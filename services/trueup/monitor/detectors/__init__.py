"""Change detectors: each takes one number at a time and says when the stream is no longer what it was.

Those in these tables inform. `e_detector` is the one that pages: its one setting is how many false pages it may cost.
It watches the losses of each version by itself; on other streams it informs, on ranks. To add a detector: one line
here, after its class in a file of its own where it is not River's, and its name in `monitor/config.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from river.drift import ADWIN, PageHinkley
from river.drift.binary import DDM, EDDM, HDDMW

from trueup.monitor.detectors.hddm_a import HDDMA
from trueup.monitor.detectors.kswin import KSWIN
from trueup.monitor.detectors.ranked_e_detector import RankedEDetector

#: Those that inform on the stream of losses, any number in [0, 1].
ON_LOSSES: Mapping[str, Callable[[], Any]] = {"adwin": ADWIN, "page_hinkley": PageHinkley, "kswin": KSWIN}
#: Those that inform on the stream of losses where each is 0 or 1.
ON_MISTAKES: Mapping[str, Callable[[], Any]] = {"ddm": DDM, "hddm_a": HDDMA, "eddm": EDDM, "hddm_w": HDDMW}
#: Those that inform on the stream of scores, before any truth is known.
ON_SCORES: Mapping[str, Callable[[], Any]] = {
    "adwin": ADWIN,
    "page_hinkley": PageHinkley,
    "kswin": KSWIN,
    "e_detector": RankedEDetector,
}
#: Those that inform on a feature that is watched, any number.
ON_FEATURES: Mapping[str, Callable[[], Any]] = {
    "adwin": ADWIN,
    "page_hinkley": PageHinkley,
    "kswin": KSWIN,
    "e_detector": RankedEDetector,
}
