"""Whatever a secret looks like and wherever it was written, it is shown by nothing that shows settings."""

from __future__ import annotations

import json
import string
import traceback
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any
from urllib.parse import quote

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from trueup.connections.kafka_python import kafka_python_arguments
from trueup.connections.kafka_security import KafkaSecurity
from trueup.connections.redis import redis_arguments
from trueup.connections.redis_settings import RedisSettings
from trueup.errors import InvalidSettings
from trueup.settings import KafkaSettings, Settings, read
from trueup.workers.setups import lane_setup

#: Long enough to be nowhere by chance.
SECRETS = st.text(string.ascii_letters + string.digits + "!$%&/()=?+*~#-_.:,;<>|@'^ ", min_size=12, max_size=40).map(
    lambda text: f"zq{text}qz"
)
NO_FIXTURES = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
KAFKA_LOGIN = {"protocol": "SASL_SSL", "mechanism": "PLAIN", "username": "app"}
#: Every place of a secret -> the sections that hold it there.
PLACES: Mapping[str, Callable[[str], dict[str, Any]]] = {
    "kafka password": lambda secret: {"kafka": {"security": {**KAFKA_LOGIN, "password": secret}}},
    "kafka key": lambda secret: {
        "kafka": {"security": {"protocol": "SSL", "certificate_file": "c.pem", "key_password": secret}}
    },
    "token command": lambda secret: {
        "kafka": {
            "security": {"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", "token_command": f"get {quote(secret)}"}
        }
    },
    "redis password": lambda secret: {"redis": {"url": "rediss://redis", "password": secret}},
    "redis url": lambda secret: {"redis": {"url": f"rediss://app:{quote(secret, safe='')}@redis"}},
    "redis key": lambda secret: {
        "redis": {"url": "rediss://redis", "certificate_file": "c.pem", "key_password": secret}
    },
}
#: (section, setting) that may be written a secret by mistake; the last of each is no setting at all.
WRONG = [
    *[("security", name) for name in [*KafkaSecurity.model_fields, "pasword"]],
    *[("redis", name) for name in [*RedisSettings.model_fields, "pasword"]],
    *[("kafka", name) for name in ["security", "password"]],
    ("", "password"),
]


@pytest.fixture(autouse=True)
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.delenv("TRUEUP_CONFIG", raising=False)


def shown(given: Settings) -> str:
    """All that is shown, saved or written of settings."""
    build = lane_setup("monitor", given).build
    parts = (
        repr(given),
        str(given),
        given.model_dump_json(),
        given.fingerprint(),
        repr(build),
        repr(given.model_dump()),
    )
    return "".join(parts)


def pieces(secret: str) -> set[str]:
    """As it is, and as JSON, a repr or a url would write it."""
    return {secret, json.dumps(secret)[1:-1], repr(secret)[1:-1], quote(secret, safe=""), quote(secret)}


@pytest.mark.parametrize("place", PLACES)
@given(secret=SECRETS)
@NO_FIXTURES
def test_a_secret_in_its_place_is_shown_nowhere(place: str, secret: str) -> None:
    given = read(**PLACES[place](secret))
    text = shown(given)
    assert [piece for piece in pieces(secret) if piece in text] == []
    assert given.fingerprint() == read(**PLACES[place]("another")).fingerprint()


@given(secret=SECRETS, place=st.sampled_from(WRONG), protocol=st.sampled_from(["PLAINTEXT", "SSL", "SASL_SSL"]))
@settings(parent=NO_FIXTURES, max_examples=400)
def test_a_secret_in_a_wrong_place_is_not_in_the_error_nor_in_its_traceback(
    secret: str, place: tuple[str, str], protocol: str
) -> None:
    try:
        given = read(**_misplaced(place, secret, protocol))
        kafka_python_arguments(given.kafka.security)
        redis_arguments(given.redis)
    except InvalidSettings as error:
        # A file that is named and missing is told: that is its use.
        if not place[1].endswith("_file"):
            text = "".join(traceback.format_exception(error))
            assert [piece for piece in pieces(secret) if piece in text] == []


def _misplaced(place: tuple[str, str], secret: str, protocol: str) -> dict[str, Any]:
    section, name = place
    match section:
        case "security":
            return {"kafka": {"security": {**KAFKA_LOGIN, "protocol": protocol, name: secret}}}
        case "":
            return {name: secret}
        case _:
            return {section: {name: secret}}


@pytest.mark.parametrize(
    "variable",
    [
        pytest.param("TRUEUP_KAFKA__SECURITY__PASWORD", id="misspelt"),
        pytest.param("TRUEUP_KAFKA__SECURITY__PROTOCOL", id="in another's place"),
        pytest.param("TRUEUP_KAFKA__SECURITY", id="where a section belongs"),
        pytest.param("TRUEUP_REDIS__URL", id="for a url"),
        pytest.param("TRUEUP_REDIS", id="for all of redis"),
    ],
)
@pytest.mark.parametrize(
    "secret", ["zq-s3cret", '{"password": "zq-s3cret"', '["zq-s3cret"]', "http://app:zq-s3cret@redis"]
)
def test_a_secret_in_a_wrong_variable_is_not_repeated(
    monkeypatch: pytest.MonkeyPatch, variable: str, secret: str
) -> None:
    monkeypatch.setenv(variable, secret)
    with pytest.raises(InvalidSettings) as caught:
        read()
    assert "zq-s3cret" not in "".join(traceback.format_exception(caught.value))


def test_no_setting_of_a_connection_decides_the_output() -> None:
    """The fingerprint goes into the journal."""
    secured = read(kafka={"security": {"protocol": "SSL"}}, redis={"url": "rediss://redis"})
    assert secured.fingerprint() == read().fingerprint()
    assert KafkaSettings().security == KafkaSecurity()
