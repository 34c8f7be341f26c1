"""One secured Kafka and Redis for all tests of this folder, with the rights of docs/security.md."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from security import rights
from security.authority import Authority
from security.secure_stack import Secured, additions, secured_ports
from trueup.embedded import Stack


@pytest.fixture(scope="session")
def authority(tmp_path_factory: pytest.TempPathFactory) -> Authority:
    return Authority(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="session")
def secured(authority: Authority, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Secured]:
    ports = secured_ports()
    folder = tmp_path_factory.mktemp("secured")
    with Stack(folder, partitions=2, additions=additions(authority, ports)) as stack:
        rights.give(stack.addresses.kafka, stack.addresses.redis)
        yield Secured(stack, authority, ports)
