"""What topics Kafka must hold, what of it is missing, and how it is made: a plan, compared, then carried out.

Nothing is ever deleted or made shorter. The number of partitions of a topic that exists is never changed: all that is
known of a model lies on the partition of its key, and its records would land on another one.
"""

from __future__ import annotations

import socket
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any, Literal

from kafka.admin import ConfigResource, ConfigResourceType, KafkaAdminClient
from kafka.errors import KafkaConfigurationError, KafkaError, for_code

from trueup.connections.kafka_rights import missing_right
from trueup.errors import InvalidSettings, Unavailable
from trueup_schemas.topics import TOPICS, Retention

#: Kafka's word for without end.
FOR_EVER = -1
BOOTSTRAP_TIMEOUT_MS = 10_000
#: A dead letter is the original and a kilobyte of headers, and the original may have come compressed.
DEAD_LETTER_MAX_BYTES = 4 * 1_048_576

_NO_ERROR, _UNKNOWN_TOPIC, _TOPIC_EXISTS = 0, 3, 36
_MS = timedelta(milliseconds=1)


@dataclass(frozen=True, slots=True)
class TopicSpec:
    """One topic as it is to be, or as it was found. `config` is Kafka's own; as found, all of it."""

    name: str
    partitions: int
    config: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, slots=True)
class Difference:
    """One thing about a topic that is not as it must be. `mendable`: `create` can set it right."""

    topic: str
    what: Literal["missing", "partitions", "retention", "cleanup", "timestamps", "size"]
    sentence: str
    mendable: bool = True


@dataclass(frozen=True, slots=True)
class Made:
    """What `create` did: names of topics made, and of topics whose settings it changed. Both empty: all was well."""

    created: tuple[str, ...] = ()
    changed: tuple[str, ...] = ()


def wanted(prefix: str, partitions: int, label_horizon: timedelta) -> list[TopicSpec]:
    """Every topic as it must be.

    Args:
        prefix: of all names, such as `trueup.`.
        partitions: of every topic alike, at least 1.
        label_horizon: how late the truth may come; predictions, feedback and the journal are kept at least so long.
    """
    specs = []
    for topic in TOPICS.values():
        config = {
            "message.timestamp.type": "CreateTime",
            "compression.type": "producer",
            "retention.bytes": str(FOR_EVER),
            **_kept(topic.retention, label_horizon),
        }
        if topic.name == "dead-letters":
            config["max.message.bytes"] = str(DEAD_LETTER_MAX_BYTES)
        specs.append(TopicSpec(prefix + topic.name, partitions, config))
    return specs


