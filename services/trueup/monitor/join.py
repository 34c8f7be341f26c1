"""Predictions wait here for their truth, and truths for their prediction; repeats and corrections are told apart.

One entry for each (model_id, prediction_id), in whatever order its events come. The entries of a model that are in
memory are *hot*; all of them are saved, each under its own key, and the step asks for those that are not hot. An entry
is let go with the day from which it ages, unseen: what is older than `let_go_before` counts as never seen.

Entries, answers and truths are plain tuples of plain values, replaced where they change: there is one of each for every
event, Python's collector of garbage passes over such, and they are saved just so.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final

import msgpack

from trueup.errors import UnknownSnapshot
from trueup.monitor.outcome import RIGHT, WRONG, Outcome
from trueup.monitor.windows import DAY
from trueup.step import Kept

#: Version of the form in which an entry is saved.
FORM = 2
#: Where a day is saved, it has 16 bits: until the year 2149.
LAST_DAY = 65_535

#: (version, prediction, probability, predicted_at, segment, counted, under): what one version answered. `probability`
#: is that of the positive class; `counted` how it was judged, so that a correction takes back just that; `under` the
#: version under which it is counted, where that is not its own (None: its own).
Answer = tuple[str, Any, float | None, float, dict[str, str] | None, Any, str | None]
VERSION: Final = 0
PREDICTION: Final = 1
PROBABILITY: Final = 2
PREDICTED_AT: Final = 3
SEGMENT: Final = 4
COUNTED: Final = 5
UNDER: Final = 6
#: (actual, score, observed_at, offset, events, corrections, repeats): what turned out to be true, where the first
#: feedback lies, how often it was said.
Truth = tuple[Any, float | None, float, int, int, int, int]
ACTUAL: Final = 0
SCORE: Final = 1
OBSERVED_AT: Final = 2
OFFSET: Final = 3
EVENTS: Final = 4
CORRECTIONS: Final = 5
REPEATS: Final = 6
#: (day, came_at, first_offset, truth, answers): all that is known of one id. `day` (since 1970, UTC) is the one from
#: which it ages: of the latest prediction, else of the truth. Where the wall clock counts, `came_at` is when it came,
#: in seconds: old data that is read in waits as long as new. `first_offset` is that of the first prediction (-1: none).
Entry = tuple[int, int, int, Truth | None, tuple[Answer, ...]]
ENTRY_DAY: Final = 0
ENTRY_ANSWERS: Final = 4

_pack = msgpack.Packer().pack


def aged_from(answers: Sequence[Answer], truth: Truth | None, came_at: int) -> int:
    """The day from which an entry ages."""
    at = max([answer[PREDICTED_AT] for answer in answers]) if answers else 0.0 if truth is None else truth[OBSERVED_AT]
    return day_of(max(at, came_at))


def counted(outcome: Outcome | None) -> Any:
    """An outcome as an answer holds it: true, false, three numbers, or None where it could not be judged."""
    if outcome is RIGHT:
        return True
    if outcome is WRONG:
        return False
    return None if outcome is None else tuple(outcome)


def outcome_of(answer: Answer) -> Outcome | None:
    """The outcome that was counted for an answer."""
    held = answer[COUNTED]
    if held is None:
        return None
    if held is True or held is False:
        return RIGHT if held else WRONG
    return Outcome(*held)


class Waiting:
    """The entries of one model: the hot ones, and how many there are of each day.

    Args:
        prefix: what makes an id of this model one among those of all models: see `prefix_of`.
    """

    __slots__ = (
        "_keys",
        "_prefix",
        "_prefix_hashed",
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
        #: The hash of the prefix, from which those of keys go on; made when the first key is asked for.
        self._prefix_hashed: Any = None
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
        """The key of this id's entry: the hash of prefix and id, 16 bytes."""
        hashed = self._begun().copy()
        hashed.update(prediction_id.encode())
        digest: bytes = hashed.digest()
        return digest

    def _begun(self) -> Any:
        if self._prefix_hashed is None:
            self._prefix_hashed = blake2b(self._prefix.encode(), digest_size=16)
        return self._prefix_hashed

    def recall(self, prediction_id: str, found: Mapping[bytes, bytes]) -> Entry | None:
        """An entry that is not hot, of what was found; None where it was never seen, or was let go."""
        key = self._keys.pop(prediction_id, None) or self.key(prediction_id)
        raw = found.get(key)
        if raw is None:
            return None
        entry = decode(raw)
        if entry[ENTRY_DAY] < self.let_go_before:
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

    def put(self, prediction_id: str, entry: Entry) -> None:
        """Hold an entry, new or changed."""
        self.hot[prediction_id] = self.changed[prediction_id] = entry

    def move(self, before: int, day: int) -> None:
        """An entry ages from another day than before; at once let go where that one is."""
        left = self.by_day[before] - 1
        if left:
            self.by_day[before] = left
        else:
            del self.by_day[before]
            self.days_changed = True
        self.total -= 1
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

    def changes(self, shelf: int) -> dict[bytes, Kept]:
        """Key -> what to keep, of the entries that are to be saved."""
        begun, make, kept = self._begun().copy, tuple.__new__, dict[bytes, Kept]()
        for prediction_id, entry in self.changed.items():
            # `key` and `encode`, without a call for each of hundreds of thousands.
            hashed = begun()
            hashed.update(prediction_id.encode())
            kept[hashed.digest()] = make(Kept, (shelf, entry[ENTRY_DAY], _pack((FORM, entry))))
        return kept


def prefix_of(model_id: str) -> str:
    """What is put before a prediction_id, so that no two pairs of ids read the same."""
    return f"{len(model_id)}:{model_id}"


def day_of(at: float) -> int:
    """The day (since 1970, UTC) of a time."""
    return min(int(at // DAY), LAST_DAY) if at > 0 else 0


def encode(entry: Entry) -> bytes:
    """The bytes of an entry."""
    packed: bytes = _pack((FORM, entry))
    return packed


def decode(raw: bytes) -> Entry:
    """The entry again.

    Raises:
        UnknownSnapshot: saved in a form that this code does not read.
    """
    form, (day, came_at, first_offset, truth, answers) = msgpack.unpackb(raw)
    if form != FORM:
        raise UnknownSnapshot(
            f"a prediction that waits for its truth is saved in form {form}, this code reads [{FORM}]: "
            "run the version of trueup that wrote it, or a later one"
        )
    return day, came_at, first_offset, truth and tuple(truth), tuple([_answer(*answer) for answer in answers])


def _answer(version: str, prediction: Any, probability: Any, at: float, segment: Any, held: Any, under: Any) -> Answer:
    return version, prediction, probability, at, segment, tuple(held) if type(held) is list else held, under
