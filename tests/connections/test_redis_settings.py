"""Which settings of `[redis]` are taken, and what becomes of a password in the url."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
import redis
import redis.asyncio
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from security.authority import Authority
from trueup.connections.redis import redis_arguments
from trueup.connections.redis_settings import RedisSettings
from trueup.errors import InvalidSettings


@pytest.mark.parametrize(
    ("settings", "said"),
    [
        pytest.param({"url": "redis://app:s3cret@redis/0"}, "without TLS", id="password in the url, without TLS"),
        pytest.param({"url": "redis://redis", "password": "s3cret"}, "without TLS", id="password without TLS"),
        pytest.param({"url": "redis://redis", "password_file": "f"}, "without TLS", id="file without TLS"),
        pytest.param({"url": "rediss://a:s3cret@r", "password": "s3cret"}, "leave one of them out", id="two passwords"),
        pytest.param({"url": "rediss://a:s3#cret@redis"}, "cannot be understood", id="password not encoded: #"),
        pytest.param({"url": "rediss://a:s3/s3cret@redis"}, "cannot be understood", id="password not encoded: /"),
        pytest.param({"url": "rediss://a:s3?s3cret@redis"}, "cannot be understood", id="password not encoded: ?"),
        pytest.param({"url": "rediss://redis?password=s3cret"}, "a setting", id="password in the query"),
        pytest.param({"url": "rediss://redis?ssl_cert_reqs=none"}, "a setting", id="no verification by the query"),
        pytest.param({"url": "http://a:s3cret@redis"}, "url", id="no such scheme"),
        pytest.param({"url": "rediss://redis", "username": "app"}, "no password", id="user without password"),
        pytest.param({"url": "redis://redis", "ca_file": "ca.pem"}, "without TLS", id="authorities without TLS"),
        pytest.param({"url": "rediss://redis", "key_file": "k"}, "no certificate_file", id="key without certificate"),
        pytest.param({"url": "rediss://redis", "pasword": "s3cret"}, "pasword", id="unknown name"),
    ],
)
def test_settings_that_cannot_be_used_are_refused_without_a_secret(settings: dict[str, Any], said: str) -> None:
    with pytest.raises(ValidationError) as caught:
        RedisSettings(**settings)
    assert said in str(caught.value)
    assert "s3cret" not in str(caught.value)


@given(username=st.text(max_size=20), password=st.text(min_size=1, max_size=20))
def test_a_login_in_the_url_is_what_redis_is_given(username: str, password: str) -> None:
    login = f"{quote(username, safe='')}:{quote(password, safe='')}"
    settings = RedisSettings(url=f"rediss://{login}@redis:6380/1")
    assert settings.url == "rediss://redis:6380/1"
    arguments = redis_arguments(settings)
    assert arguments["password"] == password
    assert arguments.get("username") == (username or None)


@pytest.mark.parametrize("url", ["unix:///run/redis.sock?db=1", "unix://app:s3cret@/run/redis.sock?db=1"])
def test_a_socket_takes_a_password_without_tls(url: str) -> None:
    settings = RedisSettings.model_validate({"url": url, **({} if "@" in url else {"password": "s3cret"})})
    connection = redis.Redis.from_url(**redis_arguments(settings)).connection_pool.make_connection()
    assert isinstance(connection, redis.UnixDomainSocketConnection)
    assert (connection.path, connection.db) == ("/run/redis.sock", 1)


def test_plain_text_is_taken_where_it_is_said_twice() -> None:
    settings = RedisSettings.model_validate({"url": "redis://a:s3cret@redis", "allow_plaintext_password": True})
    assert redis_arguments(settings) == {"url": "redis://redis", "username": "a", "password": "s3cret"}


def test_both_clients_verify_certificate_and_name(tmp_path: Path) -> None:
    authority = Authority(tmp_path)
    own = authority.certificate(common_name="worker")
    settings = RedisSettings(url="rediss://redis", ca_file=authority.file, certificate_file=own)
    for client in (redis.Redis, redis.asyncio.Redis):
        pool = client.from_url(**redis_arguments(settings)).connection_pool
        kwargs = pool.connection_kwargs
        assert kwargs["ssl_cert_reqs"] == "required"
        assert kwargs["ssl_check_hostname"] is True
        assert (kwargs["ssl_ca_certs"], kwargs["ssl_certfile"]) == (str(authority.file), str(own))
    unnamed = redis_arguments(settings.model_copy(update={"verify_hostname": False}))
    assert (unnamed["ssl_check_hostname"], unnamed["ssl_cert_reqs"]) == (False, "required")


def test_a_file_that_is_missing_is_named(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match=r"redis\.ca_file"):
        redis_arguments(RedisSettings(url="rediss://redis", ca_file=tmp_path / "missing.pem"))
