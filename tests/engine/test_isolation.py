"""A step that raises harms nothing but the event that it raises on."""

from __future__ import annotations

import asyncio
import json
from collections.abc import Mapping, Sequence
from dataclasses import replace
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from engine.counting import (
    MODEL,
    Counting,
    after,
    chunk,
    counts,
    isolate,
    lane,
    outputs,
    run,
    run_next,
    said,
    setup,
    taken,
    tick,
    value,
)
from trueup.engine.checkpoint import Claimed, Save
from trueup.engine.lane import Lane, StepFailed
from trueup.engine.loop import Loop
from trueup.engine.memory import MemoryCheckpoint, MemoryLog, MemoryPublisher
from trueup.errors import StaleWriter, TrueupError, Unavailable
from trueup.step import Arrival, Found

NOTHING = Claimed(epoch=2, offsets={}, sections={}, outbox=())


def cut(running: Lane, saves: Sequence[Save] = ()) -> Save:
    """A save, isolating as often as the step raises when it is cut."""
    while True:
        try:
            return running.cut()
        except StepFailed:
            isolate(running, saves)


def own(save: Save) -> dict[str, Any]:
    """What the step itself keeps, beside its counts."""
    kept: dict[str, Any] = json.loads(save.sections["own"] or b"")
    return kept


def buried(save: Save) -> list[tuple[bytes, str, str | None]]:
    """Dead letters of a step that raised: bytes, offset, index in the batch."""
    found = []
    for letter in outputs(save, "dead-letters"):
        headers = {name: text.decode() for name, text in letter.headers}
        assert headers["trueup_reason"] == "step_failed"
        found.append((letter.value, headers["trueup_offset"], headers.get("trueup_index")))
    return found


POISONED = [
    pytest.param([["poison-1"]], id="alone"),
    pytest.param([["poison-1"], ["ok-a"]], id="first"),
    pytest.param([["ok-a"], ["poison-1"]], id="last"),
    pytest.param([["ok-a"], ["poison-1"], ["ok-b"]], id="between"),
    pytest.param([["ok-a", "poison-1", "ok-b"]], id="in a batch"),
    pytest.param([["poison-1"], ["ok-a"], ["poison-2"]], id="two in a chunk"),
    pytest.param([["ok-a", "poison-1", "poison-2", "ok-b"]], id="two in a batch"),
    pytest.param([["poison-1", "poison-2"], ["poison-3"]], id="nothing but poison"),
    pytest.param([["mute-1"]], id="mute alone"),
    pytest.param([["ok-a", "mute-1"], ["ok-b"], ["mute-2"]], id="mute in a batch and alone"),
    pytest.param([["poison-1", "ok-a", "mute-1"], ["poison-2"]], id="poison and mute"),
]


@pytest.mark.parametrize("records", POISONED)
@pytest.mark.parametrize("size", [1, 2, 9], ids="chunks of {}".format)
def test_the_state_and_the_outputs_are_those_of_the_events_without_the_poison(
    records: list[list[str]], size: int
) -> None:
    names = [name for record in records for name in record]
    fine = [name for name in names if name.startswith("ok")]
    running = lane()
    for offset in range(0, len(records), size):
        values = [value(*record) for record in records[offset : offset + size]]
        running.offer(chunk("predictions", offset, *values))
    run(running)
    save = cut(running)
    assert counts(save) == ({f"predictions/{MODEL}": len(fine)} if fine else {})
    assert own(save)["number"] == len(fine)
    assert said(outputs(save, "signals")) == fine
    expected = [
        (value(name), str(offset), str(index) if len(record) > 1 else None)
        for offset, record in enumerate(records)
        for index, name in enumerate(record)
        if name not in fine
    ]
    assert sorted(buried(save)) == sorted(expected)
    skips = {(note["offset"], note["index"]) for note in taken(save) if note["type"] == "skip"}
    assert skips == {(int(offset), int(index or 0)) for _, offset, index in expected}
    assert save.offsets == {"predictions": len(records)}
    assert json.loads(save.views["engine"] or b"")["dead_letters"] == {"step_failed": len(expected)}


kinds = st.sampled_from(["ok", "ok", "ok", "poison", "mute", "left", "right", "forget"])


