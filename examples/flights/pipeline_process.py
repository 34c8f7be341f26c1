"""The pipeline as a process of its own, started again when it dies: a trigger it had not finished comes again."""

import os
import sys
from pathlib import Path
from types import TracebackType
from typing import Self

from trueup.embedded.server import Server


class PipelineProcess:
    """Runs `python -m flights.pipeline`. Context manager."""

    def __init__(self, bootstrap: str, models_folder: Path, folder: Path) -> None:
        self._command = [sys.executable, "-m", "flights.pipeline", bootstrap, str(models_folder.absolute())]
        self._folder = folder.absolute()
        self._nothing = os.open(os.devnull, os.O_RDONLY)
        self._server = Server("the pipeline", log=self._folder / "pipeline.log", lock=self._nothing)

    def __enter__(self) -> Self:
        self._server.start(self._command, folder=self._folder)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._server.stop()
        os.close(self._nothing)

    def supervise(self) -> None:
        """Start it again if it died."""
        if not self._server.running:
            self._server.start(self._command, folder=self._folder)
