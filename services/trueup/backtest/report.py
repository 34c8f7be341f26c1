"""A backtest as one object: what `trueup backtest --json` writes, and what terminal and page show."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from math import inf
from typing import Any

from trueup.backtest.changes import Change, Page, Verdict, verdicts
from trueup.backtest.story import AlertTold, Hour, Story, Told
from trueup_schemas.values import to_rfc3339

Report = dict[str, Any]

#: Of the object; it grows by one where something in it changes its meaning or goes.
FORMAT = 1
HOUR = 3_600.0
#: Points of a curve: one for each day of a year and more.
_STEP_SECONDS = 21_600.0


def make_report(story: Story, changes: Sequence[Change], *, about: Mapping[str, Any]) -> Report:
    """The whole object; `about` says what was read, how, and how much of it could not be."""
    pages = [Page(key, told.fired["model_id"], told.at) for key, told in story.alerts.items() if _pages(told)]
    judged = verdicts(pages, changes)
    alerts = [_alert(told, judged.get(key)) for key, told in story.alerts.items()]
    alerts.sort(key=lambda alert: (alert["at"], alert["alert_id"]))
    return {
        "format": FORMAT,
        **about,
        "dead_letters": story.dead_letters,
        "pages": len(pages),
        "false_pages": sum(verdict == "false" for verdict, _ in judged.values()),
        "changes": [
            found
            for model_id, told in sorted(story.models.items())
            for found in _changes(model_id, told, [page for page in pages if page.model_id == model_id], changes)
        ],
        "alerts": alerts,
        "triggers": story.triggers,
        "models": [_model(model_id, told, pages, judged) for model_id, told in sorted(story.models.items())],
    }


def _pages(told: AlertTold) -> bool:
    return bool(told.fired["severity"] == "page")


def _alert(told: AlertTold, judged: tuple[Verdict, Change | None] | None) -> Report:
    fired, last = told.fired, told.last
    kept = ("alert_id", "model_id", "model_version", "segments", "kind", "severity", "summary", "cause", "evidence")
    return {
        "at": fired["updated_at"],
        **{key: fired[key] for key in kept},
        "resolved_at": last.get("resolved_at"),
        "verdict": None if judged is None else judged[0],
        "revisions": last["revision"],
    }


def _changes(model_id: str, told: Told, pages: Sequence[Page], changes: Sequence[Change]) -> Iterator[Report]:
    """Each known change of one model, with the first page after it and before the next one."""
    own = [change for change in changes if change.concerns(model_id)]
    for change, following in zip(own, [*own, None][1:], strict=True):
        until = inf if following is None else following.at
        found_at = min((page.at for page in pages if change.at <= page.at < until), default=None)
        yield {
            "at": to_rfc3339(change.at),
            "model_id": model_id,
            "planted": change.planted,
            "found_at": None if found_at is None else to_rfc3339(found_at),
            "delay_hours": None if found_at is None else round((found_at - change.at) / HOUR, 2),
            "delay_labels": None if found_at is None else _labels(told.hours, change.at, found_at),
        }


def _labels(hours: Sequence[Hour], begin: float, end: float) -> int:
    """Outcomes of the hours that closed in the range: to the hour."""
    return sum(hour.outcomes for hour in hours if begin < hour.at <= end + HOUR)


def _model(
    model_id: str, told: Told, pages: Sequence[Page], judged: Mapping[str, tuple[Verdict, Change | None]]
) -> Report:
    own = [page for page in pages if page.model_id == model_id]
    informed = Counter(_informs(signal) for signal in told.informed)
    view = told.view
    counts = {key: view.get(key, 0) for key in ("predictions", "feedback", "joined", "correct", "orphans")}
    return {
        "model_id": model_id,
        "task": view.get("task"),
        **counts,
        "false_pages_per_month": view.get("false_pages_per_month"),
        "pages": len(own),
        "false_pages": sum(judged[page.alert_id][0] == "false" for page in own),
        "informed": dict(sorted(informed.items())),
        "curve": _curve(told.hours),
        "informed_at": [[signal["at"], _informs(signal)] for signal in told.informed],
    }


def _informs(signal: Mapping[str, Any]) -> str:
    """What noticed what, in two or three words."""
    kind = str(signal["type"])
    said = {
        "change_detected": ("detector", "stream", "direction"),
        "versions_compared": ("verdict",),
        "blind": ("missing",),
        "data_fault": ("fault", "feature"),
    }.get(kind, ())
    return " ".join([kind, *(str(signal[key]) for key in said if signal.get(key) is not None)])


def _curve(hours: Sequence[Hour]) -> list[list[Any]]:
    """[at, version, mean of 24 hours, outcomes, low, high], one for every six hours and version."""
    curve: list[list[Any]] = []
    last: dict[str, float] = {}
    for hour in hours:
        if hour.day_outcomes and hour.at - last.get(hour.model_version, 0.0) >= _STEP_SECONDS:
            last[hour.model_version] = hour.at
            curve.append([hour.at, hour.model_version, hour.day_mean, hour.day_outcomes, hour.low, hour.high])
    return curve
