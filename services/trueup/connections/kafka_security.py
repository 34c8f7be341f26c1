"""The settings of a secured Kafka, `[kafka.security]`: the words are Kafka's own, without its dots."""

from __future__ import annotations

import re
import shlex
from pathlib import Path
from typing import Literal, Self

from pydantic import BaseModel, ConfigDict, SecretStr, model_validator

from trueup.connections.secret import one_of
from trueup.connections.tls import Files

Protocol = Literal["PLAINTEXT", "SSL", "SASL_SSL", "SASL_PLAINTEXT"]
Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512", "OAUTHBEARER"]

_LOGIN = ("mechanism", "username", "password", "password_file", "token_file", "token_command", "token_provider")
_TOKENS = ("token_file", "token_command", "token_provider")
_TLS = ("ca_file", "certificate_file", "key_file", "key_password", "key_password_file")


class KafkaSecurity(BaseModel):
    """How to speak to Kafka, and as whom. Without any setting: in plain text, as nobody.

    A password or token over a connection without TLS can be read by whoever is on the way; that is refused unless
    `allow_plaintext_password` says it a second time.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    protocol: Protocol = "PLAINTEXT"
    mechanism: Mechanism | None = None
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    #: For OAUTHBEARER, one of three, asked anew for each connection and each time that Kafka wants a newer token:
    #: a file that somebody keeps fresh, a command that prints a token (split as a shell does, run without one),
    #: or `module:callable` that returns one.
    token_file: Path | None = None
    token_command: SecretStr | None = None
    token_provider: str | None = None
    #: Authorities that the broker's certificate may come from; None: those of the system.
    ca_file: Path | None = None
    #: For mutual TLS; the key may be in the same file.
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: SecretStr | None = None
    key_password_file: Path | None = None
    verify_hostname: bool = True
    allow_plaintext_password: bool = False

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        one_of("password", self.password, self.password_file)
        one_of("key_password", self.key_password, self.key_password_file)
        if not self.sasl:
            self._refuse(_LOGIN, f"protocol {self.protocol} never sends it: say SASL_SSL")
        elif not self.tls and not self.allow_plaintext_password:
            raise ValueError(
                "protocol SASL_PLAINTEXT sends passwords and tokens without TLS: say SASL_SSL, or, where the network "
                "is trusted with them, allow_plaintext_password = true besides"
            )
        if not self.tls:
            self._refuse(_TLS, f"protocol {self.protocol} is without TLS: say SSL or SASL_SSL")
        if self.certificate_file is None:
            self._refuse(("key_file", "key_password", "key_password_file"), "there is no certificate_file")
        if self.sasl:
            self._knows_who()
        return self

    def _knows_who(self) -> None:
        tokens = [name for name in _TOKENS if getattr(self, name) is not None]
        if self.mechanism is None:
            raise ValueError(f"protocol {self.protocol} needs a mechanism: PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, ...")
        if self.mechanism == "OAUTHBEARER":
            self._refuse(("username", "password", "password_file"), "OAUTHBEARER takes a token instead")
            if len(tokens) != 1:
                raise ValueError(f"OAUTHBEARER needs one of {', '.join(_TOKENS)}")
        else:
            self._refuse(_TOKENS, f"{self.mechanism} takes a username and a password instead")
            if not self.username or (self.password is None and self.password_file is None):
                raise ValueError(f"{self.mechanism} needs a username, and a password or password_file")
        if self.token_command is not None and not _words(self.token_command.get_secret_value()):
            raise ValueError("token_command is no command, or a quote in it has no end")
        if self.token_provider is not None and not re.fullmatch(r"[\w.]+:\w+", self.token_provider):
            raise ValueError("token_provider is not module:callable")

    def _refuse(self, names: tuple[str, ...], why: str) -> None:
        for name in names:
            if getattr(self, name) is not None:
                raise ValueError(f"{name} is there, but {why}")

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def sasl(self) -> bool:
        """Whether a password or a token is sent."""
        return self.protocol in ("SASL_SSL", "SASL_PLAINTEXT")

    @property
    def files(self) -> Files:
        """The certificates."""
        return Files("kafka.security", self.ca_file, self.certificate_file, self.key_file)


def _words(command: str) -> list[str]:
    """A command as a shell would split it; nothing where it could not."""
    try:
        return shlex.split(command)
    except ValueError:
        return []
