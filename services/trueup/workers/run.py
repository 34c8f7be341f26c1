"""Runs one worker until it ends: what `trueup monitor`, `trueup alerter` and `trueup notifier` do."""

from __future__ import annotations

import asyncio
import logging
import time
from typing import NoReturn

import faust

from trueup.connections import kafka_login, redis
from trueup.connections.kafka_python import kafka_python_arguments
from trueup.connections.kafka_rights import Right, refuse_missing_rights
from trueup.engine import topic_setup
from trueup.engine.topic_setup import TopicSpec
from trueup.errors import InvalidSettings, Unavailable
from trueup.settings import Settings
from trueup.workers import logs
from trueup.workers.ending import Ends
from trueup.workers.garbage import calm_collector
from trueup.workers.service import Service
from trueup.workers.setups import INPUTS, OUTPUTS, WorkerName, topic_specs
from trueup_schemas import topics

log = logging.getLogger(__name__)

#: How long after Kafka did not answer it is asked again, before the worker has started.
ASK_AGAIN_SECONDS = 1.0


def run(worker: WorkerName, settings: Settings, *, log_level: str = "INFO") -> NoReturn:
    """Run a worker in this process, and end the process with it (`ending`). For the main thread."""
    logs.set_up(log_level)
    ends = Ends(f"trueup {worker}")
    ends.listen()
    try:
        _wait_for_kafka(worker, settings)
        service = Service(worker, settings, ends.crash)
        runner = _Worker(service, ends)
        calm_collector()
        log.info("%s starts", worker)
        runner.loop.run_until_complete(_live(runner, service, ends))
    except BaseException as error:  # whatever it is, it is said, and the process ends
        ends.crash(error)
    ends.leave()


class _Worker(faust.Worker):
    """Runs the app, and hears of whatever crashes in it; logging and signals are ours."""

    def __init__(self, service: Service, ends: Ends) -> None:
        super().__init__(service.app, quiet=True, redirect_stdouts=False, override_logging=False)
        self.spinner = None
        self._ends = ends

    def install_signal_handlers(self) -> None:
        """`Ends` listens."""

    def _crash(self, reason: BaseException) -> None:
        super()._crash(reason)
        self._ends.crash(reason)


async def _live(runner: _Worker, service: Service, ends: Ends) -> None:
    """From start to end; what is still running after that does not matter any more."""
    running = asyncio.ensure_future(runner.start())
    ended = asyncio.ensure_future(ends.wait())
    await asyncio.wait({running, ended}, return_when=asyncio.FIRST_COMPLETED)
    if running.done():
        error = None if running.cancelled() else running.exception()
        ends.crash(error or RuntimeError("Faust stopped by itself"))
    log.info("stopping")
    await service.let_go()
    log.info("let go of all partitions")
    await runner.stop()


def _wait_for_kafka(worker: WorkerName, settings: Settings) -> None:
    """Until Kafka is there with the topics and the rights that are needed.

    Raises:
        InvalidSettings: Kafka or Redis does not let us in, a topic is not there, or has another number of partitions
            than the settings say.
        Unavailable: no broker answers for as long as a worker may be stuck.
    """
    began = time.monotonic()
    while True:
        try:
            kafka_login.refuse_bad_login(settings.kafka.bootstrap, settings.kafka.security)
            redis.refuse_bad_login(settings.redis)
            _refuse_missing_rights(worker, settings)
            _refuse_wrong_topics(worker, settings)
        except Unavailable as error:
            if time.monotonic() - began >= settings.engine.stuck_seconds:
                raise Unavailable(f"{error}, for {settings.engine.stuck_seconds:.0f} s") from error
            log.warning("waiting: %s", error)
            time.sleep(ASK_AGAIN_SECONDS)
        else:
            return


def _refuse_missing_rights(worker: WorkerName, settings: Settings) -> None:
    """Without a right a worker would fail somewhere inside, again and again."""
    kafka = settings.kafka
    rights: dict[str, list[Right]] = {}
    # What is in the journal may have to be taken again.
    for topic in (*INPUTS[worker], topics.JOURNAL):
        rights.setdefault(kafka.topic_prefix + topic.name, []).append("read")
    for topic in OUTPUTS[worker]:
        rights.setdefault(kafka.topic_prefix + topic.name, []).append("write")
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
