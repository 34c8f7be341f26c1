"""What an emitter says in the log: that events are lost or cannot be sent, at most once a minute, never a payload."""

from __future__ import annotations

import logging

from trueup.sdk.outbox import Outbox

log = logging.getLogger(__name__)

INTERVAL_S = 60.0


class LossReport:
    """Speaks for one outbox. Used by the thread that delivers: no log handler runs in the app's path."""

    def __init__(self, outbox: Outbox) -> None:
        self._outbox = outbox
        self._problem = ""
        self._reported = 0
        self._silent_until = float("-inf")

    def note(self, problem: str) -> None:
        """Something went wrong that the next report should name."""
        self._problem = problem

    def report(self, now: float, *, last: bool = False) -> None:
        """Log what was lost since the last report, where there is something and the last one is old enough."""
        counts = self._outbox.counts
        lost = counts.dropped + counts.failed
        if (lost == self._reported and not self._problem) or (now < self._silent_until and not last):
            return
        lost_now = lost - self._reported
        log.warning(
            "%s (%s). Of %d events offered, %d were delivered, %d dropped, %d failed, and %d are pending",
            f"{lost_now} events were lost since the last report"
            if lost_now
            else "Events cannot be delivered at present",
            self._problem or self._outbox.last_loss,
            counts.offered,
            counts.delivered,
            counts.dropped,
            counts.failed,
            counts.pending,
        )
        self._reported, self._problem, self._silent_until = lost, "", now + INTERVAL_S
