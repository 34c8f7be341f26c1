"""Which settings of `[kafka.security]` are taken, and what becomes of them in each client library."""

from __future__ import annotations

import ssl
from pathlib import Path
from typing import Any

import pytest
from faust.auth import OAuthCredentials, SASLCredentials, SSLCredentials
from pydantic import ValidationError

from security.authority import Authority
from trueup.connections.aiokafka import aiokafka_arguments, faust_credentials
from trueup.connections.kafka_python import kafka_python_arguments
from trueup.connections.kafka_security import KafkaSecurity
from trueup.errors import InvalidSettings

LOGIN = {"mechanism": "SCRAM-SHA-512", "username": "app", "password": "s3cret"}


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({"protocol": "SASL_PLAINTEXT", **LOGIN}, "without TLS", id="password without TLS"),
        pytest.param(
            {"protocol": "SASL_PLAINTEXT", "mechanism": "OAUTHBEARER", "token_command": "s3cret"},
            "without TLS",
            id="token without TLS",
        ),
        pytest.param(LOGIN, "never sends it", id="password and no protocol"),
        pytest.param({"protocol": "SSL", "password": "s3cret"}, "never sends it", id="password that is never sent"),
        pytest.param({"protocol": "SASL_SSL"}, "needs a mechanism", id="no mechanism"),
        pytest.param({"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "app"}, "password", id="no password"),
        pytest.param(
            {"protocol": "SASL_SSL", **LOGIN, "password_file": "f"}, "leave one of them out", id="two passwords"
        ),
        pytest.param({"protocol": "SASL_SSL", **LOGIN, "password": ""}, "is empty", id="empty password"),
        pytest.param({"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER"}, "one of token_file", id="no token"),
        pytest.param(
            {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_file": "f", "token_provider": "a:b"},
            "one of token_file",
            id="two tokens",
        ),
        pytest.param(
            {"protocol": "SASL_SSL", **LOGIN, "mechanism": "OAUTHBEARER"}, "token instead", id="password for a token"
        ),
        pytest.param(
            {"protocol": "SASL_SSL", **LOGIN, "token_file": "f"}, "password instead", id="token for a password"
        ),
        pytest.param({"ca_file": "ca.pem"}, "without TLS", id="authorities without TLS"),
        pytest.param({"protocol": "SSL", "key_file": "k.pem"}, "no certificate_file", id="key without certificate"),
        pytest.param(
            {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_provider": "s3cret"},
            "module:callable",
            id="no import path",
        ),
        pytest.param(
            {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_command": "get 's3cret"},
            "token_command is no command",
            id="no command",
        ),
        pytest.param({"protocol": "SASL_SSL", **LOGIN, "mechanism": "GSSAPI"}, "mechanism", id="unknown mechanism"),
    ],
)
def test_settings_that_contradict_themselves_are_refused_without_a_secret(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        KafkaSecurity(**settings)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


def test_plain_text_is_taken_where_it_is_said_twice() -> None:
    security = KafkaSecurity.model_validate({"protocol": "SASL_PLAINTEXT", **LOGIN, "allow_plaintext_password": True})
    assert kafka_python_arguments(security) == {
        "security_protocol": "SASL_PLAINTEXT",
        "sasl_mechanism": "SCRAM-SHA-512",
        "sasl_plain_username": "app",
        "sasl_plain_password": "s3cret",
    }


def test_without_settings_nothing_is_secured() -> None:
    assert kafka_python_arguments(KafkaSecurity()) == aiokafka_arguments(KafkaSecurity())
    assert kafka_python_arguments(KafkaSecurity()) == {"security_protocol": "PLAINTEXT"}
    assert faust_credentials(KafkaSecurity()) is None


def test_faust_never_has_a_password_without_a_context() -> None:
    """It would take that for one to be sent in plain text."""
    with_password = faust_credentials(KafkaSecurity.model_validate({"protocol": "SASL_SSL", **LOGIN}))
    token = {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_file": "f"}
    with_token = faust_credentials(KafkaSecurity.model_validate(token))
    nobody = faust_credentials(KafkaSecurity(protocol="SSL"))
    assert isinstance(with_password, SASLCredentials)
    assert isinstance(with_token, OAuthCredentials)
    assert isinstance(nobody, SSLCredentials)
    for context in (with_password.ssl_context, with_token.ssl_context, nobody.context):
        assert context is not None
        assert context.verify_mode is ssl.CERT_REQUIRED
        assert context.check_hostname


def test_the_name_may_be_left_unverified_but_not_the_certificate() -> None:
    context = kafka_python_arguments(KafkaSecurity(protocol="SSL", verify_hostname=False))["ssl_context"]
    assert not context.check_hostname
    assert context.verify_mode is ssl.CERT_REQUIRED


def test_a_password_is_read_from_its_file_each_time(tmp_path: Path) -> None:
    file = tmp_path / "password"
    security = KafkaSecurity.model_validate(
        {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "app", "password_file": file}
    )
    for password in ("first", "second, with spaces "):
        file.write_text(password + "\n")
        assert aiokafka_arguments(security)["sasl_plain_password"] == password


@pytest.mark.parametrize(
    ("content", "said"),
    [
        pytest.param(None, "cannot be read", id="missing"),
        pytest.param(b"\n", "is empty", id="empty"),
        pytest.param(b"s3cret\xff", "no text", id="no text"),
    ],
)
def test_a_password_file_that_cannot_be_used_is_named(tmp_path: Path, content: bytes | None, said: str) -> None:
    file = tmp_path / "password"
    if content is not None:
        file.write_bytes(content)
    security = KafkaSecurity.model_validate(
        {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "app", "password_file": file}
    )
    with pytest.raises(InvalidSettings, match=said) as caught:
        kafka_python_arguments(security)
    assert str(file) in str(caught.value)
    assert "s3cret" not in str(caught.value)


@pytest.fixture(scope="module")
def certificates(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("certificates"))


def test_an_encrypted_key_is_opened_with_its_password(certificates: Authority) -> None:
    file = certificates.certificate(common_name="locked", key_password="s3cret")
    settings = {"protocol": "SSL", "ca_file": certificates.file, "certificate_file": file}
    assert "ssl_context" in aiokafka_arguments(KafkaSecurity.model_validate({**settings, "key_password": "s3cret"}))
    for wrong in ({}, {"key_password": "hunter2"}):
        with pytest.raises(InvalidSettings, match="certificate_file") as caught:
            aiokafka_arguments(KafkaSecurity.model_validate({**settings, **wrong}))
        assert "hunter2" not in str(caught.value)


@pytest.mark.parametrize("setting", ["ca_file", "certificate_file"])
def test_a_file_that_holds_no_certificate_is_named(certificates: Authority, tmp_path: Path, setting: str) -> None:
    for file in (tmp_path / "missing.pem", tmp_path / "empty.pem"):
        if file.name == "empty.pem":
            file.touch()
        security = KafkaSecurity.model_validate({"protocol": "SSL", "ca_file": certificates.file, setting: file})
        with pytest.raises(InvalidSettings, match=setting) as caught:
            kafka_python_arguments(security)
        assert str(file) in str(caught.value)
