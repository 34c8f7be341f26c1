"""What an action asks for, before policy has had its say."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

SignalData = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Request:
    """The parts of a trigger that depend on the action."""

    model_version: str
    target_version: str | None = None
    reason: dict[str, Any] = field(default_factory=dict)
    dataset: Mapping[str, Any] | None = None
