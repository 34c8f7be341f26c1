"""One trigger in the hands of a pipeline: what is asked, and the ways to say what came of it."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Literal, Protocol

UpdateStatus = Literal["accepted", "running", "succeeded", "failed", "rejected"]
FINAL: frozenset[str] = frozenset({"succeeded", "failed", "rejected"})
#: Somebody will do it, or is at it.
TAKEN_UP: frozenset[str] = frozenset({"accepted", "running"})


class UpdateNotDelivered(Exception):
    """Kafka did not acknowledge an update. The trigger is as open as before: report again, or get it again later."""


class AlreadyFinished(Exception):
    """A trigger that succeeded, failed or was rejected takes no further update."""


class Report(Protocol):
    def __call__(
        self, trigger: ReceivedTrigger, status: UpdateStatus, *, model_version: str | None, detail: str | None
    ) -> None: ...


@dataclass(frozen=True, slots=True, kw_only=True)
class ReceivedTrigger:
    """A request to retrain, roll back or promote. `action` may be one that this version does not know.

    `raw` is everything that was sent; the other fields are None where `raw` has nothing usable for them. `dataset`
    says which records to train on, `target_version` which version to go to.

    The five methods publish an update and return once Kafka has it. `succeeded`, `failed` and `reject` are final.

    Raises:
        UpdateNotDelivered: by the methods, when Kafka did not acknowledge in time.
        AlreadyFinished: by the methods, after a final one.
    """

    id: str
    action: str
    model_id: str
    raw: Mapping[str, Any] = field(repr=False)
    model_version: str | None = None
    target_version: str | None = None
    alert_id: str | None = None
    reason: Mapping[str, Any] = field(default_factory=dict)
    dataset: Mapping[str, Any] | None = field(default=None, repr=False)
    traffic: float | None = None
    requested_at: datetime | None = None
    deadline_at: datetime | None = None
    _report: Report = field(repr=False, compare=False)

    def accept(self, detail: str | None = None) -> None:
        """The pipeline will do it."""
        self._report(self, "accepted", model_version=None, detail=detail)

    def running(self, detail: str | None = None) -> None:
        """The pipeline is at it. May be said as often as there is something to say."""
        self._report(self, "running", model_version=None, detail=detail)

    def succeeded(self, model_version: str | None = None, detail: str | None = None) -> None:
        """It is done; `model_version` is the version that came of it."""
        self._report(self, "succeeded", model_version=model_version, detail=detail)

    def failed(self, detail: str) -> None:
        """It was tried and did not work out."""
        self._report(self, "failed", model_version=None, detail=detail)

    def reject(self, detail: str) -> None:
        """The pipeline will not do it."""
        self._report(self, "rejected", model_version=None, detail=detail)


def too_late(trigger: ReceivedTrigger, *, published_at: datetime | None, now: datetime) -> bool:
    """Whether the time to accept the trigger was up before `now`.

    A deadline counts by the stream's clock. Only one that lies after the publication of the trigger can be meant by
    the wall clock: a replay of old data asks for something now, with a deadline years ago, and that is not too late.
    """
    deadline = trigger.deadline_at
    return deadline is not None and published_at is not None and published_at < deadline < now


def parse_trigger(value: bytes | None, report: Report) -> ReceivedTrigger:
    """A record of topic `triggers`, read leniently: unknown fields and values are passed through.

    Raises:
        ValueError: no JSON object with the texts trigger_id, action and model_id.
    """
    try:
        raw = json.loads(value or b"null")
    except RecursionError:
        raise ValueError("a trigger is not nested that deeply") from None
    if not isinstance(raw, dict):
        raise ValueError(f"a trigger is a JSON object, not {type(raw).__name__}")
    for name in ("trigger_id", "action", "model_id"):
        if not _text(raw.get(name)):
            raise ValueError(f"a trigger needs the text {name}")
    return ReceivedTrigger(
        id=raw["trigger_id"],
        action=raw["action"],
        model_id=raw["model_id"],
        model_version=_text(raw.get("model_version")),
        target_version=_text(raw.get("target_version")),
        alert_id=_text(raw.get("alert_id")),
        reason=_object(raw.get("reason")) or {},
        dataset=_object(raw.get("dataset")),
        traffic=_number(raw.get("traffic")),
        requested_at=_moment(raw.get("requested_at")),
        deadline_at=_moment(raw.get("deadline_at")),
        raw=raw,
        _report=report,
    )


def _text(value: object) -> str | None:
    return value if isinstance(value, str) and value else None


def _object(value: object) -> dict[str, Any] | None:
    return value if isinstance(value, dict) else None


def _number(value: object) -> float | None:
    return value if isinstance(value, int | float) and not isinstance(value, bool) else None


def _moment(value: object) -> datetime | None:
    """An aware UTC datetime from RFC 3339 with an offset or from seconds since 1970."""
    try:
        seconds = _number(value)
        if seconds is not None:
            return datetime.fromtimestamp(seconds, UTC)
        moment = datetime.fromisoformat(value) if isinstance(value, str) else None
    except (ValueError, OverflowError, OSError):
        return None
    return moment.astimezone(UTC) if moment is not None and moment.tzinfo is not None else None
