"""The plan of the topics, what differs from it, and carrying it out on a real Kafka."""

from __future__ import annotations

import re
import socket
import traceback
from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest
from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient

from trueup.embedded import Stack
from trueup.engine.topic_setup import Difference, TopicSpec, check, compare, create, wanted
from trueup.errors import InvalidSettings, Unavailable
from trueup_schemas.topics import TOPICS

HORIZON = timedelta(days=90)
HORIZON_MS = str(90 * 86_400_000)
PLAN = wanted("trueup.", 4, HORIZON)


def planned(name: str) -> TopicSpec:
    return next(spec for spec in PLAN if spec.name == "trueup." + name)


def whats(differences: list[Difference]) -> list[tuple[str, str]]:
    return [(difference.topic, difference.what) for difference in differences]


def test_every_topic_is_planned_with_the_same_number_of_partitions() -> None:
    assert [spec.name for spec in PLAN] == ["trueup." + name for name in TOPICS]
    assert {spec.partitions for spec in PLAN} == {4}
    assert {spec.config["message.timestamp.type"] for spec in PLAN} == {"CreateTime"}


@pytest.mark.parametrize(
    ("topic", "cleanup", "retention_ms"),
    [
        ("predictions", "delete", HORIZON_MS),
        ("feedback", "delete", HORIZON_MS),
        ("journal", "delete", HORIZON_MS),
        ("signals", "delete", str(7 * 86_400_000)),
        ("deployments", "delete", "-1"),
        ("commands", "delete", "-1"),
        ("trigger-updates", "delete", "-1"),
        ("triggers", "delete", "-1"),
        ("audit", "delete", "-1"),
        ("dead-letters", "delete", "-1"),
        ("alerts", "compact", None),
    ],
)
def test_a_topic_is_kept_as_long_as_it_is_needed(topic: str, cleanup: str, retention_ms: str | None) -> None:
    config = planned(topic).config
    assert (config["cleanup.policy"], config.get("retention.ms")) == (cleanup, retention_ms)


@pytest.mark.parametrize(
    ("topic", "change", "what"),
    [
        pytest.param("predictions", {}, None, id="as planned"),
        pytest.param("predictions", {"retention.ms": "-1"}, None, id="kept for ever where the horizon is enough"),
        pytest.param("predictions", {"retention.ms": str(10**12)}, None, id="kept longer than the horizon"),
        pytest.param("predictions", {"retention.ms": "604800000"}, "retention", id="kept shorter than the horizon"),
        pytest.param("predictions", {"retention.bytes": "1000000"}, "retention", id="kept by size"),
        pytest.param(
            "triggers", {"retention.ms": HORIZON_MS}, "retention", id="kept for a time where for ever is asked"
        ),
        pytest.param("alerts", {"cleanup.policy": "delete"}, "cleanup", id="not compacted"),
        pytest.param("alerts", {"cleanup.policy": "compact,delete"}, "cleanup", id="compacted and deleted"),
        pytest.param("feedback", {"cleanup.policy": "compact"}, "cleanup", id="compacted where all is needed"),
        pytest.param("feedback", {"message.timestamp.type": "LogAppendTime"}, "timestamps", id="the broker's time"),
        pytest.param("dead-letters", {"max.message.bytes": "1000"}, "size", id="too small for a dead letter"),
        pytest.param("dead-letters", {"max.message.bytes": "99999999"}, None, id="larger than a dead letter"),
        pytest.param("audit", {"compression.type": "zstd"}, None, id="another compression"),
    ],
)
def test_only_what_does_harm_is_a_difference(topic: str, change: dict[str, str], what: str | None) -> None:
    spec = planned(topic)
    found = replace(spec, config={**spec.config, **change})
    assert whats(compare([spec], [found])) == ([(spec.name, what)] if what else [])


def test_a_topic_that_is_missing_is_a_difference_that_can_be_mended() -> None:
    (difference,) = compare([planned("audit")], [planned("alerts")])
    assert (difference.what, difference.mendable) == ("missing", True)


