"""Event times lie behind when they came, all by the same: a producer's time zone, or its clock, is wrong."""

from __future__ import annotations

from trueup.monitor.call_faults.look import WrongClock


class ClockBehind(WrongClock):
    """See `WrongClock`."""

    sign = -1
