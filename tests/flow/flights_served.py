"""The demo without its pipeline: days of flights through Emitter, Kafka, monitor and alerter, and what came of them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.faults.installation import Installation, wait
from flights.model_files import save_first_versions
from flights.models import FIRST_VERSION
from flights.replay import Replay
from flights.serve import Day, serve
from flights.served import ServedFile
from trueup.console.tail import follow
from trueup.sdk import Emitter
from trueup_schemas.alert import Alert
from trueup_schemas.audit import AuditEntry
from trueup_schemas.trigger import Trigger


@dataclass(frozen=True)
class CameOut:
    """What stands in the topics: each alert as it was first told and as it is now, triggers, decisions."""

    alerts: Sequence[tuple[Alert, Alert]]
    triggers: Sequence[Trigger]
    audit: Sequence[AuditEntry]

    def of(self, model_id: str) -> CameOut:
        """What concerns one model."""
        return CameOut(
            [pair for pair in self.alerts if pair[0].model_id == model_id],
            [trigger for trigger in self.triggers if trigger.model_id == model_id],
            [entry for entry in self.audit if entry.model_id == model_id],
        )

    def kind(self, kind: str) -> list[tuple[Alert, Alert]]:
        """The alerts of this kind, in the order in which they were told."""
        return [pair for pair in self.alerts if pair[0].kind == kind]


def days(first: date, last: date) -> list[date]:
    """Both ends with them."""
    return [first + timedelta(days=number) for number in range((last - first).days + 1)]


def serve_days(here: Installation, replay: Replay, flights: pd.DataFrame, served: Sequence[date]) -> CameOut:
    """Serve these days with the models of January, each dealt with before the next one begins.

    Nobody takes up a trigger: whatever is asked for, the first versions go on serving.
    """
    here.start("monitor")
    here.start("alerter")
    models: Path = here.folder / "models"
    save_first_versions(models, flights)

    def dealt_with(day: Day) -> None:
        wait(f"{day.day} is dealt with", lambda: here.progress.settled("monitor", "alerter"))

    def predictions_are_in(day: Day) -> None:
        wait(f"the predictions of {day.day} are in", lambda: here.progress.settled("monitor"))

    with (
        Emitter(here.bootstrap, topic_prefix=here.prefix) as emitter,
        ServedFile(here.folder / "served.csv") as file,
    ):
        serve(
            emitter,
            replay,
            models_folder=models,
            current_version=lambda _: FIRST_VERSION,
            on_predictions=predictions_are_in,
            on_day_end=dealt_with,
            served=file,
            days=served,
        )
    return _came_out(here)


def _came_out(here: Installation) -> CameOut:
    revisions: dict[str, list[Alert]] = {}
    for alert in map(Alert.model_validate, _values(here, "alerts")):
        revisions.setdefault(alert.alert_id, []).append(alert)
    told = [(min(of, key=_revision), max(of, key=_revision)) for of in revisions.values()]
    return CameOut(
        sorted(told, key=lambda pair: pair[0].started_at),
        [Trigger.model_validate(value) for value in _values(here, "triggers")],
        [AuditEntry.model_validate(value) for value in _values(here, "audit")],
    )


def _revision(alert: Alert) -> int:
    return alert.revision


def _values(here: Installation, topic: str) -> list[Any]:
    return [record["value"] for record in follow(here.settings, topic, from_start=True, forever=False)]
