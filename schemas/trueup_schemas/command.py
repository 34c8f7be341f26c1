"""Topic `commands`: what a person asks for. In, keyed by model_id; one for the whole fleet goes to every partition."""

from __future__ import annotations

from typing import Literal, NotRequired

from pydantic import ConfigDict, with_config
from typing_extensions import TypedDict

from trueup_schemas.values import Id, Name, Seconds, Text

CommandName = Literal["acknowledge", "comment", "silence", "end_silence", "approve", "reject", "rebaseline"]


@with_config(ConfigDict(extra="ignore"))
class Command(TypedDict):
    """One request of one person. `subject` is the alert, trigger or silence that it is about."""

    command_id: Id
    command: CommandName
    author: Name
    model_id: NotRequired[Name | None]
    subject: NotRequired[Id | None]
    comment: NotRequired[Text | None]
    matchers: NotRequired[dict[Name, Name] | None]
    until: NotRequired[Seconds | None]
    issued_at: NotRequired[Seconds | None]