def test_another_number_of_partitions_cannot_be_mended_and_says_why() -> None:
    (difference,) = compare([planned("audit")], [replace(planned("audit"), partitions=3)])
    assert (difference.what, difference.mendable) == ("partitions", False)
    assert "trueup.audit has 3 partitions where 4 are asked for" in difference.sentence


def test_a_kafka_that_is_not_there_is_unavailable() -> None:
    with pytest.raises(Unavailable, match=re.escape("Kafka at 127.0.0.1:1,[::1]:1 does not answer")):
        check("127.0.0.1:1,[::1]:1", PLAN)


def test_an_address_without_a_port_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="'kafka' is not host:port"):
        check("kafka", PLAN)


def test_a_security_setting_that_nobody_knows_is_named() -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        address, secret = f"127.0.0.1:{listener.getsockname()[1]}", "hunter" + "2"
        with pytest.raises(InvalidSettings, match="sasl_pasword") as caught:
            check(address, PLAN, security={"sasl_pasword": secret})
        assert "hunter2" not in "".join(traceback.format_exception(caught.value))


@pytest.mark.live
class TestOnKafka:
    def test_created_topics_are_as_planned_and_creating_them_again_changes_nothing(self, stack: Stack) -> None:
        kafka = stack.addresses.kafka
        plan = wanted(f"t{uuid4().hex}.", 3, HORIZON)
        assert {difference.what for difference in check(kafka, plan)} == {"missing"}
        made = create(kafka, plan)
        assert made.created == tuple(sorted(spec.name for spec in plan))
        assert made.changed == ()
        assert check(kafka, plan) == []
        again = create(kafka, plan)
        assert (again.created, again.changed) == ((), ())

    def test_what_can_be_mended_is_mended_and_what_lasts_longer_is_left(self, stack: Stack) -> None:
        kafka = stack.addresses.kafka
        prefix = f"t{uuid4().hex}."
        short = wanted(prefix, 1, timedelta(days=1))
        create(kafka, short[:3])
        plan = wanted(prefix, 1, HORIZON)
        feedback, triggers = prefix + "feedback", prefix + "triggers"
        assert whats(check(kafka, plan))[:2] == [(prefix + "predictions", "retention"), (feedback, "retention")]
        made = create(kafka, plan)
        assert made.changed == (feedback, prefix + "predictions")
        assert triggers in made.created
        assert check(kafka, plan) == []
        assert create(kafka, short).changed == ()
        assert check(kafka, plan) == []

    def test_mending_leaves_other_settings_alone(self, stack: Stack) -> None:
        kafka = stack.addresses.kafka
        plan = wanted(f"t{uuid4().hex}.", 1, HORIZON)[:1]
        create(kafka, plan)
        admin = KafkaAdminClient(bootstrap_servers=[kafka])
        try:
            resource = ConfigResource(
                ConfigResourceType.TOPIC, plan[0].name, {"segment.ms": "7777", "retention.ms": "5"}
            )
            admin.alter_configs([resource])
            assert create(kafka, plan).changed == (plan[0].name,)
            (configs,) = admin.describe_configs([ConfigResource(ConfigResourceType.TOPIC, plan[0].name)])[
                "topic"
            ].values()
        finally:
            admin.close()
        assert (configs["segment.ms"]["value"], configs["retention.ms"]["value"]) == ("7777", HORIZON_MS)

    def test_another_number_of_partitions_is_refused_before_anything_is_changed(self, stack: Stack) -> None:
        kafka = stack.addresses.kafka
        prefix = f"t{uuid4().hex}."
        create(kafka, wanted(prefix, 2, HORIZON)[:1])
        with pytest.raises(InvalidSettings, match="has 2 partitions where 3 are asked for"):
            create(kafka, wanted(prefix, 3, HORIZON))
        assert {difference.what for difference in check(kafka, wanted(prefix, 2, HORIZON))} == {"missing"}

    def test_what_kafka_refuses_is_said_in_its_words(self, stack: Stack) -> None:
        with pytest.raises(InvalidSettings, match="Kafka refuses to create"):
            create(stack.addresses.kafka, wanted(f"t{uuid4().hex}.", 1, HORIZON)[:1], replication=3)
