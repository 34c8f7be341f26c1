"""Keys land where the Java client puts them."""

from __future__ import annotations

import pytest

from trueup.engine.partitioner import partition_for

#: Key and hash, from Apache Kafka's own `UtilsTest.testMurmur2`.
JAVA = [
    (b"21", -973932308),
    (b"foobar", -790332482),
    (b"a-little-bit-long-string", -985981536),
    (b"a-little-bit-longer-string", -1486304829),
    (b"lkjh234lh9fiuh90y23oiuhsafujhadof229phr9h19h89h8", -58897971),
    (b"abc", 479470107),
]


@pytest.mark.parametrize(("key", "java_hash"), JAVA, ids=[key.decode() for key, _ in JAVA])
def test_a_key_lands_on_the_partition_that_the_java_client_gives_it(key: bytes, java_hash: int) -> None:
    for partitions in (1, 2, 4, 7, 1_024):
        assert partition_for(key, partitions) == (java_hash & 0x7FFFFFFF) % partitions


def test_keys_of_any_length_and_bytes_spread_over_all_partitions() -> None:
    keys = [bytes([first]) * length for first in range(256) for length in range(8)]
    assert {partition_for(key, 8) for key in keys} == set(range(8))
