"""Predictions wait here for their truth, and truths for their prediction; repeats and corrections are told apart.

One entry for each (model_id, prediction_id), in whatever order its events come:

    answers   version -> [prediction, score, predicted_at, segment, counted]      the first one counts, others repeat it
    truth     [actual, score, observed_at, offset, events, corrections, repeats]  the last one counts

An entry is held as the very bytes that are saved. It is let go `horizon` after its day, and counted.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

import msgpack

from trueup.errors import UnknownSnapshot
from trueup.monitor import sections
from trueup.monitor.windows import DAY

Label = bool | int | float | str
#: Version of the form in which an entry is saved.
FORM = 1


class Answer(NamedTuple):
    """What one version answered. `probability` is that of the positive class, where the app gave one."""

    prediction: Label | None
    probability: float | None
    predicted_at: float
    segment: dict[str, str] | None
    #: The outcome that was counted for it (correct, error, loss), so that a correction takes back just that.
    counted: tuple[bool | None, float, float] | None = None


class Truth(NamedTuple):
    """What turned out to be true, and how often it was said."""

    actual: Label | None
    score: float | None
    observed_at: float
    #: Where the first feedback lies.
    offset: int
    events: int = 1
    corrections: int = 0
    repeats: int = 0

    def same_as(self, other: Truth) -> bool:
        """Whether both say the same; 1 and True are different words for a label, and the same truth."""
        return self.actual == other.actual and self.score == other.score


class Entry:
    """All that is known of one prediction id."""

    __slots__ = ("answers", "came_at", "first_offset", "truth")

    def __init__(
        self, answers: dict[str, Answer], truth: Truth | None, first_offset: int = -1, came_at: int = 0
    ) -> None:
        self.answers = answers
        self.truth = truth
        #: Offset of the first prediction (-1: none yet).
        self.first_offset = first_offset
        #: Where the wall clock counts: when it came, in seconds. Old data that is read in waits as long as new.
        self.came_at = came_at

    @property
    def day(self) -> int:
        """The day (since 1970, UTC) from which the entry ages: of the latest prediction, else of the truth."""
        if self.answers:
            at = max(answer.predicted_at for answer in self.answers.values())
        else:
            assert self.truth is not None
            at = self.truth.observed_at
        return int(max(at, self.came_at) // DAY)


class Waiting:
    """All entries of a partition. Reading one decodes it; `put` encodes it again."""

    def __init__(self) -> None:
        self._entries: dict[str, bytes] = {}
        self._days: dict[int, set[str]] = {}
        self._changed: set[str] = set()

    def __len__(self) -> int:
        return len(self._entries)

    def get(self, model_id: str, prediction_id: str) -> Entry | None:
        """The entry of this id, or None."""
        raw = self._entries.get(sections.name(sections.WAITING, model_id, prediction_id))
        return None if raw is None else _decode(raw)

    def put(self, model_id: str, prediction_id: str, entry: Entry) -> None:
        """Keep the entry, new or changed."""
        key = sections.name(sections.WAITING, model_id, prediction_id)
        self._entries[key] = _encode(entry)
        self._changed.add(key)
        day = entry.day
        keys = self._days.get(day)
        if keys is None:
            keys = self._days[day] = set()
        keys.add(key)

    def let_go(self, before_day: int, *, most: int) -> Iterator[tuple[str, Entry]]:
        """Forget the entries whose day is before `before_day`, giving each with its model_id, in a fixed order.

        At most `most` of them, the oldest first; the others are for the next call.
        """
        for day in sorted(day for day in self._days if day < before_day):
            keys = sorted(self._days.pop(day))
            if len(keys) > most:
                self._days[day] = set(keys[most:])
            for key in keys[:most]:
                raw = self._entries.get(key)
                if raw is None:
                    continue
                entry = _decode(raw)
                if entry.day != day:
                    continue  # it became younger since it was filed under this day, and is filed there too
                del self._entries[key]
                self._changed.add(key)
                yield sections.parse(key)[1][0], entry
            most -= len(keys)
            if most <= 0:
                return

    def changes(self) -> dict[str, bytes | None]:
        """Section -> bytes (None: gone), for the entries that changed since the last call."""
        changed, self._changed = self._changed, set()
        return {key: self._entries.get(key) for key in changed}

    def restore(self, key: str, raw: bytes) -> None:
        """Take back one section."""
        self._entries[key] = raw
        self._days.setdefault(_decode(raw).day, set()).add(key)


def _encode(entry: Entry) -> bytes:
    packed: bytes = msgpack.packb([FORM, entry.answers, entry.truth, entry.first_offset, entry.came_at])
    return packed


def _decode(raw: bytes) -> Entry:
    form, *data = msgpack.unpackb(raw)
    if form != FORM:
        raise UnknownSnapshot(f"a prediction that waits for its truth is saved in form {form}, this code reads {FORM}")
    answers, truth, first_offset, came_at = data
    known: dict[str, Any] = answers
    return Entry(
        {version: Answer(*values) for version, values in known.items()},
        None if truth is None else Truth(*truth),
        first_offset,
        came_at,
    )
