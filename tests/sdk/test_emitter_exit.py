"""How a process ends, forks or becomes another, in the middle of emitting: no error, no hang, every count exact.

Each program runs in an interpreter of its own. What it prints to stderr (an ignored exception, a fatal error of a
thread at the exit) fails its test, and so does not ending.
"""

import subprocess
import sys
from collections import Counter
from typing import Any

import pytest

PRELUDE = """
import atexit, multiprocessing, os, sys, threading
from trueup.sdk import Emitter

class Acknowledges:
    def __init__(self): self.sent = []
    def send(self, topic, *, key, value, done): done(None)
    def close(self, timeout_s): ...
    def abandon(self): ...

class Silent(Acknowledges):
    def send(self, topic, *, key, value, done): ...

def emit(emitter, number=0):
    emitter.emit_prediction(prediction_id=str(number), model_id="m", model_version="1", prediction=number)

def is_settled(counts):
    return counts.offered == counts.delivered + counts.dropped + counts.failed + counts.pending
"""

DAEMON_THREADS = """
emitter = Emitter("unused", connect=Acknowledges)
def forever():
    while True:
        emit(emitter)
for _ in range(4):
    threading.Thread(target=forever, daemon=True).start()
while emitter.counts.offered < 2_000:
    pass
"""

FINALIZERS = """
class Late:
    def __init__(self, emitter): self.emitter, self.itself = emitter, self
    def __del__(self):
        before = self.emitter.counts.offered
        emit(self.emitter)
        emit(self.emitter, object())  # Neither sent nor an error.
        assert self.emitter.counts.offered == before + 2, self.emitter.counts
        assert is_settled(self.emitter.counts)
        os.write(1, b"late ")
emitter = Emitter("unused", connect=Acknowledges)
emit(emitter)
sys.modules["kept until the end"] = Late(emitter)
late = Late(emitter)
"""

AN_EMITTER_MADE_TOO_LATE = """
class Late:
    def __init__(self): self.itself = self
    def __del__(self, make=Emitter, emit=emit, connect=Acknowledges, write=os.write):
        emitter = make("unused", connect=connect)
        emit(emitter)
        assert emitter.counts.offered == 1, emitter.counts
        write(1, b"late ")
late = Late()
"""

EXIT_HANDLERS = """
def at_exit():
    emit(emitter)
    assert is_settled(emitter.counts)
    os.write(1, b"late ")
atexit.register(at_exit)  # Runs after the emitter's own.
emitter = Emitter("unused", connect=Acknowledges)
emit(emitter)
"""

SILENT_KAFKA = """
emitter = Emitter("unused", connect=Silent)
for number in range(1_000):
    emit(emitter, number)
"""

LOCK_OF_A_DEAD_THREAD = """
class Late:
    def __init__(self, emitter): self.emitter, self.itself = emitter, self
    def __del__(self, write=os.write):
        emit(self.emitter)
        write(1, b"late ")
emitter = Emitter("unused", connect=Acknowledges)
def hold():
    with emitter._outbox._lock:
        held.set()
        threading.Event().wait()  # Until the interpreter stops this thread, with the lock in its hands.
held = threading.Event()
def at_exit():
    threading.Thread(target=hold, daemon=True).start()
    held.wait()
atexit.register(at_exit)
emit(emitter)
emitter.close(5)
sys.modules["kept until the end"] = Late(emitter)
"""

PROGRAMS = [
    pytest.param(DAEMON_THREADS, "", id="daemon threads emit"),
    pytest.param(FINALIZERS, "late late ", id="finalizers emit"),
    pytest.param(AN_EMITTER_MADE_TOO_LATE, "late ", id="an emitter made by a finalizer"),
    pytest.param(EXIT_HANDLERS, "late ", id="an exit handler emits"),
    pytest.param(SILENT_KAFKA, "", id="Kafka says nothing"),
    pytest.param(LOCK_OF_A_DEAD_THREAD, "late ", id="a thread died with the lock"),
]


