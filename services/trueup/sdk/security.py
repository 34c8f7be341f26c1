"""How an app or a pipeline is known to Kafka: `KafkaSecurity`, or kafka-python's own settings as a mapping.

What is refused is refused when the emitter or inbox is made, where a person sees it, and names settings, never values.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from os import PathLike
from typing import Any, Literal

Mechanism = Literal["PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512"]
File = str | PathLike[str]

#: In a mapping beside kafka-python's settings: a password without TLS, said a second time.
ALLOW = "allow_plaintext_password"


class InvalidSecurity(ValueError):
    """The security settings cannot be used. Names settings, never their values, so that it may be logged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class KafkaSecurity:
    """TLS, and who we are: a user with a password, a token, a certificate, or nobody. Its repr shows no secret.

    Args:
        username, password, mechanism: for PLAIN and SCRAM, all three.
        token: for OAUTHBEARER; called for each connection, and whenever Kafka wants a newer token, so it returns one
            that has not run out. It runs in a thread of its own and may take a few seconds.
        ca_file: authorities that the broker's certificate may come from; None: those of the system.
        certificate_file, key_file, key_password: for mutual TLS; the key may be in the same file.
        verify_hostname: whether the certificate has to be that of the name which is connected to.
        tls: False speaks plain text; a password or a token is then refused, unless `allow_plaintext_password`.

    Raises:
        InvalidSecurity: the settings contradict each other.
    """

    username: str | None = None
    password: str | None = field(default=None, repr=False)
    mechanism: Mechanism | None = None
    token: Callable[[], str] | None = field(default=None, repr=False)
    ca_file: File | None = None
    certificate_file: File | None = None
    key_file: File | None = None
    key_password: str | None = field(default=None, repr=False)
    verify_hostname: bool = True
    tls: bool = True
    allow_plaintext_password: bool = False

    def __post_init__(self) -> None:
        login = {"username": self.username, "password": self.password, "mechanism": self.mechanism}
        missing = [name for name, value in login.items() if not value]
        if 0 < len(missing) < len(login):
            raise InvalidSecurity(f"a user needs {', '.join(login)}: {', '.join(missing)} is missing")
        if self.token is not None and not missing:
            raise InvalidSecurity("there is a token and a password: Kafka takes one of them")
        if not self.tls and self._files:
            raise InvalidSecurity(f"{', '.join(self._files)} is there, but tls is off")
        refuse_plaintext_password(self.as_kafka_python(), allowed=self.allow_plaintext_password)

    @property
    def _files(self) -> dict[str, Any]:
        """kafka-python's names for what TLS is made from, where it is there."""
        named = {
            "ssl_cafile": self.ca_file,
            "ssl_certfile": self.certificate_file,
            "ssl_keyfile": self.key_file,
            "ssl_password": self.key_password,
        }
        return {name: value for name, value in named.items() if value is not None}

    def as_kafka_python(self) -> dict[str, Any]:
        """The settings as kafka-python names them; the source of tokens is still the function that was given."""
        sasl = self.token is not None or self.username is not None
        settings: dict[str, Any] = {
            "security_protocol": ("SASL_" if sasl else "") + ("SSL" if self.tls else "PLAINTEXT"),
        }
        if self.tls:
            settings |= {"ssl_check_hostname": self.verify_hostname, **self._files}
        if self.token is not None:
            settings |= {"sasl_mechanism": "OAUTHBEARER", "sasl_oauth_token_provider": self.token}
        elif self.username is not None:
            settings |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.username,
                "sasl_plain_password": self.password,
            }
        return settings


Security = KafkaSecurity | Mapping[str, Any]


def checked(security: Security | None) -> dict[str, Any]:
    """As kafka-python names the settings, without what is said to us alone.

    Raises:
        InvalidSecurity: a password or a token would be sent without TLS, and that is not said twice; or it would not
            be sent at all.
    """
    if isinstance(security, KafkaSecurity):
        return security.as_kafka_python()
    settings = dict(security or {})
    refuse_plaintext_password(settings, allowed=settings.pop(ALLOW, False) is True)
    return settings


def refuse_plaintext_password(settings: Mapping[str, Any], *, allowed: bool) -> None:
    """Kerberos is let through: it shows its password to nobody."""
    protocol = settings.get("security_protocol") or "PLAINTEXT"
    held = [name for name in ("sasl_plain_password", "sasl_oauth_token_provider") if settings.get(name) is not None]
    if held and not str(protocol).startswith("SASL_"):
        raise InvalidSecurity(f"{held[0]} is there, but security_protocol {protocol} never sends it: say SASL_SSL")
    if protocol == "SASL_PLAINTEXT" and settings.get("sasl_mechanism") != "GSSAPI" and not allowed:
        raise InvalidSecurity(
            "SASL_PLAINTEXT sends passwords and tokens without TLS: say SASL_SSL (`tls=True`), or, where the network "
            f"is trusted with them, {ALLOW}=True besides"
        )
