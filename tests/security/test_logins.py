"""Every way in, through every client library; and what is said where there is no way in."""

from __future__ import annotations

import asyncio
import logging
import threading
import time
import uuid
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any, Protocol, TypeVar

import pytest
from aiokafka import AIOKafkaConsumer, TopicPartition
from kafka import KafkaConsumer
from kafka.admin import ACL, ACLOperation, ACLPermissionType, KafkaAdminClient, ResourcePattern, ResourceType

from security.authority import Authority
from security.secure_stack import PASSWORDS, Secured, password_file, token
from trueup.connections.aiokafka import aiokafka_arguments
from trueup.connections.kafka_login import refuse_bad_login
from trueup.connections.kafka_python import kafka_python_arguments
from trueup.connections.kafka_security import KafkaSecurity
from trueup.engine import topic_setup
from trueup.engine.publisher import KafkaPublisher
from trueup.engine.topic_setup import TopicSpec
from trueup.errors import InvalidSettings, TrueupError, Unavailable
from trueup.sdk import Emitter, EmitterLimits
from trueup.sdk import KafkaSecurity as AppSecurity
from trueup.sdk.security import Security
from trueup.step import Output

pytestmark = pytest.mark.live

WAYS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER", "certificate", "certificate and password")


def settings(secured: Secured, folder: Path, way: str, user: str = "admin", **other: Any) -> KafkaSecurity:
    """The settings of a user for one way in."""
    given: dict[str, Any] = {"protocol": "SASL_SSL", "ca_file": secured.authority.file}
    if way.startswith("certificate"):
        given |= {"protocol": "SSL", "certificate_file": secured.authority.certificate(common_name=user)}
    if way.endswith("password"):
        given |= {"protocol": "SASL_SSL", "mechanism": "PLAIN"}
    if way == "OAUTHBEARER":
        file = folder / f"{user}.token"
        file.write_text(token(user))
        given |= {"mechanism": way, "token_file": file}
    elif way != "certificate":
        given |= {"username": user, "password_file": password_file(folder, user)}
        given.setdefault("mechanism", way)
    return KafkaSecurity.model_validate({**given, **other})


class Client(Protocol):
    """A publisher, or a consumer of aiokafka's."""

    async def start(self) -> None: ...

    async def stop(self) -> None: ...


AnyClient = TypeVar("AnyClient", bound=Client)


@asynccontextmanager
async def started(client: AnyClient) -> AsyncIterator[AnyClient]:
    """Stopped in any case: aiokafka warns of one that could not be started, too."""
    try:
        await client.start()
        yield client
    finally:
        await client.stop()


def consumer_of(kafka: str, security: KafkaSecurity) -> Any:
    return AIOKafkaConsumer(bootstrap_servers=kafka, auto_offset_reset="earliest", **aiokafka_arguments(security))


@pytest.mark.parametrize("way", WAYS)
def test_outputs_go_out_and_come_back_by_every_way_in(secured: Secured, tmp_path: Path, way: str) -> None:
    security = settings(secured, tmp_path, way)
    kafka, prefix = secured.kafka(security.protocol), f"test-{uuid.uuid4().hex[:8]}."
    refuse_bad_login(kafka, security)
    spec = TopicSpec(f"{prefix}signals", 2, {})
    topic_setup.create(kafka, [spec], replication=1, security=kafka_python_arguments(security))
    assert topic_setup.check(kafka, [spec], security=kafka_python_arguments(security)) == []

    async def there_and_back() -> list[bytes]:
        async with started(KafkaPublisher(kafka, prefix=prefix, security=aiokafka_arguments(security))) as publisher:
            await publisher.publish([Output("signals", b"m", way.encode(), (), partition=1)])
        async with started(consumer_of(kafka, security)) as consumer:
            consumer.assign([TopicPartition(spec.name, 1)])
            return [(await asyncio.wait_for(consumer.getone(), 20)).value]

    assert asyncio.run(there_and_back()) == [way.encode()]


def test_the_certificate_has_to_be_that_of_the_name(secured: Secured, tmp_path: Path) -> None:
    """The broker's is for 127.0.0.1 and localhost. A number written in another way is another name of the same host."""
    elsewhere = secured.kafka("SSL").replace("127.0.0.1", "127.1")
    with pytest.raises(InvalidSettings, match="not to be trusted"):
        refuse_bad_login(elsewhere, settings(secured, tmp_path, "certificate"))
    refuse_bad_login(elsewhere, settings(secured, tmp_path, "certificate", verify_hostname=False))


