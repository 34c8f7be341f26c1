"""Redis with TLS and users of its ACL: who gets in, and what is said to who does not."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
import redis

from security.authority import Authority
from security.secure_stack import REDIS_PASSWORD, Secured
from trueup.connections.redis import redis_arguments, refuse_bad_login
from trueup.connections.redis_settings import RedisSettings
from trueup.errors import InvalidSettings

pytestmark = pytest.mark.live


def settings(secured: Secured, **other: Any) -> RedisSettings:
    given = {
        "url": secured.rediss,
        "username": "trueup",
        "password": REDIS_PASSWORD,
        "ca_file": secured.authority.file,
    }
    return RedisSettings.model_validate({**given, **other})


def test_a_user_gets_in_with_a_password_and_a_certificate_of_its_own(secured: Secured) -> None:
    own = secured.authority.certificate(common_name="trueup", key_password="s3cret")
    security = settings(secured, certificate_file=own, key_password="s3cret")
    refuse_bad_login(security)
    with redis.Redis.from_url(**redis_arguments(security)) as client:
        assert client.hset("{trueup:test}:meta", "a", "b") == 1
        assert client.hdel("{trueup:test}:meta", "a") == 1


@pytest.mark.parametrize(
    ("other", "said"),
    [
        pytest.param({"password": "hunter2"}, "refuses user trueup", id="wrong password"),
        pytest.param({"username": "nobody"}, "refuses user nobody", id="unknown user"),
        pytest.param({"key_prefix": "theirs"}, "does not let trueup", id="keys of others"),
        pytest.param({"username": "trueup-operator"}, "does not let trueup-operator", id="may only look"),
        pytest.param({"ca_file": None}, "certificate that is not trusted", id="authority unknown to the system"),
    ],
)
def test_no_way_in_is_one_sentence_without_the_password(secured: Secured, other: dict[str, Any], said: str) -> None:
    with pytest.raises(InvalidSettings, match=said) as caught:
        refuse_bad_login(settings(secured, **other))
    assert "\n" not in str(caught.value)
    assert REDIS_PASSWORD not in str(caught.value)
    assert "hunter2" not in str(caught.value)


def test_a_server_of_another_authority_is_not_trusted(secured: Secured, tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="certificate that is not trusted"):
        refuse_bad_login(settings(secured, ca_file=Authority(tmp_path).file))


def test_the_certificate_has_to_be_that_of_the_name(secured: Secured) -> None:
    elsewhere = secured.rediss.replace("127.0.0.1", "127.1")
    with pytest.raises(InvalidSettings, match="certificate that is not trusted"):
        refuse_bad_login(settings(secured, url=elsewhere))
    refuse_bad_login(settings(secured, url=elsewhere, verify_hostname=False))


def test_nobody_there_is_left_to_the_worker_which_waits(secured: Secured) -> None:
    refuse_bad_login(settings(secured, url="rediss://127.0.0.1:9"))
