"""Names of the sections that the monitor's state is saved in: unambiguous whatever the ids contain."""

from __future__ import annotations

PARTITION = "partition"
#: A hundred models in the order in which they appeared: `registry`.
MODELS = "models"
MODEL = "model"
#: The hours of a model's training index, but for the latest.
TRAINING = "training"
VERSION = "version"
#: The five minutes of a version's rolling windows, but for the latest.
WINDOWS = "windows"
SEGMENT = "segment"
#: What is known of a version's features; and the window of them that is open.
COLUMNS = "columns"
FEATURES = "features"
#: What a version's segments had in the hours and days that are over, and what is held against them.
SEGMENT_WATCH = "segment_watch"
COHORTS = "cohorts"
#: How many predictions of which day have their truth, and how many usually have.
LABELS = "labels"
LABEL_COVERAGE = "label-coverage"
#: What the days of a model's segments are held against, and what of its traffic moved.
TRAFFIC = "traffic"
#: The counts that metrics come from: the open hour, the other hours, the days.
SCORECARDS = "scorecards"
#: What is expected of a version's scores: a day each, and what was learned.
ESTIMATED = "estimated"
#: Only in form 1, where every entry of the join was a section.
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
