"""The three workers: which topics each reads, and the step it folds them into."""

from __future__ import annotations

from collections.abc import Mapping
from functools import partial
from importlib.metadata import version
from typing import Literal

from trueup.alerter import step as alerter
from trueup.engine.journal import Build
from trueup.engine.lane import Feed, LaneSetup
from trueup.monitor import step as monitor
from trueup.notifier import step as notifier
from trueup.settings import Settings
from trueup.step import RestoreStep
from trueup_schemas import topics
from trueup_schemas.codec import Codec
from trueup_schemas.topics import Topic

WorkerName = Literal["monitor", "alerter", "notifier"]

#: Worker -> the topics it reads, in the order that breaks ties.
INPUTS: Mapping[WorkerName, tuple[Topic, ...]] = {
    "monitor": (topics.DEPLOYMENTS, topics.PREDICTIONS, topics.FEEDBACK),
    "alerter": (topics.SIGNALS, topics.TRIGGER_UPDATES, topics.COMMANDS),
    "notifier": (topics.ALERTS,),
}


def lane_setup(worker: WorkerName, settings: Settings) -> LaneSetup:
    """What all lanes of this worker share."""
    return LaneSetup(
        worker=worker,
        partitions=settings.kafka.partitions,
        feeds={
            topic.name: Feed(Codec(topic, max_record_bytes=settings.engine.max_record_bytes), topic.key)
            for topic in INPUTS[worker]
        },
        restore=_restore(worker, settings),
        clock=settings.engine.clock,
        tick_seconds=settings.engine.tick_seconds,
        build=Build(settings.fingerprint(), version("trueup")),
        prefix=settings.kafka.topic_prefix,
    )


def _restore(worker: WorkerName, settings: Settings) -> RestoreStep:
    if worker == "monitor":
        return partial(
            monitor.restore,
            partitions=settings.kafka.partitions,
            config=settings.monitor,
            clock=settings.engine.clock,
        )
    if worker == "alerter":
        return partial(alerter.restore, config=settings.alerter)
    return partial(notifier.restore, channels=settings.channels.names)