@pytest.mark.parametrize(
    ("other", "error", "said"),
    [
        pytest.param({"ca_file": None}, InvalidSettings, "not to be trusted", id="authority unknown to the system"),
        pytest.param({"username": "nobody"}, InvalidSettings, "refuses user nobody", id="unknown user"),
    ],
)
@pytest.mark.parametrize("way", ["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"])
def test_no_way_in_is_one_sentence(
    secured: Secured, tmp_path: Path, way: str, other: dict[str, Any], error: type[TrueupError], said: str
) -> None:
    with pytest.raises(error, match=said) as caught:
        refuse_bad_login(secured.kafka("SASL_SSL"), settings(secured, tmp_path, way, **other))
    assert PASSWORDS["admin"] not in str(caught.value)


def test_a_broker_of_another_authority_is_not_trusted(secured: Secured, tmp_path: Path) -> None:
    other = Authority(tmp_path)
    with pytest.raises(InvalidSettings, match="not to be trusted"):
        refuse_bad_login(secured.kafka("SASL_SSL"), settings(secured, tmp_path, "PLAIN", ca_file=other.file))


@pytest.mark.parametrize("certificate", ["none", "of another authority"])
def test_a_certificate_is_demanded_and_verified(secured: Secured, tmp_path: Path, certificate: str) -> None:
    own = None if certificate == "none" else Authority(tmp_path).certificate(common_name="admin")
    security = settings(secured, tmp_path, "certificate", certificate_file=own)
    with pytest.raises(InvalidSettings, match="does not take our certificate"):
        refuse_bad_login(secured.kafka("SSL"), security)


@pytest.mark.parametrize("text", ["not-a-token", "expired"])
def test_a_token_that_is_refused_is_told_without_it(secured: Secured, tmp_path: Path, text: str) -> None:
    security = settings(secured, tmp_path, "OAUTHBEARER")
    assert security.token_file is not None
    text = token("admin", seconds=-600) if text == "expired" else text
    security.token_file.write_text(text)
    with pytest.raises(InvalidSettings, match="refuses the token") as caught:
        refuse_bad_login(secured.kafka("SASL_SSL"), security)
    assert text not in str(caught.value)


def test_a_port_that_speaks_something_else_is_told(secured: Secured, tmp_path: Path) -> None:
    with pytest.raises(Unavailable, match="is that the port for SSL"):
        refuse_bad_login(secured.kafka("SASL_PLAINTEXT"), settings(secured, tmp_path, "certificate"))


def test_nobody_there_is_left_to_whoever_connects_next(secured: Secured, tmp_path: Path) -> None:
    refuse_bad_login("127.0.0.1:9", settings(secured, tmp_path, "PLAIN"))


def test_the_first_broker_that_is_there_is_asked(secured: Secured, tmp_path: Path) -> None:
    security = settings(secured, tmp_path, "PLAIN", username="nobody")
    with pytest.raises(InvalidSettings, match="refuses user nobody"):
        refuse_bad_login(f"127.0.0.1:9,{secured.kafka('SASL_SSL')}", security)


class Tokens:
    """Tokens that run out after four seconds, which the broker wants renewed before; how many were asked for."""

    def __init__(self) -> None:
        self.asked = 0

    def __call__(self) -> str:
        self.asked += 1
        return token("admin", seconds=4)


def test_an_emitter_goes_on_with_newer_tokens(secured: Secured) -> None:
    """Longer than any one token lives."""
    prefix = f"test-{uuid.uuid4().hex[:8]}."
    specs = [TopicSpec(f"{prefix}predictions", 2, {})]
    topic_setup.create(secured.stack.addresses.kafka, specs, replication=1)
    tokens = Tokens()
    app = AppSecurity(token=tokens, ca_file=secured.authority.file)
    deadline, pause = time.monotonic() + 60, threading.Event()
    with Emitter(secured.kafka("SASL_SSL"), topic_prefix=prefix, security=app) as emitter:
        while tokens.asked < 6:
            assert time.monotonic() < deadline
            emitter.emit_prediction(prediction_id="p", model_id="m", model_version="v", prediction=1)
            assert emitter.flush(20)
            pause.wait(0.1)
        counts = emitter.counts
    assert counts.delivered == counts.offered


