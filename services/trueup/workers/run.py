"""Runs one worker until it is told to stop: what `trueup monitor`, `trueup alerter` and `trueup notifier` do."""

from __future__ import annotations

import logging

import faust

from trueup.connections import kafka_login, redis
from trueup.connections.kafka_python import kafka_python_arguments
from trueup.connections.kafka_rights import Right, refuse_missing_rights
from trueup.engine import topic_setup
from trueup.engine.topic_setup import TopicSpec
from trueup.errors import InvalidSettings
from trueup.settings import Settings
from trueup.workers.service import Service
from trueup.workers.setups import INPUTS, OUTPUTS, WorkerName, topic_specs


def run(worker: WorkerName, settings: Settings, *, log_level: str = "INFO") -> None:
    """Run a worker in this process; returns never: it ends the process with the worker's exit code.

    Raises:
        InvalidSettings: Kafka or Redis does not let us in, a topic is not there, or has another number of partitions
            than the settings say.
        Unavailable: no broker answers.
    """
    kafka_login.refuse_bad_login(settings.kafka.bootstrap, settings.kafka.security)
    redis.refuse_bad_login(settings.redis)
    _refuse_missing_rights(worker, settings)
    _refuse_wrong_topics(worker, settings)
    logging.getLogger("aiokafka").setLevel(logging.WARNING)
    service = Service(worker, settings)
    runner = faust.Worker(service.app, loglevel=log_level, quiet=True, redirect_stdouts=False)
    runner.execute_from_commandline()


def _refuse_missing_rights(worker: WorkerName, settings: Settings) -> None:
    """Without a right a worker would fail somewhere inside, again and again."""
    kafka = settings.kafka
    rights: dict[str, Right] = {kafka.topic_prefix + topic.name: "read" for topic in INPUTS[worker]}
    rights |= {kafka.topic_prefix + topic.name: "write" for topic in OUTPUTS[worker]}
    refuse_missing_rights(kafka.bootstrap, kafka.security, rights, group=f"{kafka.group_prefix}-{worker}")


def _refuse_wrong_topics(worker: WorkerName, settings: Settings) -> None:
    """Without its topics a worker would wait in silence; with other partitions it would take models for misrouted."""
    kafka = settings.kafka
    needed = {kafka.topic_prefix + topic.name for topic in INPUTS[worker]}
    # Without what else is to be set: to look at that takes a right that a worker has no other use for.
    specs = [TopicSpec(spec.name, spec.partitions) for spec in topic_specs(settings) if spec.name in needed]
    security = kafka_python_arguments(kafka.security)
    for difference in topic_setup.check(kafka.bootstrap, specs, security=security):
        if difference.what == "missing":
            raise InvalidSettings(f"{difference.sentence}; make it with `trueup topics create`")
        if difference.what == "partitions":
            raise InvalidSettings(difference.sentence)
