"""Predictions wait here for their truth, and truths for their prediction; repeats and corrections are told apart.

One entry for each (model_id, prediction_id), in whatever order its events come. The entries of a model that are in
memory are *hot*; all of them are saved, each under its own key, and the step asks for those that are not hot. An entry
is let go with the day from which it ages, unseen: what is older than `let_go_before` counts as never seen.

Answers and truths are lists, not classes: there is one of each for every event, and they are saved just so.
"""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b
from typing import Any

import msgpack

from trueup.errors import UnknownSnapshot
from trueup.monitor.windows import DAY
from trueup.step import Kept

#: Version of the form in which an entry is saved.
FORM = 2
#: Where a day is saved, it has 16 bits: until the year 2149.
LAST_DAY = 65_535

#: [version, prediction, probability, predicted_at, segment, outcome, under]: what one version answered. `probability`
#: is that of the positive class; `outcome` the one that was counted, so that a correction takes back just that;
#: `under` the version under which it is counted, where that is not its own (None: its own).
Answer = list[Any]
VERSION, PREDICTION, PROBABILITY, PREDICTED_AT, SEGMENT, OUTCOME, UNDER = range(7)
#: [actual, score, observed_at, offset, events, corrections, repeats]: what turned out to be true, how often it was
#: said, and where the first feedback lies.
Truth = list[Any]
ACTUAL, SCORE, OBSERVED_AT, OFFSET, EVENTS, CORRECTIONS, REPEATS = range(7)

_pack = msgpack.Packer().pack


class Entry:
    """All that is known of one prediction id. The first answer of a version counts, the last truth does."""

    __slots__ = ("answers", "came_at", "day", "first_offset", "saved", "truth")

    def __init__(
        self, answers: list[Answer], truth: Truth | None, day: int, first_offset: int = -1, came_at: int = 0
    ) -> None:
        self.answers = answers
        self.truth = truth
        #: The day (since 1970, UTC) from which it ages: of the latest prediction, else of the truth.
        self.day = day
        #: Offset of the first prediction (-1: none yet).
        self.first_offset = first_offset
        #: Where the wall clock counts: when it came, in seconds. Old data that is read in waits as long as new.
        self.came_at = came_at
        #: The save that wrote it last.
        self.saved = 0

    def aged_from(self) -> int:
        """The day anew, after an answer was added or it came again."""
        at = max([answer[PREDICTED_AT] for answer in self.answers]) if self.answers else 0.0
        if not self.answers and self.truth is not None:
            at = self.truth[OBSERVED_AT]
        return day_of(max(at, self.came_at))


class Waiting:
    """The entries of one model: the hot ones, and how many there are of each day.

    Args:
        prefix: what makes an id of this model one among those of all models: see `prefix_of`.
    """

    __slots__ = (
        "_keys",
        "_prefix",
        "by_day",
        "changed",
        "complete",
        "counted",
        "days_changed",
        "hot",
        "let_go_before",
        "total",
    )

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._keys: dict[str, bytes] = {}
        self.hot: dict[str, Entry] = {}
        #: Those to be saved.
        self.changed: dict[str, Entry] = {}
        #: Whether every entry is hot: what is not hot was never seen.
        self.complete = True
        #: How many of the hot ones the hot set has counted.
        self.counted = 0
        #: Day -> entries that age from it, of the days that were not let go.
        self.by_day: dict[int, int] = {}
        self.total = 0
        #: Whether there are other days than when this was last set to False.
        self.days_changed = False
        self.let_go_before = 0

    def missing(self, prediction_id: str) -> bytes:
        """The key of an entry that is not hot, to ask for it."""
        key = self._keys[prediction_id] = self.key(prediction_id)
        return key

    def key(self, prediction_id: str) -> bytes:
        """The key of this id's entry: 16 bytes."""
        return blake2b((self._prefix + prediction_id).encode(), digest_size=16).digest()

    def recall(self, prediction_id: str, found: Mapping[bytes, bytes]) -> Entry | None:
        """An entry that is not hot, of what was found; None where it was never seen, or was let go."""
        key = self._keys.pop(prediction_id, None) or self.key(prediction_id)
        raw = found.get(key)
        if raw is None:
            return None
        entry = decode(raw)
        if entry.day < self.let_go_before:
            return None
        self.hot[prediction_id] = entry
        return entry

    def forget_keys(self) -> None:
        """The input is taken."""
        self._keys.clear()

    @property
    def first_day(self) -> int | None:
        """The earliest day from which an entry ages, None where there is no entry."""
        return min(self.by_day, default=None)

    def file(self, day: int) -> None:
        """One entry more ages from this day."""
        self.total += 1
        if day in self.by_day:
            self.by_day[day] += 1
        else:
            self.by_day[day] = 1
            self.days_changed = True

    def move(self, entry: Entry, day: int) -> None:
        """The entry ages from another day from now on; at once let go where that one is."""
        left = self.by_day[entry.day] - 1
        if left:
            self.by_day[entry.day] = left
        else:
            del self.by_day[entry.day]
            self.days_changed = True
        self.total -= 1
        entry.day = day
        if day >= self.let_go_before:
            self.file(day)

    def let_go(self, before_day: int) -> int:
        """Forget all entries whose day is before this one; how many there were."""
        self.let_go_before = max(self.let_go_before, before_day)
        days = [day for day in self.by_day if day < before_day]
        gone = sum([self.by_day.pop(day) for day in days])
        self.total -= gone
        self.days_changed = self.days_changed or bool(days)
        return gone

    def changes(self, shelf: int, number: int) -> dict[bytes, Kept]:
        """Key -> what to keep, of the entries that changed since the last call; they are marked with this save."""
        kept: dict[bytes, Kept] = {}
        for prediction_id, entry in self.changed.items():
            entry.saved = number
            kept[self.key(prediction_id)] = Kept(shelf, entry.day, encode(entry))
        return kept


def prefix_of(model_id: str) -> str:
    """What is put before a prediction_id, so that no two pairs of ids read the same."""
    return f"{len(model_id)}:{model_id}"


def day_of(at: float) -> int:
    """The day (since 1970, UTC) of a time."""
    return min(int(at // DAY), LAST_DAY) if at > 0 else 0


def encode(entry: Entry) -> bytes:
    """The bytes of an entry."""
    packed: bytes = _pack([FORM, entry.day, entry.came_at, entry.first_offset, entry.truth, entry.answers])
    return packed


def decode(raw: bytes) -> Entry:
    """The entry again.

    Raises:
        UnknownSnapshot: saved in a form that this code does not read.
    """
    form, *data = msgpack.unpackb(raw)
    if form != FORM:
        raise UnknownSnapshot(
            f"a prediction that waits for its truth is saved in form {form}, this code reads [{FORM}]: "
            "run the version of trueup that wrote it, or a later one"
        )
    day, came_at, first_offset, truth, answers = data
    return Entry(answers, truth, day, first_offset, came_at)
