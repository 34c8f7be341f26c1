"""CloudEvents 1.0 in Kafka's binary mode: the attributes of an output as `ce_*` headers, its data as the value."""

from __future__ import annotations

SPEC_VERSION = "1.0"


def headers(*, event_id: str, event_type: str, source: str, time: str) -> list[tuple[str, bytes]]:
    """The headers of one output.

    Args:
        event_id: deterministic; a consumer that sees it twice can tell.
        event_type: such as `alert.v1`; written as `org.trueup.alert.v1`.
        source: the worker and partition, as a URI reference such as `/trueup/alerter/3`.
        time: RFC 3339, the event's own time.
    """
    attributes = {
        "ce_specversion": SPEC_VERSION,
        "ce_id": event_id,
        "ce_type": f"org.trueup.{event_type}",
        "ce_source": source,
        "ce_time": time,
        "content-type": "application/json",
    }
    return [(name, value.encode()) for name, value in attributes.items()]
