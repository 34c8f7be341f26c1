"""Topic `trigger-updates`: what a pipeline did with a trigger. In, keyed by model_id."""

from __future__ import annotations

from typing import Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from trueup_schemas.values import Id, Name, Seconds, Text

UpdateStatus = Literal["accepted", "running", "succeeded", "failed", "rejected"]


@with_config(ConfigDict(extra="ignore"))
class TriggerUpdate(TypedDict):
    """A pipeline's word on one trigger; `succeeded`, `failed` and `rejected` are final."""

    trigger_id: Id
    model_id: Name
    status: UpdateStatus
    model_version: NotRequired[Name | None]
    detail: NotRequired[Text | None]
    updated_at: NotRequired[Seconds | None]
