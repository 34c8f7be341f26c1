"""What is said where Kafka knows who we are, and does not let us do something.

The clients try for a long time where a right is missing, or fail deep inside. So rights are looked at before anything
is begun: Kafka tells with each topic what we may do with it.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping
from typing import Any, Literal

from kafka.admin import KafkaAdminClient
from kafka.errors import GroupAuthorizationFailedError, KafkaError

from trueup.connections.kafka_python import kafka_python_arguments
from trueup.connections.kafka_security import KafkaSecurity
from trueup.errors import InvalidSettings

Right = Literal["read", "write", "describe"]

#: Kafka's codes, which all its clients carry in `errno`, and what is protected.
_PROTECTED: Mapping[int, str] = {29: "a topic", 30: "a consumer group", 31: "the cluster", 53: "a transaction"}
_NO_RIGHT_TO_TOPIC = 29
_BOOTSTRAP_TIMEOUT_MS = 10_000


def missing_right(error: object, doing: str) -> InvalidSettings | None:
    """One sentence where the error is about rights; None where it is about anything else.

    Args:
        error: of kafka-python or aiokafka.
        doing: what was tried, to follow "let us".
    """
    protected = _PROTECTED.get(getattr(error, "errno", None) or 0)
    if protected is None:
        return None
    named = ", ".join(map(str, getattr(error, "args", ())))
    return InvalidSettings(
        f"Kafka does not let us {doing}: a right to {protected} is missing{f' ({named})' if named else ''}; "
        "docs/security.md lists the rights"
    )


def refuse_missing_rights(
    bootstrap: str, security: KafkaSecurity, topics: Mapping[str, Collection[Right]], *, group: str | None = None
) -> None:
    """Look whether we may do with topics what is needed, and take part in a group. Where nobody is asked who they are,
    nothing is looked at.

    Raises:
        InvalidSettings: naming every right that is missing.
    """
    if security.protocol == "PLAINTEXT":
        return
    try:
        admin = KafkaAdminClient(
            bootstrap_servers=bootstrap.split(","),
            bootstrap_timeout_ms=_BOOTSTRAP_TIMEOUT_MS,
            **kafka_python_arguments(security),
        )
    except KafkaError:
        return  # Nobody is there: whoever connects next says so.
    try:
        missing = [*_missing_of_topics(admin.describe_topics(list(topics)), topics), *_missing_of_group(admin, group)]
    finally:
        admin.close()
    if missing:
        raise InvalidSettings(f"Kafka does not let us {', '.join(missing)}; docs/security.md lists the rights")


def _missing_of_topics(found: Iterable[Mapping[str, Any]], topics: Mapping[str, Collection[Right]]) -> list[str]:
    """A topic that is missing is told by whoever needs it."""
    missing = []
    for topic in found:
        # Who sees a topic may describe it: a broker that tells nothing is one too old to tell.
        may, hidden = topic.get("authorized_operations"), topic["error_code"] == _NO_RIGHT_TO_TOPIC
        missing += [
            f"{right} {topic['name']}"
            for right in topics[topic["name"]]
            if hidden or (may and right.upper() not in may)
        ]
    return sorted(missing)


def _missing_of_group(admin: KafkaAdminClient, group: str | None) -> list[str]:
    """Who may read a group may describe it. A group that nobody is in yet is an error that says nothing of rights."""
    try:
        if group is not None:
            admin.describe_groups([group])
    except GroupAuthorizationFailedError:
        return [f"read with group {group}"]
    except KafkaError:
        return []
    return []
