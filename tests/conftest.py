"""What every live test runs on: one embedded Kafka and Redis for the whole session."""

from collections.abc import Iterator

import pytest

from trueup.embedded import Stack


@pytest.fixture(scope="session")
def stack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stack]:
    """A running Kafka (topics have four partitions by default) and Redis, shared: use topics and keys of your own.

    A test that kills a server starts it again before it ends.
    """
    with Stack(tmp_path_factory.mktemp("stack"), partitions=4) as running:
        yield running
