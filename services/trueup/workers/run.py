"""Runs one worker until it is told to stop: what `trueup monitor`, `trueup alerter` and `trueup notifier` do."""

from __future__ import annotations

import logging

import faust

from trueup.settings import Settings
from trueup.workers.service import Service
from trueup.workers.setups import WorkerName


def run(worker: WorkerName, settings: Settings, *, log_level: str = "INFO") -> None:
    """Run a worker in this process; returns never: it ends the process with the worker's exit code."""
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    service = Service(worker, settings)
    runner = faust.Worker(service.app, loglevel=log_level, quiet=True, redirect_stdouts=False)
    runner.execute_from_commandline()
