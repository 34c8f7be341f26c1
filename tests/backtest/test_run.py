"""A backtest says what would have fired, when, whether it was false, and how long a known change took to be found."""

from __future__ import annotations

import json
import random
from dataclasses import replace
from html.parser import HTMLParser
from io import StringIO
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from builders import DAY, HOUR, T0, feedback, prediction
from engine.counting import chunk, setup, value
from trueup.backtest import page, terminal
from trueup.backtest.changes import known_changes
from trueup.backtest.drive import Driven, for_history, patient, said
from trueup.backtest.report import Report
from trueup.backtest.run import Asked, backtest
from trueup.datasets.falls import moment
from trueup.engine.checkpoint import Save
from trueup.errors import InvalidSettings
from trueup.monitor.config import ModelConfig, MonitorConfig
from trueup.settings import Settings
from trueup.workers.setups import WorkerName, lane_setup

#: A label a minute; the reference is learned in two days.
SETTINGS = Settings(monitor=MonitorConfig(defaults=ModelConfig(reference_labels=2_000, reference_days=1.0)))
DAYS, A_DAY = 8, 1_440
HOSTILE = "<script>alert(1)</script>"


def history(tmp_path: Path, *, model: str = "m", worse_after: float = DAYS, error: float = 0.1) -> Path:
    """Days of predictions every minute with their truth half an hour later, and a bad line; worse from a day on."""
    rng, path = random.Random(11), tmp_path / "history.jsonl"
    with path.open("w") as file:
        for number in range(DAYS * A_DAY):
            at, name = T0 + 60 * number, f"p{number}"
            wrong = rng.random() < (error if number < worse_after * A_DAY else 0.4)
            truth = number % 2
            file.write(json.dumps(prediction(name, 1 - truth if wrong else truth, model=model, at=at)) + "\n")
            file.write(json.dumps(feedback(name, truth, model=model, at=at + HOUR / 2)) + "\n")
        file.write("no event\n")
    return path


def pages(report: Report) -> list[dict[str, Any]]:
    return [alert for alert in report["alerts"] if alert["severity"] == "page"]


@pytest.fixture(scope="module")
def fallen(tmp_path_factory: pytest.TempPathFactory) -> Report:
    """Five calm days, then worse ones, of a model with an evil name."""
    path = history(tmp_path_factory.mktemp("fallen"), model=HOSTILE, worse_after=5)
    return backtest(Asked(str(path), changes="2024-01-06"), SETTINGS)


def test_a_fall_is_found_with_its_delay(fallen: Report) -> None:
    [alert] = pages(fallen)
    assert alert["verdict"] == "found"
    assert alert["evidence"]["cause"]
    [change] = fallen["changes"]
    assert 0 < change["delay_hours"] < 12
    assert change["delay_labels"] == pytest.approx(60 * change["delay_hours"], abs=90)
    assert (fallen["pages"], fallen["false_pages"]) == (1, 0)
    assert [trigger["action"] for trigger in fallen["triggers"]] == ["retrain"]


def test_every_event_is_counted_and_what_is_none_is_said(fallen: Report) -> None:
    [model] = fallen["models"]
    assert (model["predictions"], model["joined"]) == (DAYS * A_DAY, DAYS * A_DAY)
    assert sum(fallen["refused"].values()) == 1
    assert fallen["dead_letters"] == {}
    assert len(model["curve"]) > 4 * (DAYS - 1)


def test_without_a_known_change_the_same_page_is_false(tmp_path: Path) -> None:
    report = backtest(Asked(str(history(tmp_path, worse_after=5)), changes=None), SETTINGS)
    assert [alert["verdict"] for alert in pages(report)] == ["false"]
    assert report["false_pages"] == 1


def test_a_planted_fall_is_found_and_a_calm_history_is_calm(tmp_path: Path) -> None:
    asked = Asked(str(history(tmp_path)))
    assert pages(backtest(asked, SETTINGS)) == []
    planted = replace(asked, inject="accuracy -0.3 from 2024-01-06")
    report = backtest(planted, SETTINGS)
    assert [alert["verdict"] for alert in pages(report)] == ["found"]
    assert [change["planted"] for change in report["changes"]] == [True]
    assert backtest(planted, SETTINGS) == report