def _kept(retention: Retention, label_horizon: timedelta) -> dict[str, str]:
    match retention:
        case "label_horizon":
            return {"cleanup.policy": "delete", "retention.ms": str(label_horizon // _MS)}
        case "week":
            return {"cleanup.policy": "delete", "retention.ms": str(timedelta(days=7) // _MS)}
        case "kept":
            return {"cleanup.policy": "delete", "retention.ms": str(FOR_EVER)}
        case "compacted":
            return {"cleanup.policy": "compact"}


def compare(specs: Iterable[TopicSpec], found: Iterable[TopicSpec]) -> list[Difference]:
    """What is not as it must be, topic by topic. More than is asked for (a longer retention) is no difference."""
    by_name = {spec.name: spec for spec in found}
    differences: list[Difference] = []
    for spec in specs:
        there = by_name.get(spec.name)
        if there is None:
            differences.append(Difference(spec.name, "missing", f"{spec.name} does not exist"))
        else:
            differences.extend(_partitions(spec, there))
            differences.extend(_config(spec, there))
    return differences


def _partitions(spec: TopicSpec, there: TopicSpec) -> Iterator[Difference]:
    if there.partitions == spec.partitions:
        return
    sentence = (
        f"{spec.name} has {there.partitions} partitions where {spec.partitions} are asked for. The number cannot be "
        f"changed: what is known of a model lies on the partition of its key. Ask for {there.partitions}, or start "
        "afresh under another prefix"
    )
    yield Difference(spec.name, "partitions", sentence, mendable=False)


def _config(spec: TopicSpec, there: TopicSpec) -> Iterator[Difference]:
    """Only what is set in the plan, and known of the topic that is there."""
    for key, value in spec.config.items():
        held = there.config.get(key)
        if held is None or held == value:
            continue
        if key in ("retention.ms", "retention.bytes"):
            if _lasts(held) < _lasts(value):
                sentence = f"{spec.name} keeps its records too short: {key}={held} where {value} is needed"
                yield Difference(spec.name, "retention", sentence)
        elif key == "cleanup.policy":
            sentence = f"{spec.name} is cleaned up the wrong way: {key}={held} where {value} is needed"
            yield Difference(spec.name, "cleanup", sentence)
        elif key == "message.timestamp.type":
            sentence = f"{spec.name} overwrites the time that producers give: {key}={held} where {value} is needed"
            yield Difference(spec.name, "timestamps", sentence)
        elif key == "max.message.bytes" and int(held) < int(value):
            sentence = f"{spec.name} takes too small records: {key}={held} where {value} is needed"
            yield Difference(spec.name, "size", sentence)


def _lasts(value: str) -> float:
    return float("inf") if int(value) == FOR_EVER else int(value)


def check(bootstrap: str, specs: Sequence[TopicSpec], *, security: Mapping[str, Any] | None = None) -> list[Difference]:
    """What Kafka holds otherwise than planned. Changes nothing.

    Args:
        bootstrap: `host:port`, several separated by commas.
        security: given to kafka-python as it is (`security_protocol`, `ssl_cafile`, ...).

    Raises:
        Unavailable: Kafka does not answer, or does not let us look.
        InvalidSettings: kafka-python does not know a setting in `security`.
    """
    admin = _connect(bootstrap, security)
    try:
        return compare(specs, _found(admin, specs))
    except KafkaError as error:
        refused = missing_right(error, "look at the topics")
        raise refused or Unavailable(f"Kafka at {bootstrap} did not describe its topics: {error}") from error
    finally:
        admin.close()


def create(
    bootstrap: str,
    specs: Sequence[TopicSpec],
    *,
    replication: int = -1,
    security: Mapping[str, Any] | None = None,
) -> Made:
    """Make what is missing and mend what can be mended, and wait until all of it has leaders. Twice is as good as once.

    Args:
        replication: of topics that are made; -1 is the broker's default.

    Raises:
        InvalidSettings: a topic has another number of partitions (nothing has been changed then), or Kafka refuses
            what is asked for.
        Unavailable: Kafka does not answer.
    """
    admin = _connect(bootstrap, security)
    try:
        return _carry_out(admin, specs, replication)
    except KafkaError as error:
        refused = missing_right(error, "set the topics up")
        raise refused or Unavailable(f"Kafka at {bootstrap} did not set its topics up: {error}") from error
    finally:
        admin.close()


def _carry_out(admin: KafkaAdminClient, specs: Sequence[TopicSpec], replication: int) -> Made:
    differences = compare(specs, _found(admin, specs))
    fatal = [difference.sentence for difference in differences if not difference.mendable]
    if fatal:
        raise InvalidSettings(fatal[0] if len(fatal) == 1 else f"{fatal[0]} (and {len(fatal) - 1} more topics)")
    missing = {difference.topic for difference in differences if difference.what == "missing"}
    wrong = {difference.topic for difference in differences} - missing
    created = _create(admin, [spec for spec in specs if spec.name in missing], replication)
    _mend(admin, [spec for spec in specs if spec.name in wrong])
    return Made(created, tuple(sorted(wrong)))


def _create(admin: KafkaAdminClient, specs: Sequence[TopicSpec], replication: int) -> tuple[str, ...]:
    if not specs:
        return ()
    request = {
        spec.name: {
            "num_partitions": spec.partitions,
            "replication_factor": replication,
            "configs": dict(spec.config),
        }
        for spec in specs
    }
    answer = admin.create_topics(request, raise_errors=False)
    created = []
    for topic in answer["topics"]:
        if topic["error_code"] == _NO_ERROR:
            created.append(topic["name"])
        elif topic["error_code"] != _TOPIC_EXISTS:  # somebody else was faster: as good
            problem = topic.get("error_message") or for_code(topic["error_code"]).__name__
            raise InvalidSettings(f"Kafka refuses to create {topic['name']}: {problem}")
    admin.wait_for_topics([spec.name for spec in specs])
    return tuple(sorted(created))


def _mend(admin: KafkaAdminClient, specs: Sequence[TopicSpec]) -> None:
    """Set each topic's wrong settings; a retention that is longer than planned stays."""
    for spec, there in zip(specs, _found(admin, specs), strict=True):
        changes = {
            key: value
            for key, value in spec.config.items()
            if any(_config(TopicSpec(spec.name, spec.partitions, {key: value}), there))
        }
        if not changes:
            continue
        answer = admin.alter_configs([ConfigResource(ConfigResourceType.TOPIC, spec.name, changes)])
        result = answer["topic"][spec.name]
        if result != "OK":
            raise InvalidSettings(f"Kafka refuses to change {spec.name}: {result}")


def _found(admin: KafkaAdminClient, specs: Iterable[TopicSpec]) -> list[TopicSpec]:
    """Those of the topics that exist, in the order of `specs`."""
    names = [spec.name for spec in specs]
    if not names:
        return []
    partitions: dict[str, int] = {}
    for topic in admin.describe_topics(names):
        if topic["error_code"] == _NO_ERROR:
            partitions[topic["name"]] = len(topic["partitions"])
        elif topic["error_code"] != _UNKNOWN_TOPIC:
            raise for_code(topic["error_code"])(topic["name"])
    there = [name for name in names if name in partitions]
    if not any(spec.config for spec in specs if spec.name in partitions):
        # Nobody asks how they are set, which it takes a right of its own to see.
        return [TopicSpec(name, partitions[name]) for name in there]
    resources = [ConfigResource(ConfigResourceType.TOPIC, name) for name in there]
    configs = admin.describe_configs(resources, config_filter="all")["topic"]
    return [
        TopicSpec(name, partitions[name], {key: held["value"] for key, held in configs[name].items() if held["value"]})
        for name in there
    ]


def _connect(bootstrap: str, security: Mapping[str, Any] | None) -> KafkaAdminClient:
    """kafka-python leaves a socket and a thread behind where nobody listens: we knock at the ports first."""
    settings = security or {}
    if unknown := sorted(set(settings) - set(KafkaAdminClient.DEFAULT_CONFIG)):
        # kafka-python's own message would show their values too.
        raise InvalidSettings(f"kafka-python does not know the settings {', '.join(unknown)}")
    servers = [server.strip() for server in bootstrap.split(",")]
    if not settings.get("proxy_url"):
        servers = [server for server in servers if _listens(server)]
    if not servers:
        raise Unavailable(f"Kafka at {bootstrap} does not answer")
    try:
        return KafkaAdminClient(bootstrap_servers=servers, bootstrap_timeout_ms=BOOTSTRAP_TIMEOUT_MS, **settings)
    except KafkaConfigurationError as error:
        raise InvalidSettings(f"Kafka cannot be reached with these settings: {error}") from error
    except KafkaError as error:
        raise Unavailable(f"Kafka at {bootstrap} does not answer: {error}") from error


def _listens(server: str) -> bool:
    host, _, port = server.rpartition(":")
    try:
        with socket.create_connection((host.strip("[]"), int(port)), timeout=BOOTSTRAP_TIMEOUT_MS / 1000):
            return True
    except ValueError:
        raise InvalidSettings(f"{server!r} is not host:port, as Kafka's address has to be") from None
    except OSError:
        return False
