"""The demo: a year of flights out of New York in a few minutes, on a real Kafka, with everything that Trueup is.

    this process         serves both models, a virtual day at a time, and shows what happens
    pipeline             a process of its own: retrains when a trigger says so
    monitor, alerter     Trueup's workers, each a process of its own
    Kafka, Redis         embedded

The next day begins when the last one is dealt with, a training included: so the story does not depend on how fast the
machine is, and two runs tell the same one.
"""

import logging
import shutil
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flights.data import load_flights
from flights.model_files import save_first_versions
from flights.models import FIRST_VERSION
from flights.pipeline_process import PipelineProcess
from flights.replay import Replay
from flights.report import write_report
from flights.screen import Screen, open_screen
from flights.serve import Day, serve
from flights.served import ServedFile
from trueup.console.progress import Progress
from trueup.console.status import read_status
from trueup.errors import TrueupError
from trueup.sdk import Emitter
from trueup.up import Together

CONFIG = Path(__file__).with_name("trueup.toml")
#: What a day may take, a training included, before the demo gives up.
PATIENCE_S = 120.0
POLL_S = 0.005
MARK = ".trueup-demo"
OPEN = ("requested", "accepted", "running")


class DayTakesTooLong(TrueupError):
    """A worker or the pipeline does not get on; their logs say why."""


class NotOurFolder(TrueupError):
    """The demo would have to delete what it did not make."""


class Control:
    """Knows which version serves, and when a day is dealt with."""

    def __init__(self, running: Together, pipeline: PipelineProcess, progress: Progress, screen: Screen) -> None:
        self._running = running
        self._pipeline = pipeline
        self._progress = progress
        self._screen = screen
        self._versions: dict[str, str] = {}

    def current_version(self, model_id: str) -> str:
        """The champion: what the pipeline deployed last."""
        return self._versions.get(model_id, FIRST_VERSION)

    def predictions_are_in(self, _: Day) -> None:
        """Wait until the monitor holds the day's predictions, so that their truth finds them there."""
        self._wait(lambda: self._progress.settled("monitor"))

    def day_is_over(self, day: Day) -> None:
        """Wait until everything that the day set off has come to rest."""
        self._wait(self._at_rest)
        status = read_status(self._progress)
        for trigger in status["triggers"]:
            if trigger["status"] == "succeeded":
                self._versions[trigger["model_id"]] = trigger["result_version"]
        self._screen.show(day.day, status)

    def _at_rest(self) -> bool:
        if not self._progress.settled("monitor", "alerter"):
            return False
        views = [part.views for part in self._progress.saved("alerter").values()]
        triggers = [state for view in views for shown in view.values() for state in shown.get("triggers", [])]
        return not any(state["status"] in OPEN for state in triggers)

    def _wait(self, done: Any) -> None:
        deadline = time.monotonic() + PATIENCE_S
        while not done():
            self._running.supervise()
            self._pipeline.supervise()
            if time.monotonic() > deadline:
                raise DayTakesTooLong(f"a day was not dealt with in {PATIENCE_S:.0f} s; the logs may say why")
            time.sleep(POLL_S)


def run(folder: Path, *, report: Path | None, exit_when_over: bool) -> int:
    """Run the demo from the start in `folder`, which is emptied; the exit code for the shell."""
    started = time.monotonic()
    logging.basicConfig(level=logging.WARNING, format="%(message)s")
    logging.getLogger("kafka").setLevel(logging.ERROR)
    screen = open_screen()
    _empty(folder)
    models_folder, served_file = folder / "models", folder / "served.csv"
    try:
        screen.say("Reading the flights of 2013, and training two models on January")
        flights = load_flights()
        save_first_versions(models_folder, flights)
        with Together(folder / "data", config=CONFIG, say=screen.say) as running:
            status = _year(running, Replay(flights), models_folder, served_file, folder, screen)
            screen.over(status)
            if report is not None:
                write_report(report, status, served_file, models_folder, flights, seconds=time.monotonic() - started)
                screen.say(f"The report is in {report}; check it with `python -m flights.recount {report}`")
            if not exit_when_over:
                screen.say("Ctrl-C stops everything. Until then: " + _how_to_look(running.environment))
                while True:
                    running.supervise()
                    time.sleep(1)
    except KeyboardInterrupt:
        screen.say("Stopped.")
    finally:
        screen.close()
    return 0


def _empty(folder: Path) -> None:
    """A folder for this run alone: one of an earlier run is emptied, one of anything else is left alone.

    Raises:
        NotOurFolder: it holds something that no demo put there.
    """
    mark = folder / MARK
    if folder.exists() and any(folder.iterdir()) and not mark.exists():
        raise NotOurFolder(f"{folder} is not a folder of an earlier demo: name another, the demo empties it")
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    mark.write_text("Made by `trueup demo`, and emptied by the next one.\n", encoding="utf-8")


def _year(
    running: Together, replay: Replay, models_folder: Path, served_file: Path, folder: Path, screen: Screen
) -> dict[str, Any]:
    settings = running.settings
    bootstrap = settings.kafka.bootstrap
    with (
        PipelineProcess(bootstrap, models_folder, folder) as pipeline,
        Progress(settings) as progress,
        ServedFile(served_file) as served,
        Emitter(bootstrap) as emitter,
    ):
        control = Control(running, pipeline, progress, screen)
        serve(
            emitter,
            replay,
            models_folder=models_folder,
            current_version=control.current_version,
            on_predictions=control.predictions_are_in,
            on_day_end=control.day_is_over,
            served=served,
        )
        return read_status(progress)


def _how_to_look(environment: Mapping[str, str]) -> str:
    return (
        " ".join(f"{name}={value}" for name, value in environment.items())
        + f" {Path(sys.executable).with_name('trueup')} status"
    )


if __name__ == "__main__":
    sys.exit(run(Path(".trueup/demo"), report=None, exit_when_over="--exit" in sys.argv[1:]))
