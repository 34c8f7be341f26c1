"""A fall of accuracy, planted on purpose: would it have been found, and when?

Of the answers that were right, as many as the fall asks for are made wrong by another truth, chosen by a hash of the
prediction's id: the same history and the same words plant the same fall. Answer, score and features stay as they are,
so that nothing but the truth can show it: the world has changed, and the model does not know.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from math import inf
from typing import Any, NamedTuple

from trueup.errors import InvalidSettings
from trueup_schemas.values import to_seconds

_WORDS = re.compile(
    r"accuracy\s+-(?P<size>[0-9.]+)(\s+of\s+(?P<model>\S+))?\s+from\s+(?P<begin>\S+)(\s+to\s+(?P<end>\S+))?"
)
_HASHES = float(2**64)


def moment(text: str) -> float:
    """Seconds since 1970 of a day (its beginning, UTC) or an RFC 3339 time with an offset.

    Raises:
        InvalidSettings: it is neither.
    """
    try:
        return to_seconds(f"{text}T00:00:00Z" if re.fullmatch(r"\d{4}-\d\d-\d\d", text) else text)
    except ValueError as error:
        raise InvalidSettings(f"{text!r} is no time: {error}; or write a day, such as 2013-06-01") from error


@dataclass(frozen=True, slots=True)
class Fall:
    """What is planted: `size` of accuracy (0.02: two points) is lost by predictions made in `[begin, end)`."""

    size: float
    begin: float
    end: float = inf
    #: None: of every model.
    model_id: str | None = None

    def concerns(self, model_id: str, predicted_at: float) -> bool:
        """Whether it is about this prediction."""
        return self.begin <= predicted_at < self.end and self.model_id in (None, model_id)


def parse(words: str) -> Fall:
    """`accuracy -0.02 [of MODEL] from DAY [to DAY]`.

    Raises:
        InvalidSettings: these words say something else.
    """
    said = _WORDS.fullmatch(words.strip())
    if said is None:
        raise InvalidSettings(
            f"--inject {words!r} is not understood: write 'accuracy -0.02 from 2013-06-01', if need be with "
            "'of MODEL' before 'from' and 'to DAY' at the end"
        )
    try:
        size = float(said["size"])
    except ValueError:
        size = 0.0
    if not 0.0 < size < 1.0:
        raise InvalidSettings(f"--inject {words!r}: accuracy falls by more than 0 and less than 1 (0.02: two points)")
    end = inf if said["end"] is None else moment(said["end"])
    fall = Fall(size, moment(said["begin"]), end, said["model"])
    if fall.begin >= fall.end:
        raise InvalidSettings(f"--inject {words!r}: it ends before it begins")
    return fall


class Answered(NamedTuple):
    """A prediction whose truth is known."""

    #: How the caller knows it again.
    row: int
    model_id: str
    prediction_id: str
    prediction: Any
    actual: Any


#: The share of the truth within which a number is right (model -> share); None where the model answers with labels.
Tolerance = Callable[[str], float | None]


def plant(fall: Fall, answered: Iterable[Answered], tolerance: Tolerance) -> dict[int, Any]:
    """Row -> the truth that it gets instead, for the rows that the fall makes wrong.

    `answered` are those that the fall concerns. Of each model a right answer becomes wrong with probability
    size / accuracy, so that accuracy falls by `size` in expectation.

    Raises:
        InvalidSettings: no answer is concerned, or a model is not right often enough to fall so far.
    """
    by_model: dict[str, list[Answered]] = {}
    for each in answered:
        by_model.setdefault(each.model_id, []).append(each)
    if not by_model:
        raise InvalidSettings("--inject concerns no prediction whose truth is known: look at its model and its days")
    planted: dict[int, Any] = {}
    for model_id, rows in by_model.items():
        planted.update(_plant_one(fall, model_id, rows, tolerance(model_id)))
    return planted


def _plant_one(fall: Fall, model_id: str, rows: Sequence[Answered], tolerance: float | None) -> dict[int, Any]:
    right = [each for each in rows if _is_right(each, tolerance)]
    accuracy = len(right) / len(rows)
    if fall.size > accuracy:
        raise InvalidSettings(
            f"--inject: {model_id} is right in {accuracy:.1%} of {len(rows)} predictions, and cannot fall by "
            f"{fall.size:.1%}; a model that answers with numbers needs monitor.models.{model_id}.tolerance"
        )
    labels = sorted({label for each in rows for label in (each.prediction, each.actual)}, key=str)
    chance = fall.size / accuracy
    return {
        each.row: _other_truth(each, labels, tolerance)
        for each in right
        if _hash(each.model_id, each.prediction_id) / _HASHES < chance
    }


def _is_right(each: Answered, tolerance: float | None) -> bool:
    if tolerance is None:
        return bool(each.prediction == each.actual)
    return bool(abs(each.prediction - each.actual) <= tolerance * abs(each.actual))


def _other_truth(each: Answered, labels: Sequence[Any], tolerance: float | None) -> Any:
    """One that makes the answer wrong: for a number, half as far off again as is allowed."""
    if tolerance is not None:
        return each.prediction / (1.0 + 1.5 * tolerance) if each.prediction else 1.0
    others = [label for label in labels if label != each.actual]
    if not others:
        raise InvalidSettings(f"--inject: {each.model_id} knows one label, {each.actual!r}: there is no wrong one")
    return others[_hash(each.model_id, each.prediction_id, "label") % len(others)]


def _hash(*parts: str) -> int:
    """64 bits that depend on nothing but these."""
    return int.from_bytes(blake2b("\0".join(parts).encode(), digest_size=8).digest(), "big")
