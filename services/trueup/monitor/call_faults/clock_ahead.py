"""Event times lie ahead of when they came, all by the same: a producer's clock, or its time zone, is wrong."""

from __future__ import annotations

from trueup.monitor.call_faults.look import WrongClock


class ClockAhead(WrongClock):
    """See `WrongClock`."""

    sign = 1
