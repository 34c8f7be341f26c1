"""Sources of tokens for `token_provider`."""

from __future__ import annotations

from itertools import count

_numbers = count(1)
NO_FUNCTION = "s3cret"


def fresh() -> str:
    """Another one at each call."""
    return f"token-{next(_numbers)}"


def fails() -> str:
    raise ValueError("s3cret")


def nothing() -> None:
    return None
