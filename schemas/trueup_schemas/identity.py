"""Ids that follow from what they are about (UUID version 5), so that the same thing twice can be told."""

from __future__ import annotations

from uuid import UUID, uuid5

#: The name space of all ids that Trueup makes.
NAMESPACE = UUID("6f1e0c0e-6d0b-5c1e-9d5b-7472756575f0")


def stable_id(kind: str, *about: str | int | float) -> str:
    """The id of what `kind` and `about` name. Parts are joined by a unit separator, so none runs into the next."""
    return str(uuid5(NAMESPACE, "\x1f".join((kind, *map(str, about)))))
