"""A Kafka and a Redis that ask who is there: TLS, passwords, tokens, certificates and rights.

Kafka   PLAINTEXT        nobody is asked: what the tests themselves look through, and above all rights
        SASL_SSL         PLAIN, SCRAM-SHA-256 and -512, OAUTHBEARER (tokens are not signed)
        SASL_PLAINTEXT   the same passwords, without TLS
        SSL              a certificate of our authority, whose common name is the user
Redis   redis://         nobody is asked          rediss://  a user and a password
"""

from __future__ import annotations

import base64
import json
import time
from dataclasses import dataclass
from pathlib import Path

from security.authority import Authority
from trueup.embedded import Additions, KafkaAdditions, Stack
from trueup.embedded.ports import HOST, free_ports

#: User -> its password. Each is a string that occurs nowhere else, so that it is found wherever it leaks.
PASSWORDS = {
    name: f"pw-{name}-9f2c7d1e"
    for name in (
        "trueup-topics",
        "trueup-monitor",
        "trueup-alerter",
        "trueup-notifier",
        "trueup-operator",
        "app",
        "pipeline",
        "admin",
        "stranger",
    )
}
REDIS_PASSWORD = "pw-redis-51b0e6aa"
_JAAS = "org.apache.kafka.common.security"


@dataclass(frozen=True)
class Secured:
    """The servers, and where each way in is."""

    stack: Stack
    authority: Authority
    ports: dict[str, int]

    def kafka(self, protocol: str) -> str:
        """The address for a security protocol."""
        return f"{HOST}:{self.ports[protocol]}"

    @property
    def rediss(self) -> str:
        """The address of Redis with TLS."""
        return f"rediss://{HOST}:{self.ports['redis']}/0"


def additions(authority: Authority, ports: dict[str, int]) -> Additions:
    """What makes the embedded servers ask."""
    server = authority.certificate(HOST, "localhost", common_name="server")
    plain = " ".join(f'user_{name}="{password}"' for name, password in PASSWORDS.items())
    login = {
        "plain": f"{_JAAS}.plain.PlainLoginModule required {plain};",
        "scram-sha-256": f"{_JAAS}.scram.ScramLoginModule required;",
        "scram-sha-512": f"{_JAAS}.scram.ScramLoginModule required;",
        "oauthbearer": f'{_JAAS}.oauthbearer.OAuthBearerLoginModule required unsecuredLoginStringClaim_sub="broker";',
    }
    properties = {
        "ssl.keystore.type": "PEM",
        "ssl.keystore.location": str(server),
        "ssl.truststore.type": "PEM",
        "ssl.truststore.location": str(authority.file),
        "ssl.principal.mapping.rules": "RULE:^.*CN=([a-z-]+).*$/$1/",
        "listener.name.ssl.ssl.client.auth": "required",
        "sasl.enabled.mechanisms": "PLAIN,SCRAM-SHA-256,SCRAM-SHA-512,OAUTHBEARER",
        "authorizer.class.name": "org.apache.kafka.metadata.authorizer.StandardAuthorizer",
        "super.users": "User:ANONYMOUS;User:admin",
        # A client has to show a newer token every so often.
        "listener.name.sasl_ssl.oauthbearer.connections.max.reauth.ms": "4000",
    }
    for listener in ("sasl_ssl", "sasl_plaintext"):
        properties |= {f"listener.name.{listener}.{name}.sasl.jaas.config": text for name, text in login.items()}
    users = [
        f"SCRAM-SHA-{size}=[name={name},password={password}]"
        for name, password in PASSWORDS.items()
        for size in (256, 512)
    ]
    listeners = {name: ports[name] for name in ("SASL_SSL", "SSL", "SASL_PLAINTEXT")}
    redis = {
        "tls-port": str(ports["redis"]),
        "tls-cert-file": str(server),
        "tls-key-file": str(server),
        "tls-ca-cert-file": str(authority.file),
        "tls-auth-clients": "optional",
    }
    return Additions(KafkaAdditions(listeners, properties, users), redis)


def secured_ports() -> dict[str, int]:
    """A port for each way in."""
    return dict(zip(("SASL_SSL", "SSL", "SASL_PLAINTEXT", "redis"), free_ports(4), strict=True))


def token(user: str, *, seconds: float = 60.0) -> str:
    """A JWT without a signature, as Kafka takes it where nothing else was set up."""
    now = time.time()
    parts = [{"alg": "none"}, {"sub": user, "iat": now, "exp": now + seconds}]
    return ".".join([base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts]) + "."


def password_file(folder: Path, user: str) -> Path:
    """As Kubernetes would mount it."""
    file = folder / f"{user}.password"
    file.write_text(PASSWORDS[user] + "\n")
    return file
