"""What is said where Kafka knows who we are, and does not let us do something."""

from __future__ import annotations

from collections.abc import Mapping

from trueup.errors import InvalidSettings

#: Kafka's codes, which all its clients carry in `errno`, and what is protected.
_PROTECTED: Mapping[int, str] = {29: "a topic", 30: "a consumer group", 31: "the cluster", 53: "a transaction"}


def missing_right(error: object, doing: str) -> InvalidSettings | None:
    """One sentence where the error is about rights; None where it is about anything else.

    Args:
        error: of kafka-python or aiokafka.
        doing: what was tried, to follow "to".
    """
    protected = _PROTECTED.get(getattr(error, "errno", None) or 0)
    if protected is None:
        return None
    said = getattr(error, "args", ())
    named = f" ({', '.join(map(str, said))})" if said else ""
    return InvalidSettings(
        f"Kafka does not let us {doing}: a right to {protected} is missing{named}; docs/security.md lists the rights"
    )
