"""Names of the sections that the monitor's state is saved in: unambiguous whatever the ids contain."""

from __future__ import annotations

PARTITION = "partition"
MODEL = "model"
VERSION = "version"
COHORTS = "cohorts"
WAITING = "join"


def name(kind: str, *parts: str) -> str:
    """One name; every part led by its length, so that no two lists of parts give the same name."""
    return kind + "".join([f"/{len(part)}:{part}" for part in parts])


def parse(text: str) -> tuple[str, list[str]]:
    """Kind and parts of a name.

    >>> parse(name("model", "a/1:b", ""))
    ('model', ['a/1:b', ''])
    """
    kind, slash, rest = text.partition("/")
    parts = []
    while slash:
        size, _, rest = rest.partition(":")
        parts.append(rest[: int(size)])
        slash, rest = rest[int(size) : int(size) + 1], rest[int(size) + 1 :]
    return kind, parts
