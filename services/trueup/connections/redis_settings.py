"""The settings of Redis, `[redis]`."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, Any, Self
from urllib.parse import parse_qsl, unquote, urlsplit

from pydantic import BaseModel, ConfigDict, Field, SecretStr, model_validator

from trueup.connections.secret import one_of
from trueup.connections.tls import Files

_TLS = ("ca_file", "certificate_file", "key_file", "key_password", "key_password_file")


class RedisSettings(BaseModel):
    """Where the state is.

    The url may be given with a user and a password; they are taken out of it before anything else looks at it, so that
    `url` can always be shown.
    """

    model_config = ConfigDict(frozen=True, extra="forbid", hide_input_in_errors=True)

    #: `rediss://` is TLS.
    url: Annotated[str, Field(pattern=r"^(redis|rediss|unix)://")] = "redis://127.0.0.1:6379/0"
    key_prefix: Annotated[str, Field(pattern=r"^[a-zA-Z0-9._-]+$", max_length=100)] = "trueup"
    #: A user of Redis' ACL; without one, a password is that of the user `default`.
    username: str | None = None
    password: SecretStr | None = None
    password_file: Path | None = None
    #: Authorities that the server's certificate may come from; None: those of the system.
    ca_file: Path | None = None
    #: For mutual TLS; the key may be in the same file.
    certificate_file: Path | None = None
    key_file: Path | None = None
    key_password: SecretStr | None = None
    key_password_file: Path | None = None
    verify_hostname: bool = True
    allow_plaintext_password: bool = False

    @model_validator(mode="before")
    @classmethod
    def _out_of_the_url(cls, given: Any) -> Any:
        return _without_login(given) if isinstance(given, dict) and isinstance(given.get("url"), str) else given

    @model_validator(mode="after")
    def _agrees_with_itself(self) -> Self:
        one_of("password", self.password, self.password_file)
        one_of("key_password", self.key_password, self.key_password_file)
        has_password = self.password is not None or self.password_file is not None
        if self.username is not None and not has_password:
            raise ValueError("username is there, but no password or password_file")
        if has_password and not self.safe and not self.allow_plaintext_password:
            raise ValueError(
                "a password is sent without TLS to a url with redis://: say rediss://, or, where the network is "
                "trusted with it, allow_plaintext_password = true besides"
            )
        for name in _TLS:
            if getattr(self, name) is not None and not self.tls:
                raise ValueError(f"{name} is there, but the url is without TLS: say rediss://")
            if getattr(self, name) is not None and name.startswith("key") and self.certificate_file is None:
                raise ValueError(f"{name} is there, but there is no certificate_file")
        return self

    @property
    def tls(self) -> bool:
        """Whether the connection is encrypted."""
        return self.url.startswith("rediss://")

    @property
    def safe(self) -> bool:
        """Whether nobody on a network can read along: TLS, or a socket of this machine."""
        return self.tls or self.url.startswith("unix://")

    @property
    def files(self) -> Files:
        """The certificates."""
        return Files("redis", self.ca_file, self.certificate_file, self.key_file)


def _without_login(given: dict[str, Any]) -> dict[str, Any]:
    """The same settings with the url's user and password in settings of their own.

    Raises:
        ValueError: the url cannot be understood (so that nobody can tell where a password in it ends), holds secrets
            in its query, or a password is there twice. The url is not repeated.
    """
    parts = _parts(given["url"])
    login, at, address = parts.netloc.rpartition("@")
    if not at:
        return given
    username, _, password = login.partition(":")
    if password and (given.get("password") is not None or given.get("password_file") is not None):
        raise ValueError("the url and the settings hold a password: leave one of them out")
    found = {**given, "url": parts._replace(netloc=address).geturl()}
    if parts.scheme == "unix":
        found["url"] = f"unix://{address}{parts.path}" + (f"?{parts.query}" if parts.query else "")
    if username and found.get("username") is None:
        found["username"] = unquote(username)
    if password:
        found["password"] = unquote(password)
    return found


def _parts(url: str) -> Any:
    try:
        parts = urlsplit(url)
        # Both are looked at only when they are asked for.
        _ = parts.port, parts.hostname
    except ValueError:
        parts = None
    if parts is None or parts.fragment or "@" in parts.path + parts.query:
        raise ValueError(
            "the url cannot be understood: in a password, letters such as @ / # : are written %40 %2F %23 %3A"
        )
    secret = [name for name, _ in parse_qsl(parts.query) if "password" in name or name == "username"]
    tls = [name for name, _ in parse_qsl(parts.query) if name.startswith("ssl")]
    if secret or tls:
        raise ValueError(f"the url holds {(secret or tls)[0]}: there is a setting in [redis] for it")
    return parts
