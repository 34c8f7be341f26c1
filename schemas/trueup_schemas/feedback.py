"""Topic `feedback`: what turned out to be true. In, keyed by model_id."""

from __future__ import annotations

from typing import NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from trueup_schemas.values import Id, Label, Name, Seconds, UnitInterval


@with_config(ConfigDict(extra="ignore"))
class Feedback(TypedDict):
    """The truth about one prediction of every version that answered it: `actual`, or `score` for a judged answer.

    `observed_at` defaults to the record's timestamp. A later feedback for the same prediction is a correction.
    """

    prediction_id: Id
    model_id: Name
    actual: NotRequired[Label | None]
    score: NotRequired[UnitInterval | None]
    observed_at: NotRequired[Seconds | None]
    source: NotRequired[Name | None]
