"""Change detectors: each takes one number at a time and says when the stream is no longer what it was.

Those of River inform. `e_detector` is the one that pages: its one setting is how many false pages it may cost. To add
a detector: one line here, after its class in a file of its own where it is not River's, and its name in
`monitor/config.py`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

from river.drift import ADWIN, PageHinkley
from river.drift.binary import DDM

from trueup.monitor.detectors.hddm_a import HDDMA

#: Those that inform on the stream of losses, any number in [0, 1].
ON_LOSSES: Mapping[str, Callable[[], Any]] = {"adwin": ADWIN, "page_hinkley": PageHinkley}
#: Those that inform on the stream of losses where each is 0 or 1.
ON_MISTAKES: Mapping[str, Callable[[], Any]] = {"ddm": DDM, "hddm_a": HDDMA}
#: Those that inform on the stream of scores, before any truth is known.
ON_SCORES: Mapping[str, Callable[[], Any]] = {"adwin": ADWIN}
#: Those that inform on a feature that is watched, any number.
ON_FEATURES: Mapping[str, Callable[[], Any]] = {"adwin": ADWIN}
