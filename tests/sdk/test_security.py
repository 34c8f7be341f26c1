"""How an app is known to Kafka, and what is refused when the emitter or the inbox is made."""

from __future__ import annotations

import ssl
from collections.abc import Callable
from typing import Any

import pytest

from trueup.sdk import Emitter, InvalidSecurity, KafkaSecurity, TriggerInbox
from trueup.sdk.kafka_port import secured
from trueup.sdk.security import Security, checked

LOGIN: dict[str, Any] = {"username": "app", "password": "s3cret", "mechanism": "SCRAM-SHA-512"}
MAPPED = {"sasl_mechanism": "PLAIN", "sasl_plain_username": "app", "sasl_plain_password": "s3cret"}


def emitter(security: Security) -> None:
    Emitter("localhost:1", security=security).close(0)


def inbox(security: Security) -> None:
    TriggerInbox("localhost:1", group="g", security=security).close()


@pytest.mark.parametrize("make", [emitter, inbox])
@pytest.mark.parametrize(
    ("security", "said"),
    [
        pytest.param({"security_protocol": "SASL_PLAINTEXT", **MAPPED}, "without TLS", id="password without TLS"),
        pytest.param(
            {"security_protocol": "SASL_PLAINTEXT", **MAPPED, "allow_plaintext_password": "yes"},
            "without TLS",
            id="said twice, but not by True",
        ),
        pytest.param(
            {"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": 1},
            "without TLS",
            id="token without TLS",
        ),
        pytest.param(MAPPED, "never sends it", id="no protocol: it would go as nobody"),
        pytest.param({"security_protocol": "SSL", **MAPPED}, "never sends it", id="SSL: it would go as nobody"),
    ],
)
def test_a_password_without_tls_is_refused_at_once_without_being_repeated(
    make: Callable[[Security], None], security: Security, said: str
) -> None:
    with pytest.raises(InvalidSecurity, match=said) as caught:
        make(security)
    assert "s3cret" not in str(caught.value)


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({**LOGIN, "tls": False}, "without TLS", id="password without TLS"),
        pytest.param({"token": lambda: "t", "tls": False}, "without TLS", id="token without TLS"),
        pytest.param({"username": "app", "password": "s3cret"}, "mechanism is missing", id="no mechanism"),
        pytest.param({**LOGIN, "password": ""}, "password is missing", id="empty password"),
        pytest.param({**LOGIN, "token": lambda: "t"}, "one of them", id="password and token"),
        pytest.param({"tls": False, "ca_file": "ca.pem"}, "tls is off", id="authorities without TLS"),
    ],
)
def test_settings_that_contradict_each_other_are_refused(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSecurity, match=said) as caught:
        KafkaSecurity(**settings)
    assert "s3cret" not in str(caught.value)


def test_plain_text_is_taken_where_it_is_said_twice() -> None:
    said = {"security_protocol": "SASL_PLAINTEXT", **MAPPED}
    assert checked({**said, "allow_plaintext_password": True}) == said
    spoken = checked(KafkaSecurity(**LOGIN, tls=False, allow_plaintext_password=True))
    assert spoken == {**said, "sasl_mechanism": "SCRAM-SHA-512"}


@pytest.mark.parametrize(
    "security",
    [
        pytest.param(None, id="nothing"),
        pytest.param({"security_protocol": "SSL", "ssl_cafile": "ca.pem"}, id="TLS"),
        pytest.param({"security_protocol": "SASL_SSL", **MAPPED}, id="a password over TLS"),
        pytest.param({"security_protocol": "SASL_PLAINTEXT", "sasl_mechanism": "GSSAPI"}, id="Kerberos"),
    ],
)
def test_what_kafka_python_knows_goes_through_as_it_is(security: dict[str, Any] | None) -> None:
    assert checked(security) == (security or {})


def test_tls_is_on_and_verifies_unless_said_otherwise() -> None:
    assert checked(KafkaSecurity(ca_file="ca.pem", certificate_file="c.pem")) == {
        "security_protocol": "SSL",
        "ssl_check_hostname": True,
        "ssl_cafile": "ca.pem",
        "ssl_certfile": "c.pem",
    }
    assert checked(KafkaSecurity(verify_hostname=False))["ssl_check_hostname"] is False


def test_kafka_python_verifies_the_certificate_where_we_leave_the_context_to_it() -> None:
    from kafka.net.transport import KafkaSSLTransport

    context = KafkaSSLTransport._build_ssl_context(KafkaSSLTransport.DEFAULT_CONFIG)
    assert (context.verify_mode, context.check_hostname) == (ssl.CERT_REQUIRED, True)


def test_a_function_becomes_the_source_of_tokens_that_kafka_python_wants() -> None:
    from kafka import KafkaProducer
    from kafka.net.sasl.oauth import AbstractTokenProvider

    tokens = iter(["first", "second"])
    given = secured(checked(KafkaSecurity(token=lambda: next(tokens))), KafkaProducer.DEFAULT_CONFIG)
    provider = given["sasl_oauth_token_provider"]
    assert isinstance(provider, AbstractTokenProvider)
    assert [provider.token(), provider.token()] == ["first", "second"]


def test_the_repr_shows_no_secret() -> None:
    shown = repr(KafkaSecurity(**LOGIN, certificate_file="c.pem", key_password="hunter2"))
    assert "app" in shown
    assert "s3cret" not in shown
    assert "hunter2" not in shown
