"""Where a token comes from, each time anew."""

from __future__ import annotations

import asyncio
import shlex
import sys
import traceback
from pathlib import Path
from typing import Any

import pytest

from trueup.connections import tokens
from trueup.connections.aiokafka import aiokafka_arguments
from trueup.connections.kafka_python import kafka_python_arguments
from trueup.connections.kafka_security import KafkaSecurity
from trueup.connections.tokens import token_source
from trueup.errors import InvalidSettings, TrueupError, Unavailable


def security(**source: Any) -> KafkaSecurity:
    return KafkaSecurity.model_validate({"protocol": "SASL_SSL", "mechanism": "OAUTHBEARER", **source})


def printing(program: str) -> str:
    return shlex.join([sys.executable, "-c", program])


def test_a_file_is_read_for_each_connection_by_every_client(tmp_path: Path) -> None:
    file = tmp_path / "token"
    settings = security(token_file=file)
    ours = kafka_python_arguments(settings)["sasl_oauth_token_provider"]
    theirs = aiokafka_arguments(settings)["sasl_oauth_token_provider"]
    for token in ("first", "second"):
        file.write_text(token + "\n")
        assert ours.token() == token
        assert asyncio.run(theirs.token()) == token


def test_a_command_is_run_for_each_connection(tmp_path: Path) -> None:
    file = tmp_path / "token"
    source = token_source(security(token_command=printing(f"print(open({str(file)!r}).read())")))
    for token in ("first", "second"):
        file.write_text(token)
        assert source() == token


def test_a_function_is_called_for_each_connection() -> None:
    source = token_source(security(token_provider="connections.provided:fresh"))
    assert source() != source()


@pytest.mark.parametrize(
    ("source", "said"),
    [
        pytest.param({"token_command": "no-such-program --secret s3cret"}, "could not be run", id="no program"),
        pytest.param({"token_command": printing("print('s3cret'); exit(3)")}, "exit code 3", id="failed"),
        pytest.param({"token_command": printing("print('s3cret of two words')")}, "not one token", id="no token"),
        pytest.param({"token_command": printing("")}, "not one token", id="nothing printed"),
        pytest.param({"token_provider": "connections.provided:fails"}, "raised ValueError", id="raises"),
        pytest.param({"token_provider": "connections.provided:nothing"}, "returned NoneType", id="returns nothing"),
    ],
)
def test_what_gives_no_token_is_told_without_what_it_said(source: dict[str, str], said: str) -> None:
    ask = token_source(security(**source))
    with pytest.raises(Unavailable, match=said) as caught:
        ask()
    assert "s3cret" not in "".join(traceback.format_exception(caught.value))


def test_a_command_that_does_not_end_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tokens, "COMMAND_SECONDS", 0.2)
    ask = token_source(security(token_command=printing("import time; time.sleep(60)")))
    with pytest.raises(Unavailable, match="took longer"):
        ask()


@pytest.mark.parametrize(
    "path", ["no_such_module:token", "connections.provided:missing", "connections.provided:NO_FUNCTION"]
)
def test_a_function_that_is_not_there_is_refused_at_the_start(path: str) -> None:
    with pytest.raises(InvalidSettings, match=path):
        token_source(security(token_provider=path))


def test_a_token_file_that_is_missing_is_told_at_each_connection(tmp_path: Path) -> None:
    ask = token_source(security(token_file=tmp_path / "missing"))
    with pytest.raises(TrueupError, match="cannot be read"):
        ask()
