"""The first days of the demo on a real Kafka: what Trueup counted is what a plain recount of the table gives."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import pytest

from benchmarks.faults.installation import Installation, wait
from flights.data import load_flights
from flights.demo import CONFIG
from flights.model_files import load_model, save_first_versions
from flights.models import FIRST_VERSION, FLIGHT_TIME
from flights.recount import compare, recount
from flights.replay import FIRST_DAY, Replay
from flights.report import write_report
from flights.serve import serve
from flights.served import ServedFile, read_served
from trueup.console.status import read_status
from trueup.sdk import Emitter

pytestmark = [pytest.mark.live, pytest.mark.timeout(180)]

DAYS = [FIRST_DAY + timedelta(days=number) for number in range(4)]


def test_the_report_of_the_first_days_agrees_with_a_recount(
    install: Callable[[str, str], Installation], tmp_path: Path
) -> None:
    here = install("flights", CONFIG.read_text())
    here.start("monitor")
    here.start("alerter")
    flights, models_folder, served_file = load_flights(), tmp_path / "models", tmp_path / "served.csv"
    save_first_versions(models_folder, flights)
    with Emitter(here.bootstrap, topic_prefix=here.prefix) as emitter, ServedFile(served_file) as served:
        serve(
            emitter,
            Replay(flights),
            models_folder=models_folder,
            current_version=lambda _: FIRST_VERSION,
            on_day_end=lambda day: wait(
                f"{day.day} is dealt with", lambda: here.progress.settled("monitor", "alerter")
            ),
            served=served,
            days=DAYS,
        )
    report = tmp_path / "report.json"
    status = read_status(here.progress)
    write_report(report, status, served_file, models_folder, flights, seconds=0.0, last_day=DAYS[-1])

    first = load_model(models_folder, FLIGHT_TIME, FIRST_VERSION)
    counted = recount(read_served(served_file), flights, first, DAYS[-1])
    compared = list(compare(json.loads(report.read_text()), counted))
    assert [each.name for each in compared if not each.same] == []
    assert counted.models[FLIGHT_TIME].predictions > 2_500