def test_chunks_of_another_size_tell_the_same_signals_of_hours(tmp_path: Path) -> None:
    """How finely time passes moves what depends on ticks, and no count."""
    asked = Asked(str(history(tmp_path, worse_after=5)))
    fine, coarse = backtest(replace(asked, tick_seconds=600.0), SETTINGS), backtest(asked, SETTINGS)
    assert [alert["summary"] for alert in pages(fine)] == [alert["summary"] for alert in pages(coarse)]
    counted = [[model["joined"], model["correct"]] for model in fine["models"]]
    assert counted == [[model["joined"], model["correct"]] for model in coarse["models"]]


class Tags(HTMLParser):
    """Which tags there are, each closed in its turn, and what they point at."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.seen: set[str] = set()
        self.links: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]
        if tag not in ("meta", "polyline", "polygon", "br"):
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.seen.add(tag)
        self.links += [value or "" for name, value in attrs if name in ("src", "href")]

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_needs_nothing_and_runs_nothing(fallen: Report) -> None:
    text, tags = page.html(fallen), Tags()
    tags.feed(text)
    assert tags.open == []
    assert tags.links == []
    assert {"svg", "polyline", "table"} <= tags.seen
    assert "script" not in tags.seen
    assert fallen["alerts"][0]["at"][:16] in text
    assert 'class="page"' in text
    assert 'class="change"' in text


def test_the_terminal_shows_what_fired_and_what_was_found(fallen: Report) -> None:
    screen = Console(width=200, record=True, file=StringIO())
    screen.print(terminal.shown(fallen))
    text = screen.export_text()
    assert "found a change" in text
    assert "1 pages, 0 of them before any known change" in text
    assert terminal.minute(fallen["alerts"][0]["at"]) in text


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (Asked("nowhere.parquet"), "there is no file nowhere.parquet"),
        (Asked("topics", inject="nonsense"), "--inject 'nonsense' is not understood"),
        (Asked("nowhere.parquet", inject="nonsense"), "--inject 'nonsense' is not understood"),
        (Asked("nowhere.parquet", changes="nonsense"), "'nonsense' is no time"),
    ],
    ids=["no file", "no fall for topics", "no fall", "no change"],
)
def test_what_makes_no_sense_is_refused_before_anything_is_read(asked: Asked, said: str) -> None:
    with pytest.raises(InvalidSettings, match=said):
        backtest(asked, SETTINGS)


def test_a_file_of_another_kind_is_refused(tmp_path: Path) -> None:
    (tmp_path / "history.xls").write_text("")
    with pytest.raises(InvalidSettings, match="a history ends in one of"):
        backtest(Asked(str(tmp_path / "history.xls")), SETTINGS)


def test_nothing_is_carried_out_and_what_is_off_stays_off() -> None:
    policy = patient(SETTINGS.alerter).policy
    assert (policy.retrain, policy.rollback, policy.promote) == ("approve", "approve", "off")


def test_an_event_that_the_step_cannot_take_is_a_dead_letter_and_its_neighbours_are_counted() -> None:
    """The steps raise on nothing that is known; so the lane is given one that does."""
    driven = Driven(0, setup(clock="stream"))
    driven.take(chunk("predictions", 0, value("ok-1", "poison-2", "ok-3")))
    outputs = said(driven.cut())
    assert [output.topic for output in outputs].count("dead-letters") == 1
    assert len(driven.lane.dead_letters) == 1


def test_time_passes_by_the_events(tmp_path: Path) -> None:
    ticks: list[float] = []

    def overhear(worker: WorkerName, save: Save) -> None:
        entry = json.loads(next(output.value for output in said(save) if output.topic == "journal"))
        ticks.extend(note["now"] for note in entry["taken"] if note["type"] == "tick" and worker == "monitor")

    backtest(Asked(str(history(tmp_path))), SETTINGS, overhear=overhear)
    assert ticks == sorted(ticks)
    assert T0 <= ticks[0] <= T0 + 2 * HOUR
    assert T0 + DAYS * DAY - 2 * HOUR <= ticks[-1] <= T0 + DAYS * DAY + 2 * HOUR
    assert lane_setup("monitor", for_history(SETTINGS, tick_seconds=60.0)).clock == "stream"


def test_a_known_change_is_a_day_of_utc() -> None:
    assert known_changes("2024-01-06", None)[0].at == T0 + 5 * DAY == moment("2024-01-06")