def run(program: str, *arguments: str) -> tuple[str, str]:
    done = subprocess.run(
        [sys.executable, "-c", PRELUDE + program, *arguments], capture_output=True, text=True, timeout=30, check=False
    )
    assert done.returncode == 0, done.stderr
    return done.stdout, done.stderr


@pytest.mark.parametrize(("program", "said"), PROGRAMS)
def test_an_interpreter_ends_without_an_error_whoever_emits_meanwhile(program: str, said: str) -> None:
    stdout, stderr = run(program)
    assert stdout == said
    losses = [line for line in stderr.splitlines() if "were lost since the last report" not in line]
    assert losses == []


FORKED_WHILE_OTHERS_EMIT = """
emitter = Emitter("unused", connect=Acknowledges)
stop = threading.Event()
def work():
    while not stop.is_set():
        emit(emitter)
        emitter.counts
threads = [threading.Thread(target=work) for _ in range(3)]
for thread in threads:
    thread.start()
for _ in range(30):
    child = os.fork()
    if child == 0:
        for number in range(100):
            emit(emitter, number)
        counts = emitter.close(20)
        os._exit(0 if counts.offered == counts.delivered == 100 else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
stop.set()
for thread in threads:
    thread.join()
counts = emitter.close(20)
assert counts.offered == counts.delivered, counts
"""


def test_a_child_forked_while_other_threads_emit_inherits_no_lock_and_no_count() -> None:
    """One lock that is held at the moment of the fork, and the child would wait for ever."""
    assert run(FORKED_WHILE_OTHERS_EMIT) == ("", "")


PROCESSES = """
def child(first):
    assert emitter.counts.offered == 0, emitter.counts
    for number in range(first, first + 50):
        emit(emitter, number)
    counts = emitter.close(20)
    assert counts.delivered == counts.offered == 50, counts

emitter = Emitter(sys.argv[1], topic_prefix=sys.argv[2])
for number in range(50):
    emit(emitter, number)
context = multiprocessing.get_context("fork")
children = [context.Process(target=child, args=(first,)) for first in (100, 200, 300)]
for each in children:
    each.start()
for number in range(50, 100):
    emit(emitter, number)
for each in children:
    each.join()
    assert each.exitcode == 0
counts = emitter.close(20)
assert counts.delivered == counts.offered == 100, counts
"""


@pytest.mark.live
def test_the_children_of_multiprocessing_send_their_own_events_and_the_parent_its_own(topics: Any) -> None:
    topics.create("predictions")
    assert run(PROCESSES, topics.servers, topics.prefix) == ("", "")
    arrived = Counter(event["prediction"] for event in topics.events("predictions"))
    assert arrived == Counter([*range(100), *range(100, 150), *range(200, 250), *range(300, 350)])


BECOMES_ANOTHER = """
emitter = Emitter(sys.argv[1], topic_prefix=sys.argv[2])
first = int(sys.argv[3])
for number in range(first, first + 50):
    emit(emitter, number)
if first == 0:
    assert emitter.flush(20)
    os.execv(sys.executable, [sys.executable, "-c", os.environ["PROGRAM"], *sys.argv[1:3], "100"])
"""


@pytest.mark.live
def test_a_program_that_takes_the_place_of_one_that_flushed_sends_its_own_events(
    topics: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    """0 .. 49 flush, exec, 100 .. 149, exit: nothing of the first program's is left to disturb the second."""
    topics.create("predictions")
    monkeypatch.setenv("PROGRAM", PRELUDE + BECOMES_ANOTHER)
    assert run(BECOMES_ANOTHER, topics.servers, topics.prefix, "0") == ("", "")
    arrived = Counter(event["prediction"] for event in topics.events("predictions"))
    assert arrived == Counter([*range(50), *range(100, 150)])
