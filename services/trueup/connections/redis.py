"""The arguments of redis-py, and what is said where Redis does not let us in."""

from __future__ import annotations

from typing import Any

from redis import Redis
from redis.exceptions import AuthenticationError, NoPermissionError, RedisError

from trueup.connections.redis_settings import RedisSettings
from trueup.connections.secret import revealed
from trueup.connections.tls import Files, tls_context
from trueup.errors import InvalidSettings

_LOOK = "return redis.call('HLEN', KEYS[1])"


def redis_arguments(settings: RedisSettings) -> dict[str, Any]:
    """For `Redis.from_url`, of `redis` and of `redis.asyncio`, the url among them. Holds secrets: never to be printed.

    Raises:
        InvalidSettings: a file cannot be read or used.
    """
    arguments: dict[str, Any] = {"url": settings.url}
    if settings.username is not None:
        arguments["username"] = settings.username
    password = revealed(settings.password, settings.password_file, setting="redis.password")
    if password is not None:
        arguments["password"] = password
    if settings.tls:
        arguments.update(_tls_arguments(settings))
    return arguments


def _tls_arguments(settings: RedisSettings) -> dict[str, Any]:
    """redis-py takes no context, only files: they are tried out here, since it says little where one is wrong."""
    key_password = revealed(settings.key_password, settings.key_password_file, setting="redis.key_password")
    tls_context(settings.files, key_password=key_password, verify_hostname=settings.verify_hostname)
    named = {
        "ssl_ca_certs": _text(settings.files, "ca"),
        "ssl_certfile": _text(settings.files, "certificate"),
        "ssl_keyfile": _text(settings.files, "key"),
        "ssl_password": key_password,
    }
    return {
        "ssl_cert_reqs": "required",
        "ssl_check_hostname": settings.verify_hostname,
        **{name: value for name, value in named.items() if value is not None},
    }


def _text(files: Files, which: str) -> str | None:
    file = getattr(files, which)
    return None if file is None else str(file)


def redis_refusal(error: BaseException, settings: RedisSettings) -> InvalidSettings | None:
    """What a person has to mend where Redis answered and will not have us; None: it may be otherwise a moment later."""
    # Redis 6 says ACL of what a script may not do, and has no word of its own for it.
    if isinstance(error, NoPermissionError) or "ACL failure" in str(error) or "NOPERM" in str(error):
        return InvalidSettings(
            f"Redis at {settings.url} does not let {settings.username or 'default'} do what is needed ({error}): "
            "docs/security.md has the rights"
        )
    if isinstance(error, AuthenticationError):
        return InvalidSettings(
            f"Redis at {settings.url} refuses user {settings.username or 'default'}: look at redis.username and "
            "redis.password"
        )
    if "CERTIFICATE_VERIFY_FAILED" in str(error):
        return InvalidSettings(f"Redis at {settings.url} has a certificate that is not trusted: {error}")
    return None


def refuse_bad_login(settings: RedisSettings) -> None:
    """Connect once, and run a script that reads one of our keys: all that a worker does is a script. Changes nothing.

    Raises:
        InvalidSettings: Redis is there and does not let us in, or not at our keys. Where it is not there, nothing is
            raised: it may come.
    """
    with Redis.from_url(**redis_arguments(settings), socket_timeout=10, socket_connect_timeout=3) as client:
        try:
            client.register_script(_LOOK)(keys=[f"{{{settings.key_prefix}:login}}"])
        except (RedisError, OSError) as error:
            refusal = redis_refusal(error, settings)
            if refusal is not None:
                raise refusal from error