@given(
    records=st.lists(st.lists(kinds, min_size=1, max_size=4), min_size=1, max_size=8),
    sizes=st.lists(st.integers(1, 4), min_size=1, max_size=4),
    saves=st.sets(st.integers(0, 8)),
)
def test_wherever_poison_lies_nothing_else_is_lost_or_doubled(
    records: list[list[str]], sizes: list[int], saves: set[int]
) -> None:
    named = [[f"{kind}-{at}-{index}" for index, kind in enumerate(record)] for at, record in enumerate(records)]
    fine = [name for record in named for name in record if not name.startswith(("poison", "mute"))]
    since = [name.split("-")[0] for name in fine]
    count = since[::-1].index("forget") if "forget" in since else len(since)
    running, done, offset, turn = lane(), list[Save](), 0, 0
    while offset < len(named):
        size = sizes[turn % len(sizes)]
        running.offer(chunk("predictions", offset, *[value(*record) for record in named[offset : offset + size]]))
        run(running, done)
        offset, turn = offset + size, turn + 1
        if turn in saves or offset >= len(named):
            done.append(cut(running, done))
    signals = [output for save in done for output in outputs(save, "signals")]
    assert said(signals) == fine
    assert [json.loads(output.value)["number"] for output in signals] == [*range(1, len(fine) + 1)]
    assert after(done).sections.get(f"predictions/{MODEL}") == (str(count).encode() if count else None)
    dead = [letter for save in done for letter, _, _ in buried(save)]
    lost = [value(name) for record in named for name in record if name not in fine]
    assert sorted(dead) == sorted(lost)


def test_a_second_poison_before_the_next_save_does_not_bury_the_first_again() -> None:
    running = lane()
    for offset, name in enumerate(["poison-1", "ok-a", "poison-2", "ok-b"]):
        running.offer(chunk("predictions", offset, value(name)))
        run(running)
    assert [letter for letter, _, _ in buried(running.cut())] == [value("poison-1"), value("poison-2")]


def test_right_after_a_save_a_poison_takes_nothing_back_that_was_saved() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, value("ok-a")))
    run(running)
    first = running.cut()
    running.offer(chunk("predictions", 1, value("poison-1")))
    run(running, [first])
    second = running.cut()
    assert said(outputs(second, "signals")) == []
    assert len(buried(second)) == 1
    assert (second.epoch, second.saves, second.base, second.offsets) == (1, 1, {"predictions": 1}, {"predictions": 2})
    assert own(second)["number"] == 1


def test_what_raises_only_together_is_taken_event_by_event_and_loses_nothing() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, value("left-1", "right-1"), value("ok-a")))
    running.offer(chunk("predictions", 2, value("ok-b"), value("right-2"), value("left-2")))
    running.offer(chunk("predictions", 5, value("ok-c")))
    run(running)
    save = running.cut()
    assert said(outputs(save, "signals")) == ["left-1", "right-1", "ok-a", "ok-b", "right-2", "left-2", "ok-c"]
    assert buried(save) == []
    assert [note.get("apart", False) for note in taken(save)] == [True, True, False]


def test_poison_after_a_chunk_that_is_taken_apart_is_found_all_the_same() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, value("left-1"), value("right-1")))
    running.offer(chunk("predictions", 2, value("ok-a"), value("poison-1"), value("ok-b")))
    run(running)
    save = running.cut()
    assert said(outputs(save, "signals")) == ["left-1", "right-1", "ok-a", "ok-b"]
    assert [letter for letter, _, _ in buried(save)] == [value("poison-1")]


def test_a_step_is_told_the_same_offsets_when_it_takes_its_input_again() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, value("ok-a"), at=1.0))
    running.offer(chunk("feedback", 0, value("ok-b"), value("poison-1"), at=2.0))
    run(running)
    told = [json.loads(output.value)["at"] for output in outputs(running.cut(), "signals")]
    assert told == [{"predictions": 1}, {"predictions": 1, "feedback": 2}]


def test_a_tick_that_the_step_raises_on_is_dropped_once_and_no_event_with_it() -> None:
    running = lane(setup(bad_tick=lambda now: now == 2.0))
    for now in (1.0, 2.0, 2.5, 3.0):
        running.offer(chunk("predictions", int(now * 2), value(f"ok-{now}")))
        run(running)
        try:
            tick(running, now)
        except StepFailed:
            isolate(running)
    save = running.cut()
    assert [note["now"] for note in taken(save) if note["type"] == "tick"] == [1.0, 3.0]
    assert own(save)["ticks"] == 2
    assert said(outputs(save, "signals")) == ["ok-1.0", "ok-2.0", "ok-2.5", "ok-3.0"]
    assert buried(save) == []


def test_a_tick_driven_by_the_stream_that_the_step_raises_on_costs_no_event() -> None:
    running = lane(setup(clock="stream", bad_tick=lambda now: now == 200.0))
    running.offer(chunk("predictions", 0, value("ok-a"), at=100.0))
    running.offer(chunk("predictions", 1, value("ok-b"), value("ok-c"), at=200.0))
    running.offer(chunk("predictions", 3, value("ok-d"), at=300.0))
    assert len(run(running)) == 1
    save = running.cut()
    assert said(outputs(save, "signals")) == ["ok-a", "ok-b", "ok-c", "ok-d"]
    assert [note["now"] for note in taken(save) if note["type"] == "tick"] == [100.0, 300.0]


