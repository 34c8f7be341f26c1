"""The topics taken again in the order of their journal give the same bytes."""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from functools import partial

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.counting import chunk, isolate, lane, outputs, run, setup, tick, value
from trueup.engine import outbox
from trueup.engine.checkpoint import Save
from trueup.engine.lane import Lane, StepFailed
from trueup.engine.memory import MemoryLog
from trueup.engine.records import Chunk
from trueup.engine.replay import Held, replay
from trueup.step import Kept, Needs, Output
from trueup_schemas.journal import JournalEntry

TOPICS = ("predictions", "feedback")
kinds = st.sampled_from(["ok", "ok", "forget", "urgent", "poison", "mute", "left", "right", "bad"])


def entries(saves: Sequence[Save]) -> list[JournalEntry]:
    return [json.loads(outputs(save, "journal")[0].value) for save in saves]


def decoded(saves: Sequence[Save]) -> list[list[Output]]:
    return [[outbox.decode(raw) for raw in save.outbox] for save in saves]


def record(at: int, kinds: Sequence[str]) -> bytes:
    if "bad" in kinds:
        return b"[" + value(f"ok-{at}") + b", {}, 7]"
    return value(*[f"{kind}-{at}-{index}" for index, kind in enumerate(kinds)])


@given(
    records=st.lists(
        st.tuples(st.sampled_from(TOPICS), st.lists(kinds, min_size=1, max_size=3), st.integers(0, 5)), max_size=12
    ),
    size=st.integers(1, 4),
    saves=st.sets(st.integers(0, 12)),
    stream=st.booleans(),
)
def test_whatever_was_taken_skipped_and_ticked_comes_out_the_same_again(
    records: list[tuple[str, list[str], int]], size: int, saves: set[int], stream: bool
) -> None:
    shared = setup(clock="stream" if stream else "wall", bad_tick=lambda now: now % 3 == 0)
    log, now = MemoryLog(1), 0
    for at, (topic, some, later) in enumerate(records):
        now += later
        log.append(topic, record(at, some), timestamp=now)
    running, done = lane(shared), list[Save]()
    for turn in range(len(records) + 1):
        offer(running, log, size)
        run(running, done)
        if not stream:
            surely(partial(tick, running, float(turn)), running, done)
        if turn in saves or turn == len(records):
            save = surely(running.cut, running, done)
            assert save is not None
            done.append(save)
    assert list(replay(0, entries(done), partial(read, log), shared)) == decoded(done)


def offer(running: Lane, log: MemoryLog, size: int) -> None:
    """The next records of each topic."""
    for topic in TOPICS:
        found = log.read(topic, 0, running.offsets.get(topic, 0), most=size)
        if found is not None:
            running.offer(found)


def read(log: MemoryLog, topic: str, first: int, end: int) -> Chunk:
    found = log.read(topic, 0, first, most=end - first)
    assert found is not None
    return found


def surely(call: Callable[[], Save | None], running: Lane, done: Sequence[Save]) -> Save | None:
    """What it returns, isolating where the step raises. A tick that raises is not told again."""
    while True:
        try:
            return call()
        except StepFailed:
            isolate(running, done)


def nothing(topic: str, first: int, end: int) -> Chunk:
    raise AssertionError(f"nothing was taken, but {topic} is read from {first} to {end}")


def ticks(*numbers: int) -> list[JournalEntry]:
    return [
        {
            "worker": "counter",
            "partition": 0,
            "epoch": 1,
            "save": number,
            "taken": [{"type": "tick", "now": float(number)}],
            "settings_hash": "",
            "code_version": "",
        }
        for number in numbers
    ]


def test_what_is_held_is_let_go_once_it_is_outdated_and_much() -> None:
    held, keys = Held(3), [bytes([number]) for number in range(4)]

    def found() -> set[bytes]:
        return set(held.find(Needs(keys)).entries)

    held.keep(saved({keys[0]: Kept(1, 5, b""), keys[1]: Kept(1, 9, b"")}))
    held.let_go({-1: 7})
    assert found() == {keys[0], keys[1]}
    held.keep(saved({keys[2]: Kept(2, 5, b""), keys[3]: Kept(2, 3, b"")}))
    held.let_go({-1: 7, 2: 4})
    assert found() == {keys[1], keys[2]}


def saved(entries: dict[bytes, Kept]) -> Save:
    """A save of nothing but these entries."""
    return Save(epoch=1, base={}, saves=0, offsets={}, sections={}, asleep={}, entries=entries, views={}, outbox=[])


def test_a_journal_of_nothing_gives_nothing() -> None:
    assert list(replay(0, [], nothing, setup())) == []


@pytest.mark.parametrize("numbers", [(2,), (1, 3), (1, 1)], ids=str)
def test_a_journal_with_a_gap_or_a_repeat_is_refused(numbers: tuple[int, ...]) -> None:
    with pytest.raises(ValueError, match="the journal of partition 0 goes on at save"):
        list(replay(0, ticks(*numbers), nothing, setup()))


def test_a_replay_that_meets_what_the_journal_does_not_skip_raises() -> None:
    entry = ticks(1)[0]
    entry["taken"] = [{"type": "chunk", "topic": "predictions", "from_offset": 0, "to_offset": 1}]
    with pytest.raises(StepFailed):
        list(replay(0, [entry], lambda *_: chunk("predictions", 0, value("poison-1")), setup()))
