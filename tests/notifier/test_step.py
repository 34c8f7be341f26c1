"""The notifier: each revision of an alert once for each channel, as it stands in its topic."""

from __future__ import annotations

import random

import pytest

from builders import DAY, T0, AlerterHarness, Event, NotifierHarness, change, deployed
from trueup.errors import UnknownSnapshot
from trueup.snapshots import pack
from trueup.step import NOTHING_FOUND
from trueup_schemas import topics
from trueup_schemas.codec import Codec


def alert_records() -> list[bytes]:
    """Two alerts as an alerter published them: one resolved in its second revision, one firing."""
    alerter = AlerterHarness()
    alerter.signal(change(1), deployed(2, "v2", at=T0 + DAY), change(3, model="n", at=T0 + DAY + 0.25))
    return [output.value for output in alerter.outputs if output.topic == "alerts"]


def read(record: bytes) -> Event:
    ((_, event),) = Codec(topics.ALERTS).decode(record).events
    return event


RECORDS = alert_records()
FIRST, RESOLVED, OTHER = [read(record) for record in RECORDS]


def sent(harness: NotifierHarness) -> list[tuple[str, bytes]]:
    return [(output.topic, output.value) for output in harness.outputs]


def test_each_revision_goes_once_to_each_channel_as_the_bytes_that_stand_in_its_topic() -> None:
    harness = NotifierHarness("webhook", "pager")
    harness.take("alerts", FIRST, RESOLVED, OTHER)

    assert sent(harness) == [(f"deliver:{channel}", body) for body in RECORDS for channel in ("webhook", "pager")]


@pytest.mark.parametrize(
    ("before", "again"),
    [
        pytest.param([FIRST], FIRST, id="a repeat"),
        pytest.param([FIRST, RESOLVED], RESOLVED, id="a repeat of the second revision"),
        pytest.param([RESOLVED], FIRST, id="an older revision"),
    ],
)
def test_what_was_delivered_or_is_older_is_skipped_also_after_a_restart(before: list[Event], again: Event) -> None:
    harness = NotifierHarness("webhook")
    harness.take("alerts", *before)
    known = sent(harness)
    harness.take("alerts", again)
    harness.restart()
    harness.take("alerts", again)

    assert sent(harness) == known


def test_the_revisions_of_one_alert_do_not_hold_up_those_of_another() -> None:
    harness = NotifierHarness("webhook")
    harness.take("alerts", RESOLVED, OTHER)

    assert len(harness.outputs) == 2


def test_ids_of_deliveries_follow_from_channel_alert_and_revision() -> None:
    here, there = NotifierHarness("webhook", "pager"), NotifierHarness("webhook", "pager")
    here.take("alerts", FIRST, RESOLVED, OTHER)
    for event in (FIRST, RESOLVED, OTHER):
        there.take("alerts", event)
        there.restart()

    assert here.outputs == there.outputs
    assert len({output.key for output in here.outputs}) == 6


def test_without_a_channel_nothing_is_delivered_and_nothing_later_made_up_for() -> None:
    harness = NotifierHarness()
    harness.take("alerts", FIRST)
    harness.channels = ("webhook",)
    harness.restart()
    harness.take("alerts", FIRST)
    assert harness.outputs == []

    harness.take("alerts", RESOLVED)
    assert len(harness.outputs) == 1


def test_a_delivery_must_go_out_at_once() -> None:
    harness = NotifierHarness("webhook")
    harness.step.tick(T0, NOTHING_FOUND)
    assert not harness.step.urgent
    assert harness.step.event_time is None
    harness.step.take("alerts", [], {}, NOTHING_FOUND)
    assert not harness.step.effects().urgent


@pytest.mark.parametrize("seed", range(5))
def test_a_restored_notifier_continues_identically(seed: int) -> None:
    rng = random.Random(seed)
    events = [rng.choice((FIRST, RESOLVED, OTHER)) for _ in range(12)]
    whole, parts = NotifierHarness("webhook"), NotifierHarness("webhook")
    whole.take("alerts", *events)
    for event in events:
        parts.take("alerts", event)
        parts.restart()

    assert parts.outputs == whole.outputs
    assert parts.sections == whole.sections


def test_a_section_of_an_unknown_version_is_refused_in_a_sentence() -> None:
    harness = NotifierHarness("webhook")
    harness.take("alerts", FIRST)
    harness.sections = {name: pack(99, 1) for name in harness.sections}

    with pytest.raises(UnknownSnapshot, match="has version 99, this code reads"):
        harness.restored()
