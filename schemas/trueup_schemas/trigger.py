"""Topic `triggers`: what a pipeline is to do. Out, keyed by model_id; published only once it may be acted on."""

from __future__ import annotations

from typing import Any, Literal

from pydantic import BaseModel, ConfigDict

from trueup_schemas.values import Id, Moment, Name

Action = Literal["retrain", "rollback", "promote"]


class Dataset(BaseModel):
    """The data to train on: exactly these records, and of them this event-time range.

    `topics` maps topic (its full name) -> partition -> `[from_offset, to_offset)`. `labelled` counts the predictions
    in these records whose truth was first observed in `[from_time, to_time)`.
    """

    model_config = ConfigDict(frozen=True, extra="ignore")

    topics: dict[str, dict[str, tuple[int, int]]]
    from_time: Moment
    to_time: Moment
    labelled: int


class Trigger(BaseModel):
    """One request to a pipeline, the same bytes however often it is published."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    trigger_id: Id
    #: A word that this reader does not know yet is passed on.
    action: Action | Name
    model_id: Name
    #: The version that the request is about, and the one to go to (rollback, promote).
    model_version: Name
    target_version: Name | None = None
    alert_id: Id | None = None
    #: `code` is one of `trueup_schemas.reason.Reason`; the rest are the figures behind it.
    reason: dict[str, Any]
    dataset: Dataset | None = None
    traffic: float | None = None
    requested_at: Moment
    deadline_at: Moment
