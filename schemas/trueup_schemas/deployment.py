"""Topic `deployments`: which version of a model plays which role. In, keyed by model_id."""

from __future__ import annotations

from typing import Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from trueup_schemas.values import Id, Name, Seconds, Text, UnitInterval

Role = Literal["champion", "challenger", "shadow", "retired"]


@with_config(ConfigDict(extra="ignore"))
class Deployment(TypedDict):
    """A version takes a role. `deployed_at` defaults to the record's timestamp; `traffic` is its share of calls."""

    model_id: Name
    model_version: Name
    role: Role
    deployed_at: NotRequired[Seconds | None]
    traffic: NotRequired[UnitInterval | None]
    trigger_id: NotRequired[Id | None]
    reference: NotRequired[Text | None]