@pytest.mark.parametrize("bad", [False, True], ids=["fine", "that raises too"])
def test_a_chunk_with_poison_is_followed_by_its_tick_of_the_stream(bad: bool) -> None:
    running = lane(setup(clock="stream", bad_tick=lambda _: bad))
    running.offer(chunk("predictions", 0, value("ok-a"), value("poison-1"), at=100.0))
    run(running)
    save = running.cut()
    assert [note["now"] for note in taken(save) if note["type"] == "tick"] == ([] if bad else [100.0])
    assert said(outputs(save, "signals")) == ["ok-a"]
    assert len(buried(save)) == 1


def test_dead_letters_of_bad_events_come_once_where_their_chunk_is_taken_again() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, b"{", value("poison-1"), b"["))
    run(running)
    save = running.cut()
    assert [letter.value for letter in outputs(save, "dead-letters")] == [b"{", b"[", value("poison-1")]
    assert json.loads(save.views["engine"] or b"")["dead_letters"] == {"not_json": 2, "step_failed": 1}


OTHERS = [
    pytest.param(replace(NOTHING, saves=1), id="saved without new offsets"),
    pytest.param(replace(NOTHING, offsets={"predictions": 2}, saves=1), id="saved further on"),
]


@pytest.mark.parametrize("claimed", OTHERS)
def test_a_lane_whose_state_another_worker_saved_meanwhile_is_not_isolated_but_refused(claimed: Claimed) -> None:
    running = lane()
    running.offer(chunk("predictions", 0, value("ok-a"), value("poison-1")))
    with pytest.raises(StepFailed):
        run_next(running)
    with pytest.raises(StaleWriter):
        isolate(running, claimed=claimed)


class Ending(Counting):
    """A step that ends the worker."""

    error: Exception = MemoryError()

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int], found: Found) -> None:
        super().take(topic, arrivals, positions, found)
        raise self.error


@pytest.mark.parametrize("error", [MemoryError(), Unavailable("away")], ids=["out of memory", "unavailable"])
def test_neither_want_of_memory_nor_unavailable_is_the_fault_of_an_event(error: Exception) -> None:
    def restore(partition: int, saved: Any) -> Ending:
        step = Ending(partition, saved, bad_tick=lambda _: False)
        step.error = error
        return step

    running = lane(replace(setup(), restore=restore))
    running.offer(chunk("predictions", 0, value("ok-a")))
    with pytest.raises(type(error)):
        run_next(running)


class Speechless(Counting):
    """A step that can never be cut."""

    def effects(self) -> Any:
        raise ValueError("no")


def test_a_step_that_cannot_be_cut_whatever_is_left_out_ends_the_worker() -> None:
    restore = lambda partition, saved: Speechless(partition, saved, bad_tick=lambda _: False)  # noqa: E731
    running = lane(replace(setup(), restore=restore))
    running.offer(chunk("predictions", 0, value("ok-a")))
    run(running)
    with pytest.raises(StepFailed):
        running.cut()
    with pytest.raises(TrueupError, match="raises on its saved state"):
        isolate(running)


def test_the_loop_goes_on_past_every_kind_of_poison_and_the_other_partition_with_it() -> None:
    async def work() -> tuple[Loop, MemoryLog]:
        log = MemoryLog(2)

        async def commit(_: int, __: object) -> None:
            return

        loop = Loop(
            setup=setup(bad_tick=lambda now: now == 5.0),
            checkpoint=MemoryCheckpoint(),
            publisher=MemoryPublisher(log),
            commit=commit,
            wall_clock=lambda: 5.0,
        )
        await loop.positions({0, 1}, 1)
        await loop.offer(chunk("predictions", 0, value("ok-a"), value("poison-1"), seek=1))
        await loop.offer(chunk("predictions", 2, value("mute-1"), value("ok-b"), seek=1))
        await loop.offer(chunk("predictions", 4, value("left-1"), value("right-1"), seek=1))
        for _ in range(5):
            await loop.turn(settle_all=True)
        return loop, log

    loop, log = asyncio.run(work())
    assert [json.loads(record.value or b"")["id"] for record in log.all("signals")] == [
        "ok-a",
        "ok-b",
        "left-1",
        "right-1",
    ]
    assert [record.value for record in log.all("dead-letters")] == [value("poison-1"), value("mute-1")]
    assert (loop.counts.records, loop.counts.lost) == (6, 0)
    assert loop.counts.isolated >= 4
