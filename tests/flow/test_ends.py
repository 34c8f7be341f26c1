"""A worker that cannot go on: it ends, in seconds, with one sentence and an exit code; whatever it was that died."""

from __future__ import annotations

import os
import random
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from urllib.request import urlopen

import pytest
import redis

from benchmarks.faults.installation import Installation, wait
from benchmarks.faults.recount import counted, events, recount
from flow.dying import WAYS
from flow.test_killed_worker import CONFIG, emit
from trueup.console.status import read_status
from trueup.embedded.ports import free_ports
from trueup.engine.lane import ENGINE, ENGINE_VERSION
from trueup.errors import Unavailable
from trueup.sdk import Emitter
from trueup.snapshots import pack

pytestmark = [pytest.mark.live, pytest.mark.timeout(240)]

ENDS = "trueup monitor ends: "
#: Way of dying -> what the last line says, beyond its beginning.
SAYS = {
    "a task raises": "a fault of Trueup's own: Bug('at the worst moment')",
    "a task is cancelled": "a fault of Trueup's own: CancelledError()",
    "a task returns": "a fault of Trueup's own: RuntimeError('returns ended by itself')",
    "the agent raises": "a fault of Trueup's own: Bug('at the worst moment')",
    "the fetcher raises": "a fault of Trueup's own: Bug('at the worst moment')",
    "taking over raises": "a fault of Trueup's own: Bug('at the worst moment')",
    "the thread of the consumer raises": "a fault of Trueup's own: Bug('at the worst moment')",
    "out of memory": "out of memory",
    "it raises and hangs": "a fault of Trueup's own: Bug('at the worst moment')",
    "it reads nothing": "and nothing of the partition was read for 8 s",
}


def test_whatever_dies_the_worker_ends_with_one_sentence_and_a_traceback_of_faults_alone(
    install: Callable[[str, str], Installation],
) -> None:
    """All at once, each in an installation of its own: what is waited for is the slowest."""
    assert SAYS.keys() == WAYS.keys()
    here = install("dying", CONFIG)
    with Emitter(here.bootstrap, topic_prefix=here.prefix) as emitter:
        emit(emitter, random.Random(1), 0, 200)
        assert emitter.flush(30)
    with ExitStack() as leave:
        begun = {way: leave.enter_context(dying(here, number, way)) for number, way in enumerate(WAYS)}
        for process in begun.values():
            leave.callback(process.kill)
        done = {way: (process, process.communicate(timeout=90)[1]) for way, process in begun.items()}
    for way, (process, said) in done.items():
        assert process.returncode == 1, f"{way}: {said}"
        last = said.splitlines()[-1]
        assert last.startswith(ENDS), f"{way}: {said}"
        assert last.endswith(SAYS[way]), f"{way}: {last}"
        assert ("Traceback" in said) == ("fault" in SAYS[way]), f"{way}: {said}"


