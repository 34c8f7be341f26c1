"""Where the records of a key belong: murmur2, as in the Java client. librdkafka hashes otherwise unless it is told."""

from __future__ import annotations

from kafka.partitioner import murmur2


def partition_for(key: bytes, partitions: int) -> int:
    """The partition, from 0 on, that the Java client's default partitioner gives a key.

    Pure Python: some 0.4 µs a byte, so remember what it said of a key.

    Args:
        key: the record's key as it stands in Kafka.
        partitions: of the topic, at least 1.
    """
    return int(murmur2(key) & 0x7FFFFFFF) % partitions
