"""The three workers: which topics each reads, and the step it folds them into."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from importlib.metadata import version
from typing import Literal

from trueup.alerter import step as alerter
from trueup.engine import topic_setup
from trueup.engine.decoding import Feed
from trueup.engine.journal import Build
from trueup.engine.lane import LaneSetup
from trueup.engine.topic_setup import TopicSpec
from trueup.monitor import step as monitor
from trueup.notifier import step as notifier
from trueup.settings import Settings
from trueup.step import RestoreStep, Step
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

#: Worker -> the topics it writes.
OUTPUTS: Mapping[WorkerName, tuple[Topic, ...]] = {
    "monitor": (topics.SIGNALS, topics.JOURNAL, topics.DEAD_LETTERS),
    "alerter": (topics.ALERTS, topics.TRIGGERS, topics.AUDIT, topics.JOURNAL, topics.DEAD_LETTERS),
    "notifier": (topics.JOURNAL, topics.DEAD_LETTERS),
}

#: Bytes that are worth a fetch: the monitor waits a moment for more, and what it says is passed on at once.
FETCH_BYTES: Mapping[WorkerName, int] = {"monitor": 65_536, "alerter": 1, "notifier": 1}


def topic_specs(settings: Settings) -> list[TopicSpec]:
    """Every topic as these settings want it: partitions, and how long its records are kept."""
    kafka = settings.kafka
    return topic_setup.wanted(kafka.topic_prefix, kafka.partitions, timedelta(days=settings.monitor.kept_days))


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
    kafka, clock = settings.kafka, settings.engine.clock

    def restore_monitor(partition: int, saved: Mapping[str, bytes]) -> Step:
        place = monitor.Place(partition, kafka.partitions, kafka.topic_prefix, clock)
        return monitor.restore(saved, place=place, config=settings.monitor)

    def restore_alerter(partition: int, saved: Mapping[str, bytes]) -> Step:
        return alerter.restore(partition, saved, config=settings.alerter)

    def restore_notifier(_: int, saved: Mapping[str, bytes]) -> Step:
        return notifier.restore(saved, channels=settings.channels.names)

    steps: Mapping[WorkerName, RestoreStep] = {
        "monitor": restore_monitor,
        "alerter": restore_alerter,
        "notifier": restore_notifier,
    }
    return steps[worker]
