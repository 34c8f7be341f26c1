"""The rights that docs/security.md lists, taken from the page and given to the users of the tests: these, no others."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import redis
from kafka.admin import (
    ACL,
    ACLOperation,
    ACLPermissionType,
    ACLResourcePatternType,
    KafkaAdminClient,
    ResourcePattern,
    ResourceType,
)

from security.secure_stack import REDIS_PASSWORD

PAGE = Path(__file__).parents[2] / "docs/security.md"


def _parser() -> argparse.ArgumentParser:
    """As much of kafka-acls.sh as the page uses."""
    parser = argparse.ArgumentParser(exit_on_error=False, allow_abbrev=False)
    parser.add_argument("--allow-principal", required=True)
    parser.add_argument("--operation", action="append", required=True)
    parser.add_argument("--topic", action="append", default=[])
    parser.add_argument("--group", action="append", default=[])
    parser.add_argument("--resource-pattern-type", default="literal", choices=["literal", "prefixed"])
    return parser


def kafka_rights() -> Iterator[ACL]:
    """Every right of the page."""
    for line in re.findall(r"^\$acl (.+)$", PAGE.read_text(), flags=re.MULTILINE):
        told = _parser().parse_args(shlex.split(line))
        named = [(ResourceType.TOPIC, name) for name in told.topic] + [
            (ResourceType.GROUP, name) for name in told.group
        ]
        for kind, name in named:
            pattern = ResourcePattern(kind, name, ACLResourcePatternType[told.resource_pattern_type.upper()])
            for operation in told.operation:
                word = re.sub(r"(?<=[a-z])(?=[A-Z])", "_", operation).upper()
                yield ACL(told.allow_principal, "*", ACLOperation[word], ACLPermissionType.ALLOW, pattern)


def redis_rights() -> list[list[str]]:
    """The ACL lines of the page, with the password of the tests."""
    lines = re.findall(r"^(ACL SETUSER .+)$", PAGE.read_text(), flags=re.MULTILINE)
    return [line.replace(">PASSWORD", f">{REDIS_PASSWORD}").split() for line in lines]


def give(kafka: str, redis_url: str) -> None:
    """Give them, through the ways in where nobody is asked."""
    rights = list(kafka_rights())
    admin = KafkaAdminClient(bootstrap_servers=kafka)
    try:
        result = admin.create_acls(rights)
    finally:
        admin.close()
    assert len(result["succeeded"]) == len(rights), result
    with redis.Redis.from_url(redis_url) as client:
        for line in redis_rights():
            client.execute_command(*line)
