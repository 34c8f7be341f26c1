"""How much an `Emitter` may hold, and how long it may try."""

from __future__ import annotations

from dataclasses import dataclass, fields
from datetime import timedelta

#: What Kafka takes as one record by default is 1 MiB; the rest is room for the key and the framing.
LARGEST_BATCH_BYTES = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class EmitterLimits:
    """The bounds of one emitter in one process.

    `max_pending_events` and `max_pending_bytes` bound what was offered and is not settled yet; beyond either, events
    are dropped. A record holds up to `max_batch_events` events and `max_batch_bytes` bytes; an event above
    `max_batch_bytes` fails. An event waits up to `linger` for others to share its record. It has
    failed when it could not be handed to a producer within `delivery_timeout`, or, once that was done, was not
    acknowledged within as long again. A producer without a word for twice as long is replaced.

    Raises:
        ValueError: a bound that is not positive, a batch that Kafka would refuse, or a delivery timeout below the
            request timeout.
    """

    max_pending_events: int = 50_000
    max_pending_bytes: int = 32 * 1024 * 1024
    max_batch_events: int = 500
    max_batch_bytes: int = 256 * 1024
    linger: timedelta = timedelta(milliseconds=50)
    request_timeout: timedelta = timedelta(seconds=5)
    delivery_timeout: timedelta = timedelta(seconds=30)

    def __post_init__(self) -> None:
        for field in fields(self):
            value = getattr(self, field.name)
            least = timedelta() if isinstance(value, timedelta) else 0
            if value < least or (value == least and field.name != "linger"):
                raise ValueError(f"{field.name} must be positive, not {value}")
        if self.max_batch_bytes > LARGEST_BATCH_BYTES:
            raise ValueError(f"max_batch_bytes must be at most {LARGEST_BATCH_BYTES:,}, not {self.max_batch_bytes:,}")
        if self.delivery_timeout < self.request_timeout:
            raise ValueError(
                f"delivery_timeout ({self.delivery_timeout}) must be at least request_timeout ({self.request_timeout})"
            )
