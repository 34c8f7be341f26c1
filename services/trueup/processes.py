"""One worker as several processes, a core for each: what `trueup monitor --processes 2` and `engine.processes` run.

    trueup monitor ──┬── watchdog ── trueup monitor, [0]      /metrics at metrics.port
                     └── watchdog ── trueup monitor, [1]      /metrics at metrics.port + 1

Each is a worker like any other: the group shares the partitions out, and what holds between workers on two machines
holds between these. One that ends is started again as `up` starts its workers again. One that says that a person has to
mend something first ends all: a worker of one process would end too.
"""

from __future__ import annotations

import logging
import signal
import sys
import time
from collections.abc import Mapping
from contextlib import ExitStack
from io import FileIO
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, NoReturn, Self

from trueup.embedded.output import Relay
from trueup.errors import InvalidSettings
from trueup.settings import CONFIG_VARIABLE, Settings, config_file
from trueup.worker_process import WorkerProcess
from trueup.workers import logs
from trueup.workers.ending import ASKED, MEND, Ending, ending, leave

if TYPE_CHECKING:
    from trueup.workers.setups import WorkerName

log = logging.getLogger(__name__)

#: How often is looked whether a process has ended, or a signal has come.
LOOK_SECONDS = 0.1
HIGHEST_PORT = 65_535


def run(worker: WorkerName, settings: Settings, *, config: Path | None, processes: int) -> NoReturn:
    """Run a worker in so many processes, and end this one with them. For the main thread.

    Args:
        config: the settings file as `settings` was read with it; None: the one that is found from here.

    SIGTERM and SIGINT ask all of them to stop, and are waited for. The last line and the exit code are those of a
    worker (`workers.ending`).
    """
    logs.set_up()
    asked: list[int] = []
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda number, _: asked.append(number))
    try:
        how = _until_it_ends(worker, environments(settings, config_file(config), processes), asked)
    except BaseException as error:  # whatever it is, it is said, and the process ends
        how = ending(error)
    leave(f"trueup {worker}", how)


def environments(settings: Settings, file: Path | None, processes: int) -> list[dict[str, str]]:
    """What each process is told beyond what this one was told.

    Raises:
        InvalidSettings: there are not so many ports from `metrics.port` on.
    """
    first = settings.metrics.port
    if first + processes - 1 > HIGHEST_PORT:
        raise InvalidSettings(
            f"metrics.port is {first}, each of {processes} processes has a port of its own from there on, and "
            f"{HIGHEST_PORT} is the last one: set it lower"
        )
    told = {"TRUEUP_ENGINE__PROCESSES": "1"}
    if file is not None:
        told[CONFIG_VARIABLE] = str(file)
    return [{**told, "TRUEUP_METRICS__PORT": str(first and first + number)} for number in range(processes)]


class Processes:
    """A context manager: entered, all processes run; left, all have saved and ended."""

    def __init__(self, worker: WorkerName, told: list[dict[str, str]]) -> None:
        self._worker = worker
        self._told = told
        self._leave = ExitStack()
        self._processes: dict[int, WorkerProcess] = {}

    def __enter__(self) -> Self:
        with ExitStack() as leave_all:
            stderr = FileIO(sys.stderr.fileno(), "wb", closefd=False)
            for number, environment in enumerate(self._told):
                relay = Relay(str(number), stderr)
                process = WorkerProcess(self._worker, environment, Path.cwd(), relay=relay)
                leave_all.callback(process.close)
                process.start()
                self._processes[number] = process
            self._leave = leave_all.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        for process in self._processes.values():
            process.ask_to_stop()  # All at once: then each is waited for.
        self._leave.close()

    def supervise(self) -> Ending | None:
        """Start again what died, and say how one ended that no restart mends. Call it every now and then."""
        how = not_to_be_mended(self._processes)
        if how is None:
            for process in self._processes.values():
                process.supervise()
        return how


def not_to_be_mended(processes: Mapping[int, WorkerProcess]) -> Ending | None:
    """How the first of them ended that only a person can mend; None: none has."""
    for number, process in processes.items():
        if process.exit_code == MEND:
            return Ending(MEND, f"[{number}] {process.sentence or 'ended without a word'}")
    return None


def _until_it_ends(worker: WorkerName, told: list[dict[str, str]], asked: list[int]) -> Ending:
    how = None
    with Processes(worker, told) as running:
        log.info("%s runs in %d processes", worker, len(told))
        while not asked and how is None:
            how = running.supervise()
            time.sleep(LOOK_SECONDS)
        log.info("stopping")
    return how or Ending(ASKED, "")
