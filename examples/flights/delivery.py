"""Waiting until Kafka has what was emitted.

The Emitter never makes an app wait, and loses events rather than harm it. That is right for an app; a demo that is
counted to the last event must know.
"""

from trueup.sdk import Emitter

PATIENCE_S = 60.0


class Undelivered(Exception):
    """Events were lost on their way to Kafka, or are still on it."""


def deliver(emitter: Emitter, what: str, timeout: float = PATIENCE_S) -> None:
    """Return once everything that was emitted is in Kafka; `what` names it in the message.

    Raises:
        Undelivered: an event was dropped or failed, now or before, or is not delivered after `timeout` seconds.
    """
    delivered, counts = emitter.flush(timeout), emitter.counts
    if not delivered:
        raise Undelivered(f"{what}: {counts.pending} events are still pending after {timeout:g} s: is Kafka up?")
    if counts.dropped or counts.failed:
        raise Undelivered(f"{what}: {counts.dropped} events were dropped and {counts.failed} failed")
