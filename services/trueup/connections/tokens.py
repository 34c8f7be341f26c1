"""Where a token of OAUTHBEARER comes from. It is asked for anew each time, so that one that has run out is replaced."""

from __future__ import annotations

import importlib
import shlex
import subprocess
from collections.abc import Callable

from trueup.connections.kafka_security import KafkaSecurity
from trueup.connections.secret import in_file
from trueup.errors import InvalidSettings, Unavailable

#: A command that takes longer has failed: Kafka gives up on a connection soon after.
COMMAND_SECONDS = 10.0

TokenSource = Callable[[], str]


def token_source(security: KafkaSecurity) -> TokenSource:
    """What returns a token at each call, blocking while it looks; raises `Unavailable` where there is none now.

    Raises:
        InvalidSettings: the provider cannot be imported.
    """
    if security.token_file is not None:
        file = security.token_file
        return lambda: _token(in_file(file, setting="kafka.security.token_file"), "token_file")
    if security.token_command is not None:
        words = shlex.split(security.token_command.get_secret_value())
        return lambda: _token(_printed(words), "token_command")
    provider = _imported(security.token_provider or "")
    return lambda: _token(_returned(provider), "token_provider")


def _token(found: str, setting: str) -> str:
    token = found.strip()
    # Anything else would be taken for the end of the token by the mechanism, or is the text of an error.
    if not token or any(character.isspace() or not character.isprintable() for character in token):
        raise Unavailable(f"kafka.security.{setting} gave something that is not one token")
    return token


def _printed(words: list[str]) -> str:
    """What a command prints. Its arguments and what it says may be secret: neither is repeated."""
    try:
        done = subprocess.run(
            words, stdin=subprocess.DEVNULL, capture_output=True, text=True, timeout=COMMAND_SECONDS, check=False
        )
    except subprocess.TimeoutExpired:
        problem = f"took longer than {COMMAND_SECONDS:.0f} s"
    except (OSError, ValueError) as error:
        problem = f"could not be run ({type(error).__name__})"
    else:
        if done.returncode == 0:
            return done.stdout
        problem = f"ended with exit code {done.returncode}"
    raise Unavailable(f"kafka.security.token_command: {words[0]} {problem}") from None


def _imported(path: str) -> Callable[[], object]:
    module, _, name = path.partition(":")
    try:
        found = getattr(importlib.import_module(module), name)
    except (ImportError, AttributeError) as error:
        raise InvalidSettings(f"kafka.security.token_provider: there is no {path} to import") from error
    if not callable(found):
        raise InvalidSettings(f"kafka.security.token_provider: {path} is not callable")
    provider: Callable[[], object] = found
    return provider


def _returned(provider: Callable[[], object]) -> str:
    """What somebody else's code returns; whatever it raises may hold the secrets that it works with."""
    try:
        found = provider()
    except Exception as error:
        problem = f"raised {type(error).__name__}"
    else:
        if isinstance(found, str):
            return found
        problem = f"returned {type(found).__name__}, not str"
    raise Unavailable(f"kafka.security.token_provider {problem}") from None
