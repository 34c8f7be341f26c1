"""The stack: real servers, started, stopped, killed."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlsplit

import psutil
import pytest
import redis
from kafka import KafkaConsumer, KafkaProducer
from kafka.admin import KafkaAdminClient

from trueup.embedded import Addresses, FolderInUse, Stack
from trueup.embedded import stack as stack_module
from trueup.embedded.kafka_server import kafka_program
from trueup.embedded.ports import free_ports, is_free, is_listening

pytestmark = pytest.mark.live

DEADLINE_S = 20.0

# Somebody who starts a stack, says so, and leaves it running for as long as its standard input is open.
PARENT = """
import sys
from pathlib import Path
from trueup.embedded import Stack
with Stack(Path(sys.argv[1]), say=lambda line: None):
    print("up", flush=True)
    sys.stdin.read()
"""


def port(address: str) -> int:
    return urlsplit(address if "//" in address else f"//{address}").port or 0


def create_topic(addresses: Addresses, topic: str) -> None:
    admin = KafkaAdminClient(bootstrap_servers=addresses.kafka)
    admin.create_topics([topic])
    admin.close()


def produce(addresses: Addresses, topic: str, value: bytes) -> None:
    producer = KafkaProducer(bootstrap_servers=addresses.kafka)
    producer.send(topic, value).get(timeout=DEADLINE_S)
    producer.close()


def consume(addresses: Addresses, topic: str, count: int) -> list[bytes]:
    """Return the first records of the topic, in a group of its own."""
    consumer = KafkaConsumer(
        topic,
        bootstrap_servers=addresses.kafka,
        group_id=f"{topic}-readers",
        auto_offset_reset="earliest",
        consumer_timeout_ms=int(DEADLINE_S * 1000),
    )
    values = [record.value for _, record in zip(range(count), consumer, strict=False)]
    consumer.close()
    return values


@pytest.fixture
def client(stack: Stack) -> Iterator[redis.Redis]:
    """A client of the shared Redis."""
    with redis.Redis.from_url(stack.addresses.redis, decode_responses=True) as client:
        yield client


def processes_of(folder: Path) -> list[psutil.Process]:
    """Return the live processes that work in the folder."""
    found = []
    for process in psutil.process_iter():
        try:
            if process.status() != psutil.STATUS_ZOMBIE and Path(process.cwd()).is_relative_to(folder):
                found.append(process)
        except psutil.Error:
            continue
    return found


def wait_until_nothing_works_in(folder: Path) -> None:
    deadline = time.monotonic() + DEADLINE_S
    while left := processes_of(folder):
        assert time.monotonic() < deadline, f"still there: {left}"
        psutil.wait_procs(left, timeout=0.1)


def test_topics_have_the_wanted_partitions_and_records_come_back(stack: Stack) -> None:
    """One record through a consumer group: the broker is whole."""
    create_topic(stack.addresses, "round-trip")
    admin = KafkaAdminClient(bootstrap_servers=stack.addresses.kafka)
    [topic] = admin.describe_topics(["round-trip"])
    admin.close()
    assert len(topic["partitions"]) == 4
    produce(stack.addresses, "round-trip", b"hello")
    assert consume(stack.addresses, "round-trip", 1) == [b"hello"]


def test_a_topic_nobody_created_does_not_come_into_being(stack: Stack) -> None:
    """Asking for it is not creating it."""
    admin = KafkaAdminClient(bootstrap_servers=stack.addresses.kafka)
    admin.describe_topics(["nobodys"])
    assert "nobodys" not in admin.list_topics()
    admin.close()


def test_redis_keeps_an_append_only_file_and_never_evicts(client: redis.Redis) -> None:
    """What was stored is there, and the settings are those of production."""
    client.set("round-trip", "hello")
    assert client.get("round-trip") == "hello"
    wanted = {"appendonly": "yes", "appendfsync": "everysec", "save": "", "maxmemory-policy": "noeviction"}
    assert {name: client.config_get(name)[name] for name in wanted} == wanted


def test_killed_kafka_comes_back_on_the_same_port_with_its_data(stack: Stack) -> None:
    """As after a crash of the broker."""
    before = stack.addresses
    create_topic(stack.addresses, "killed")
    produce(stack.addresses, "killed", b"before")
    stack.kill_kafka()
    assert not is_listening(port(before.kafka))
    stack.restart_kafka()
    assert stack.addresses == before
    produce(stack.addresses, "killed", b"after")
    assert sorted(consume(stack.addresses, "killed", 2)) == [b"after", b"before"]


def test_killed_redis_comes_back_on_the_same_port_with_its_data(stack: Stack, client: redis.Redis) -> None:
    """As after a crash of Redis."""
    before = stack.addresses
    client.set("killed", "before")
    stack.kill_redis()
    assert not is_listening(port(before.redis))
    stack.restart_redis()
    assert stack.addresses == before
    assert client.get("killed") == "before"


def test_a_stopped_stack_leaves_no_process_and_a_later_one_finds_its_data(tmp_path: Path) -> None:
    """The same folder a second time, with a stack on it in the meantime refused."""
    folder = tmp_path / "a folder, named by a user: Trüb"
    said: list[str] = []
    with Stack(folder, say=said.append) as first:
        create_topic(first.addresses, "stays")
        produce(first.addresses, "stays", b"here")
        assert len(processes_of(folder)) == 4
        with pytest.raises(FolderInUse, match=f"{folder} is in use by a running stack"), Stack(folder):
            pass
        assert len(processes_of(folder)) == 4
    assert processes_of(folder) == []
    with Stack(folder, say=said.append) as second:
        assert second.addresses == first.addresses
        assert consume(second.addresses, "stays", 1) == [b"here"]
    assert said == [f"Starting Kafka and Redis in {folder}"] * 2


@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGINT], ids=["kill -9", "Ctrl-C"])
def test_the_servers_go_when_their_parent_goes(tmp_path: Path, number: signal.Signals) -> None:
    """Nothing is left to be cleaned up by hand, and the folder is free again."""
    parent = subprocess.Popen(
        [sys.executable, "-c", PARENT, tmp_path],
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert parent.stdout is not None
    assert parent.stdout.readline() == "up\n"
    assert len(processes_of(tmp_path)) == 4
    os.killpg(parent.pid, number)  # To the whole group, as a terminal does it.
    parent.communicate(timeout=DEADLINE_S)
    wait_until_nothing_works_in(tmp_path)


def test_ports_that_others_took_first_are_given_up(
    stack: Stack, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Somebody may take a port between the choice and the start: here, the servers of another stack already have."""
    taken = port(stack.addresses.kafka), port(stack.addresses.redis)
    choices = iter([[taken[0], *free_ports(1), taken[1]], free_ports(3)])
    monkeypatch.setattr(stack_module, "free_ports", lambda _: next(choices))
    with Stack(tmp_path) as other:
        assert port(other.addresses.kafka) not in taken
        assert port(other.addresses.redis) not in taken
    assert not any(is_free(one) for one in taken)


@pytest.mark.usefixtures("stack")
def test_the_class_path_comes_from_the_cache_once_it_is_there() -> None:
    """The second look downloads nothing and says nothing."""
    said: list[str] = []
    assert kafka_program(said.append) == kafka_program(said.append)
    assert said == []