def dying(here: Installation, number: int, way: str) -> subprocess.Popen[str]:
    """A worker of its own group, with a state of its own, on the same topics."""
    own = {
        "TRUEUP_KAFKA__GROUP_PREFIX": f"dying{number}",
        "TRUEUP_REDIS__KEY_PREFIX": f"dying{number}",
        "TRUEUP_ENGINE__STUCK_SECONDS": "8",  # ten of them start at once
    }
    return subprocess.Popen(
        [sys.executable, "-m", "flow.dying", way],
        env={**os.environ, **here.environment, **own, "PYTHONPATH": str(Path(__file__).parents[1])},
        stdout=subprocess.DEVNULL,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_asked_to_stop_under_load_it_saves_what_it_took_and_ends_with_0(
    install: Callable[[str, str], Installation],
) -> None:
    """It saves every 30 s and what is urgent: what it saves when it ends it saves because it was asked to stop."""
    here = install("asked", "[monitor.defaults]\npages = false\n")
    port = free_ports(1)[0]
    monitor = here.start("monitor", TRUEUP_ENGINE__SAVE_INTERVAL_SECONDS="30", TRUEUP_METRICS__PORT=str(port))
    with load(here):
        wait("it takes records that it does not save", lambda: taken(port) > saved(here) + 500)
        before, asked = taken(port), time.monotonic()
        monitor.stop()
        seconds = time.monotonic() - asked
    assert monitor.exit_code == 0, monitor.tail
    assert ENDS not in monitor.tail
    assert saved(here) >= before
    assert seconds < 9, "the grace ran out"
    here.start("monitor", name="again")
    wait("the next one goes on", lambda: here.progress.settled("monitor"))
    assert_exact(here)


@pytest.mark.parametrize("gone", ["REDIS__URL", "KAFKA__BOOTSTRAP"])
def test_where_kafka_or_redis_is_not_there_it_waits_says_so_and_ends_with_1(
    install: Callable[[str, str], Installation], gone: str
) -> None:
    here = install(f"alone-{gone[0].lower()}", CONFIG)
    nobody = f"127.0.0.1:{free_ports(1)[0]}"
    given = {f"TRUEUP_{gone}": nobody if gone.startswith("KAFKA") else f"redis://{nobody}/0"}
    monitor = here.start("monitor", **given, TRUEUP_ENGINE__STUCK_SECONDS="4")
    wait("it ends", lambda: not monitor.running)
    log = monitor.log.read_text()
    last = log.splitlines()[-1]
    assert monitor.exit_code == 1
    assert last.startswith(ENDS)
    assert nobody.rpartition(":")[2] in last
    assert "Traceback" not in log
    assert "WARNING" in log, "it does not say that it waits"
    assert len(log.splitlines()) <= 12, log


def test_a_topic_that_was_cut_is_for_a_person_to_mend(install: Callable[[str, str], Installation]) -> None:
    here = install("cut", CONFIG)
    with redis.Redis.from_url(here.settings.redis.url) as client:
        client.hset("{cut:monitor:2}:meta", mapping={"epoch": 1, "saves": 1, "at:predictions": 1_000})
        engine = pack(ENGINE_VERSION, {"dead_letters": {}, "last_tick": 0.0, "partitions": 4})
        client.hset("{cut:monitor:2}:state", mapping={ENGINE: engine})
    monitor = here.start("monitor")
    wait("it ends", lambda: not monitor.running)
    assert monitor.exit_code == 2
    assert monitor.tail.splitlines()[-1].startswith(f"{ENDS}cut.predictions partition 2 ends at 0")
    assert "Traceback" not in monitor.tail
    assert "ends at 0" in monitor.how_it_ended
    assert monitor.how_it_ended.endswith("exit code 2")


def test_a_redis_that_is_full_is_waited_for_and_nothing_is_lost(install: Callable[[str, str], Installation]) -> None:
    here = install("full", CONFIG)
    monitor = here.start("monitor")
    with redis.Redis.from_url(here.settings.redis.url) as client, load(here):
        wait("it saves", lambda: saved(here) > 500)
        try:
            client.config_set("maxmemory", "1mb")
            wait("it says what refuses", lambda: "OOM" in monitor.log.read_text())
        finally:
            client.config_set("maxmemory", "0")
        at = saved(here)
        wait("it goes on", lambda: saved(here) > at + 500)
        assert monitor.running, monitor.tail
    wait("everything is settled", lambda: here.progress.settled("monitor"))
    assert_exact(here)


def test_a_redis_that_stays_full_ends_it_with_what_redis_said(install: Callable[[str, str], Installation]) -> None:
    here = install("fuller", CONFIG)
    monitor = here.start("monitor", TRUEUP_ENGINE__STUCK_SECONDS="4")
    with redis.Redis.from_url(here.settings.redis.url) as client, load(here):
        wait("it saves", lambda: saved(here) > 500)
        try:
            client.config_set("maxmemory", "1mb")
            wait("it ends", lambda: not monitor.running)
        finally:
            client.config_set("maxmemory", "0")
    assert monitor.exit_code == 1
    last = monitor.tail.splitlines()[-1]
    assert "could not be saved and published for 4 s (Redis refused" in last
    here.start("monitor", name="again")
    wait("everything is settled", lambda: here.progress.settled("monitor"))
    assert_exact(here)


@contextmanager
def load(here: Installation) -> Iterator[None]:
    """Events, as long as the block lasts, and then delivered."""
    over = threading.Event()

    def produce() -> None:
        rng, number = random.Random(5), 0
        while not over.is_set():
            emit(emitter, rng, number, number + 100)
            number += 100
            over.wait(0.05)

    with Emitter(here.bootstrap, topic_prefix=here.prefix) as emitter:
        thread = threading.Thread(target=produce)
        thread.start()
        try:
            yield
        finally:
            over.set()
            thread.join()
        assert emitter.flush(30)
        assert emitter.counts.delivered == emitter.counts.offered


def assert_exact(here: Installation) -> None:
    prefix = here.prefix
    again = recount(events(here.bootstrap, f"{prefix}predictions"), events(here.bootstrap, f"{prefix}feedback"))
    assert counted(read_status(here.progress)) == again


def taken(port: int) -> float:
    """Records taken, as the worker says."""
    try:
        with urlopen(f"http://127.0.0.1:{port}/metrics", timeout=5) as page:
            lines = page.read().decode().splitlines()
    except OSError:
        return 0
    return sum(float(line.rpartition(" ")[2]) for line in lines if line.startswith("trueup_next_offset{"))


def saved(here: Installation) -> int:
    try:
        return sum(sum(part.offsets.values()) for part in here.progress.saved("monitor", views=False).values())
    except Unavailable:
        return 0