def test_a_worker_s_consumer_and_publisher_go_on_with_newer_tokens(
    secured: Secured, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    prefix = f"test-{uuid.uuid4().hex[:8]}."
    topic_setup.create(secured.stack.addresses.kafka, [TopicSpec(f"{prefix}signals", 2, {})], replication=1)
    security, tokens = settings(secured, tmp_path, "OAUTHBEARER"), Tokens()
    monkeypatch.setattr("trueup.connections.kafka_arguments.token_source", lambda _: tokens)

    async def exchange() -> tuple[int, int]:
        kafka, sent, received = secured.kafka("SASL_SSL"), 0, 0
        async with (
            started(KafkaPublisher(kafka, prefix=prefix, security=aiokafka_arguments(security))) as publisher,
            started(consumer_of(kafka, security)) as consumer,
        ):
            consumer.assign([TopicPartition(f"{prefix}signals", 0)])
            while tokens.asked < 12:
                try:
                    await publisher.publish([Output("signals", b"m", b"%d" % sent, (), partition=0)])
                except Unavailable:
                    continue  # As the loop does: the same outputs again.
                sent += 1
                received += sum(map(len, (await consumer.getmany(timeout_ms=200)).values()))
            async with asyncio.timeout(20):
                while received < sent:
                    received += sum(map(len, (await consumer.getmany(timeout_ms=200)).values()))
        return sent, received

    sent, received = asyncio.run(asyncio.wait_for(exchange(), 90))
    assert received >= sent > 12


@pytest.mark.parametrize("way", ["PLAIN", "OAUTHBEARER"])
def test_the_logs_of_the_client_libraries_hold_no_login(
    secured: Secured, tmp_path: Path, caplog: pytest.LogCaptureFixture, way: str
) -> None:
    security = settings(secured, tmp_path, way)
    secret = security.token_file.read_text() if security.token_file else PASSWORDS["admin"]
    kafka = secured.kafka("SASL_SSL")
    with caplog.at_level(logging.DEBUG):
        refuse_bad_login(kafka, security)
        KafkaAdminClient(bootstrap_servers=kafka, **kafka_python_arguments(security)).close()
        consumer = KafkaConsumer(bootstrap_servers=kafka, **kafka_python_arguments(security))
        consumer.topics()
        consumer.close()
        messages = [record.getMessage() for record in caplog.records]
    assert any("Request" in message for message in messages)
    told = {(record.name, record.msg) for record in caplog.records if secret in record.getMessage()}
    assert told == set()


def app_security(secured: Secured, how: str, password: str) -> tuple[str, Security]:
    """The address and the settings of an app."""
    authority = secured.authority
    match how:
        case "certificate":
            own = authority.certificate(common_name="admin-app", key_password=password)
            told = AppSecurity(ca_file=authority.file, certificate_file=own, key_password=password)
            return secured.kafka("SSL"), told
        case "kafka-python's own settings":
            names = {"sasl_mechanism": "PLAIN", "sasl_plain_username": "admin", "sasl_plain_password": password}
            return secured.kafka("SASL_SSL"), {
                "security_protocol": "SASL_SSL",
                "ssl_cafile": str(authority.file),
                **names,
            }
        case _:
            return secured.kafka("SASL_PLAINTEXT"), AppSecurity(
                username="admin", password=password, mechanism="PLAIN", tls=False, allow_plaintext_password=True
            )


@pytest.mark.parametrize("how", ["certificate", "kafka-python's own settings", "plain text, said twice"])
def test_an_emitter_gets_in_by_every_way_that_an_app_can_be_told(secured: Secured, how: str) -> None:
    topic_setup.create(secured.stack.addresses.kafka, [TopicSpec("admin-app.predictions", 2, {})], replication=1)
    admin = KafkaAdminClient(bootstrap_servers=secured.stack.addresses.kafka)
    pattern = ResourcePattern(ResourceType.TOPIC, "admin-app.predictions")
    admin.create_acls([ACL("User:admin-app", "*", ACLOperation.WRITE, ACLPermissionType.ALLOW, pattern)])
    admin.close()
    kafka, security = app_security(secured, how, PASSWORDS["admin"])
    with Emitter(kafka, topic_prefix="admin-app.", security=security) as emitter:
        emitter.emit_prediction(prediction_id="p", model_id="m", model_version="v", prediction=1)
        assert emitter.flush(30)
        assert emitter.counts.delivered == 1


def test_an_app_with_a_wrong_password_is_told_and_not_disturbed(
    secured: Secured, caplog: pytest.LogCaptureFixture
) -> None:
    wrong = AppSecurity(
        username="admin", password="hunter2-wrong", mechanism="SCRAM-SHA-512", ca_file=secured.authority.file
    )
    limits = EmitterLimits(delivery_timeout=timedelta(seconds=3), request_timeout=timedelta(seconds=2))
    with caplog.at_level(logging.DEBUG), Emitter(secured.kafka("SASL_SSL"), security=wrong, limits=limits) as emitter:
        emitter.emit_prediction(prediction_id="p", model_id="m", model_version="v", prediction=1)
        assert emitter.flush(30)
        assert (emitter.counts.delivered, emitter.counts.failed) == (0, 1)
    warned = [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
    assert any("does it let us in" in message for message in warned)
    assert not any("hunter2" in record.getMessage() for record in caplog.records)
