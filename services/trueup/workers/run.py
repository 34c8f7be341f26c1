"""Runs one worker until it is told to stop: what `trueup monitor`, `trueup alerter` and `trueup notifier` do."""

from __future__ import annotations

import logging

import faust

from trueup.engine import topic_setup
from trueup.errors import InvalidSettings
from trueup.settings import Settings
from trueup.workers.service import Service
from trueup.workers.setups import INPUTS, WorkerName, topic_specs


def run(worker: WorkerName, settings: Settings, *, log_level: str = "INFO") -> None:
    """Run a worker in this process; returns never: it ends the process with the worker's exit code.

    Raises:
        InvalidSettings: a topic is not there, or has another number of partitions than the settings say.
        Unavailable: no broker answers.
    """
    _refuse_wrong_topics(worker, settings)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    service = Service(worker, settings)
    runner = faust.Worker(service.app, loglevel=log_level, quiet=True, redirect_stdouts=False)
    runner.execute_from_commandline()


def _refuse_wrong_topics(worker: WorkerName, settings: Settings) -> None:
    """Without its topics a worker would wait in silence; with other partitions it would take models for misrouted."""
    kafka = settings.kafka
    needed = {kafka.topic_prefix + topic.name for topic in INPUTS[worker]}
    specs = [spec for spec in topic_specs(settings) if spec.name in needed]
    for difference in topic_setup.check(kafka.bootstrap, specs):
        if difference.what == "missing":
            raise InvalidSettings(f"{difference.sentence}; make it with `trueup topics create`")
        if difference.what == "partitions":
            raise InvalidSettings(difference.sentence)
