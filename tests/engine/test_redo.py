"""What the store forgot is taken again from the journal, or the partition begins anew.

saves      1 ── 2 ── 3 ── 4 ── 5            each takes one record, and has a record in the journal
store      1 ── 2 ── ?                      put back, emptied, or its journal and records cut off
"""

from __future__ import annotations

import asyncio
import json
import logging
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import replace
from functools import partial
from typing import Any

import pytest

from engine.bench import CALM, until, within
from engine.counting import MODEL, Counting, Poisoned, group_of, never, setup, value
from engine.faulty import Faults, FaultyCheckpoint, FaultyPublisher, Killed
from trueup.engine.checkpoint import Claimed
from trueup.engine.failpoints import Failpoints
from trueup.engine.lane import LaneSetup
from trueup.engine.loop import Loop
from trueup.engine.memory import MemoryCheckpoint, MemoryHistory, MemoryLog, MemoryPublisher
from trueup.engine.records import Chunk
from trueup.engine.replay import replay
from trueup.errors import Unavailable
from trueup.step import Arrival, Found, Needs

SAVES = 5


class World:
    """A log, a store with a copy of what it was after each save, and one worker after the other on partition 0."""

    def __init__(self, *, points: str = "") -> None:
        self.log = MemoryLog(2)
        self.store = MemoryCheckpoint()
        self.copies = [MemoryCheckpoint()]
        self.faults = Faults()
        self.points = Failpoints.parse(points)
        self.seek = 0
        self.loop = self.worker()

    def worker(self, shared: LaneSetup | None = None) -> Loop:
        async def commit(_: int, __: Mapping[str, int]) -> None:
            return

        self.loop = Loop(
            setup=shared or setup(clock="stream"),
            checkpoint=FaultyCheckpoint(self.store, self.faults),
            publisher=FaultyPublisher(MemoryPublisher(self.log), self.faults),
            commit=commit,
            history=MemoryHistory(self.log),
            settings=CALM,
            points=self.points,
        )
        return self.loop

    async def claim(self) -> Mapping[str, int]:
        """A new worker takes over; where it goes on."""
        self.seek += 1
        return (await self.loop.positions([0], self.seek))[0]

    async def successor(self, shared: LaneSetup | None = None) -> Mapping[str, int]:
        self.worker(shared)
        return await self.claim()

    def write(self, *names: str) -> None:
        for name in names:
            at = len(self.log.records.get(("predictions", 0), [])) * 10.0
            self.log.append("predictions", value(name), timestamp=at, partition=0)

    async def take(self, at: int, *, until: int, topic: str = "predictions", at_once: int = 1) -> None:
        """Take these records, one a save or so many."""
        for offset in range(at, until, at_once):
            found = self.log.read(topic, 0, offset, most=min(at_once, until - offset))
            assert found is not None
            await self.loop.offer(replace(found, seek=self.seek))
            await self.loop.turn(settle_all=True)
            assert not self.loop.lost.is_set()
            self.copies.append(self.store.copy())

    async def begin(self, saves: int = SAVES) -> None:
        """So many saves."""
        self.write(*[f"ok-{number}" for number in range(saves)])
        await self.claim()
        await self.take(0, until=saves)

    async def state(self) -> tuple[Claimed, Mapping[str, bytes], Found]:
        """All that is saved, but for the epoch."""
        entries = [group_of("predictions", {"model_id": MODEL, "prediction_id": f"ok-{at}"}) for at in range(3)]
        found = await self.store.read(0, Needs(entries, [f"predictions/{MODEL}", f"feedback/{MODEL}"]))
        views = await self.store.views(0)
        return replace(await self.store.copy().claim(0), epoch=0, outbox=[], journal_at=0), views, found

    def values(self, topic: str) -> list[bytes]:
        return [record.value or b"" for record in self.log.all(topic)]

    @property
    def journal(self) -> list[dict[str, Any]]:
        return [json.loads(held) for held in self.values("journal")]

    @property
    def said(self) -> list[str]:
        return [json.loads(held)["id"] for held in self.values("signals")]


@pytest.mark.parametrize("saves", range(SAVES), ids="put back to save {}".format)
def test_what_the_store_forgot_is_taken_again_with_the_same_bytes_and_only_the_last_save_speaks_again(
    saves: int,
) -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        before, journal, signals = await world.state(), world.values("journal"), world.values("signals")
        world.store.put_back(world.copies[saves])
        assert await world.successor() == {"predictions": SAVES}
        assert await world.state() == before
        assert world.values("signals") == signals, "a claim only reads"
        await world.loop.turn(settle_all=True)
        assert world.values("journal") == [*journal, journal[-1]]
        assert world.values("signals") == [*signals, signals[-1]]
        world.write("ok-9")
        await world.take(SAVES, until=SAVES + 1)
        assert world.said == [*(f"ok-{at}" for at in range(SAVES)), f"ok-{SAVES - 1}", "ok-9"]
        assert world.journal[-1]["save"] == SAVES + 1

    within(10, work())


def test_poison_apart_and_dead_letters_come_out_of_the_journal_as_they_went_in() -> None:
    async def work() -> None:
        world = World()
        world.log.append("predictions", value("ok-a", "poison-1", "ok-b"), timestamp=10.0, partition=0)
        world.log.append("predictions", b"[1, 2", timestamp=20.0, partition=0)
        world.log.append("predictions", value("mute-1", "left-1"), timestamp=30.0, partition=0)
        world.log.append("predictions", value("left-2", "right-2"), timestamp=40.0, partition=0)
        await world.claim()
        await world.take(0, until=4)
        before, letters = await world.state(), world.values("dead-letters")
        assert len(letters) == 3
        world.store.put_back(world.copies[0])
        await world.successor()
        assert await world.state() == before
        await world.loop.turn(settle_all=True)
        assert world.values("dead-letters") == letters
        assert world.values("journal")[-1] == world.values("journal")[-2]

    within(10, work())


def test_a_store_that_knows_all_takes_nothing_again_and_says_nothing_again() -> None:
    async def work() -> None:
        world = World(points="redo.after=fail")
        await world.begin()
        assert await world.successor() == {"predictions": SAVES}
        await world.loop.turn(settle_all=True)
        assert len(world.said) == len(world.journal) == SAVES

    within(10, work())


def test_a_state_that_has_lost_its_offsets_is_not_taken_for_the_beginning(caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        before = await world.state()
        stored = world.store._stored[0]
        stored.saves, stored.offsets, stored.journal_at = 0, {}, 0
        assert await world.successor() == {"predictions": SAVES}
        assert await world.state() == before

    with caplog.at_level(logging.ERROR):
        within(10, work())
    assert "Redis has lost how far its state had come" in caplog.text


@pytest.mark.parametrize("saves", [2, SAVES], ids="at save {}".format)
def test_offsets_that_have_lost_their_state_are_no_state_to_go_on_from(
    saves: int, caplog: pytest.LogCaptureFixture
) -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        before = await world.state()
        world.store.put_back(world.copies[saves])
        world.store._stored[0].sections = {}
        assert await world.successor() == {"predictions": SAVES}
        assert await world.state() == before

    with caplog.at_level(logging.ERROR):
        within(10, work())
    assert "Redis has lost its state" in caplog.text


def test_where_the_state_is_lost_and_the_journal_too_what_was_said_is_still_known(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        world.store._stored[0].sections = {}
        world.log.delete_before("journal", 0, SAVES)
        assert await world.successor() == {}
        await world.take(0, until=SAVES)
        assert len(world.said) == SAVES
        world.write("ok-9")
        await world.take(SAVES, until=SAVES + 1)
        assert world.said[SAVES:] == ["ok-9"]

    with caplog.at_level(logging.ERROR):
        within(10, work())
    assert "Redis has lost its state" in caplog.text


@pytest.mark.parametrize("stray", [b"", b"{not", b"[1]", b"{}"])
def test_what_is_no_entry_of_the_journal_is_passed_over(stray: bytes, caplog: pytest.LogCaptureFixture) -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        before = await world.state()
        world.store.put_back(world.copies[3])
        world.log.append("journal", stray, partition=0)
        assert await world.successor() == {"predictions": SAVES}
        assert await world.state() == before

    with caplog.at_level(logging.ERROR):
        within(10, work())
    assert "has a record that is no entry" in caplog.text


# -- beginning anew ----------------------------------------------------------------------------------------------------


async def cut_off(world: World) -> None:
    """The store is empty, and the journal has only the last two of its records."""
    world.store.put_back(world.copies[0])
    world.log.delete_before("journal", 0, SAVES - 2)
    world.log.delete_before("predictions", 0, 1)


def test_where_the_journal_does_not_reach_back_it_begins_anew_and_is_quiet_up_to_where_the_predecessor_was(
    caplog: pytest.LogCaptureFixture,
) -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        await cut_off(world)
        assert await world.successor() == {}
        await world.take(1, until=SAVES)
        assert len(world.said) == SAVES
        fresh = world.journal[2:]
        assert [(note["save"], note.get("anew"), note.get("quiet")) for note in fresh] == [
            (6, True, True),
            (7, None, True),
            (8, None, True),
            (9, None, True),
        ]
        assert fresh[0]["quiet_until"] == {"predictions": SAVES}
        world.write("ok-9")
        await world.take(SAVES, until=SAVES + 1)
        assert world.said[SAVES:] == ["ok-9"]
        assert "quiet" not in world.journal[-1]
        sections = (await world.store.claim(0)).sections
        assert sections[f"predictions/{MODEL}"] == b"5", "one of the six is not in the topic any more"

    with caplog.at_level(logging.ERROR):
        within(10, work())
    assert "partition 0 begins anew with the oldest records that are kept" in caplog.text
    assert "the journal goes on at save 4, not 1" in caplog.text


def records_gone(world: World) -> LaneSetup | None:
    world.store.put_back(world.copies[2])
    world.log.delete_before("predictions", 0, 4)
    return None


def step_raises(world: World) -> LaneSetup | None:
    world.store.put_back(world.copies[2])
    return replace(setup(clock="stream"), restore=partial(Choosy, bad_tick=never))


class Choosy(Counting):
    """A step of a later version, which cannot take what an earlier one could."""

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int], found: Found) -> None:
        super().take(topic, arrivals, positions, found)
        if any(arrival.event["prediction_id"] == "ok-3" for arrival in arrivals):
            raise Poisoned("ok-3")


@pytest.mark.parametrize("gone", [records_gone, step_raises])
def test_where_what_the_journal_names_cannot_be_taken_again_it_begins_anew(
    gone: Callable[[World], LaneSetup | None],
) -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        assert await world.successor(gone(world)) == {}
        oldest = world.log.read("predictions", 0, 0)
        assert oldest is not None
        await world.take(oldest.first_offset, until=SAVES)
        assert world.said == [f"ok-{at}" for at in range(SAVES)]
        assert (world.journal[SAVES]["save"], world.journal[SAVES]["anew"]) == (SAVES + 1, True)

    within(10, work())


def test_a_worker_that_is_killed_while_it_is_quiet_has_a_successor_that_is_quiet_too() -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        await cut_off(world)
        await world.successor()
        await world.take(1, until=3)
        assert await world.successor() == {"predictions": 3}
        await world.take(3, until=SAVES)
        assert len(world.said) == SAVES
        world.write("ok-9")
        await world.take(SAVES, until=SAVES + 1)
        assert world.said[SAVES:] == ["ok-9"]

    within(10, work())


@pytest.mark.parametrize("taken", [0, 1], ids=["nothing taken", "something taken"])
def test_a_worker_that_is_killed_before_its_first_save_anew_has_a_successor_that_begins_anew_and_is_quiet(
    taken: int,
) -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        await cut_off(world)
        await world.successor()
        if taken:
            found = world.log.read("predictions", 0, 1, most=1)
            assert found is not None
            await world.loop.offer(replace(found, seek=world.seek))
            await world.loop.turn()
        assert await world.successor() == {}
        await world.take(1, until=SAVES)
        assert len(world.said) == SAVES
        note = world.journal[2]
        assert (note["save"], note["anew"], note["quiet"]) == (6, True, True)
        assert note["quiet_until"] == {"predictions": SAVES}

    within(10, work())


@pytest.mark.parametrize("saves", [0, 1, 6, 7], ids="put back to save {}".format)
def test_a_partition_that_began_anew_is_taken_again_from_there_and_goes_on_being_quiet(saves: int) -> None:
    #  saves     1 ── 2 ── 3 ── 4 ── 5   6 (anew, quiet) ── 7 (quiet)
    #  journal                  4 ── 5   6               ── 7
    async def work() -> None:
        world = World()
        await world.begin()
        copies = {0: world.copies[0], 1: world.copies[1]}
        await cut_off(world)
        await world.successor()
        await world.take(1, until=3)
        copies |= {6: world.copies[-2], 7: world.copies[-1]}
        before = await world.state()
        world.store.put_back(copies[saves])
        assert await world.successor() == {"predictions": 3}
        assert await world.state() == before
        await world.take(3, until=SAVES)
        assert len(world.said) == SAVES
        again = [note for note in world.journal if note["save"] in (6, 7)]
        assert all(note in again[:2] for note in again)

    within(10, work())


def test_a_replay_of_a_journal_in_which_the_partition_began_anew_gives_the_same_bytes() -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        first = world.log.records["predictions", 0][0]
        await cut_off(world)
        await world.successor()
        await world.take(1, until=SAVES)
        world.write("ok-9")
        await world.take(SAVES, until=SAVES + 1)

        def read(topic: str, start: int, end: int) -> Chunk:
            found = world.log.read(topic, 0, start, most=end - start)
            assert found is not None
            return found

        assert first.offset == 0
        anew = [note for note in world.journal if note["save"] > SAVES]
        again = list(replay(0, anew, read, setup(clock="stream")))  # type: ignore[arg-type]
        assert [outputs[0].value for outputs in again] == world.values("journal")[2:]
        assert [output.value for outputs in again for output in outputs[1:]] == world.values("signals")[SAVES:]

    within(10, work())


def test_it_is_quiet_about_a_topic_too_that_is_kept_longer_than_the_journal() -> None:
    async def work() -> None:
        world = World()
        world.log.append("feedback", value("ok-old"), partition=0)
        await world.claim()
        await world.take(0, until=1, topic="feedback")
        world.write(*[f"ok-{number}" for number in range(SAVES)])
        await world.take(0, until=SAVES)
        said = world.said
        world.store.put_back(world.copies[0])
        world.log.delete_before("journal", 0, SAVES - 1)
        assert await world.successor() == {}
        await world.take(0, until=1, topic="feedback")
        await world.take(0, until=SAVES)
        assert world.said == said, "nothing is said twice"
        world.write("ok-9")
        await world.take(SAVES, until=SAVES + 1)
        assert world.said == [*said, "ok-9"]

    within(10, work())


def test_a_quiet_save_that_cannot_be_taken_again_does_not_silence_what_comes_after_it() -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        await cut_off(world)
        await world.successor()
        await world.take(1, until=SAVES)
        assert world.journal[-1]["quiet"]
        said = world.said
        world.store.put_back(world.copies[0])
        await world.successor(replace(setup(clock="stream"), restore=partial(Choosy, bad_tick=never)))
        world.write("ok-9")
        await world.take(1, until=SAVES + 1, at_once=SAVES)
        assert "ok-9" in world.said[len(said) :]

    within(10, work())


def test_where_a_topic_of_the_journal_is_not_read_any_more_it_begins_anew() -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        world.store.put_back(world.copies[2])
        feeds = {"feedback": setup().feeds["feedback"]}
        assert await world.successor(replace(setup(clock="stream"), feeds=feeds)) == {}

    within(10, work())


# -- two branches ------------------------------------------------------------------------------------------------------
#
#  epoch 1    1 ── 2 ── 3                    3 is lost by the store, and its entry comes late
#  epoch 2         └─── 3 ── 4               3 takes two records, 4 one


async def fork(world: World) -> MemoryCheckpoint:
    """The store as it was after the save 3 that was lost."""
    world.write(*[f"ok-{number}" for number in range(SAVES)])
    await world.claim()
    await world.take(0, until=3)
    lost, late = world.store.copy(), world.values("journal")[2]
    del world.log.records["journal", 0][2:]
    world.store.put_back(world.copies[2])
    assert await world.successor() == {"predictions": 2}
    world.log.append("journal", late, partition=0)
    await world.take(2, until=4, at_once=2)
    await world.take(4, until=5)
    world.log.append("journal", late, partition=0)
    return lost


def test_an_entry_that_came_late_of_a_save_that_was_lost_is_not_taken_again() -> None:
    async def work() -> None:
        world = World()
        await fork(world)
        before = await world.state()
        world.store.put_back(world.copies[1])
        assert await world.successor() == {"predictions": SAVES}
        assert await world.state() == before

    within(10, work())


def test_what_a_journal_goes_on_from_is_not_taken_for_another_state_of_the_same_number() -> None:
    async def work() -> None:
        world = World()
        world.store.put_back(await fork(world))
        assert await world.successor() == {}
        await world.take(0, until=SAVES)
        assert (await world.store.claim(0)).sections[f"predictions/{MODEL}"] == b"%d" % SAVES

    within(10, work())


# -- in the middle of it -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("after", [1, 3, 5], ids="after {} saves".format)
@pytest.mark.parametrize("way", ["fail", "kill"])
def test_a_redo_that_is_interrupted_goes_on_where_it_was(after: int, way: str) -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        before, signals = await world.state(), world.values("signals")
        world.store.put_back(world.copies[0])
        world.worker()
        if way == "fail":
            world.points = Failpoints.parse(f"redo.after=fail@{after}")
            world.worker()
            with pytest.raises(Unavailable, match=r"redo\.after"):
                await world.claim()
        else:
            saved = world.faults.reached["save"]
            world.faults.later("save", after=after)
            world.faults.armed["save"] = "kill"
            if after < SAVES:
                with pytest.raises(Killed):
                    await world.claim()
            else:
                await world.claim()
                world.faults.armed.clear()
            assert world.faults.reached["save"] == saved + min(after + 1, SAVES)
        world.points = Failpoints()
        saved = world.faults.reached["save"]
        assert await world.successor() == {"predictions": SAVES}
        assert world.faults.reached["save"] - saved == SAVES - after, "it took again what was saved"
        assert await world.state() == before
        await world.loop.turn(settle_all=True)
        assert world.values("signals") == [*signals, signals[-1]]

    within(10, work())


def test_a_redo_that_gets_on_is_not_taken_for_a_partition_that_is_stuck() -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        world.store.put_back(world.copies[0])
        world.worker()
        world.faults.armed["claim"] = "fail"
        with pytest.raises(Unavailable):
            await world.claim()
        failed_at = time.monotonic()
        world.faults.hold("save")
        claiming = asyncio.create_task(world.claim())
        await until(lambda: world.faults.reached["save"] == SAVES + 1)
        assert time.monotonic() - world.loop.behind_seconds()[0] <= failed_at
        first = world.faults.hold("save")
        world.faults.pass_by("save")
        world.faults.hold("save")
        first.set()
        await until(lambda: world.faults.reached["save"] == SAVES + 2)
        assert time.monotonic() - world.loop.behind_seconds()[0] > failed_at
        world.faults.let_on("save")
        await claiming

    within(10, work())


def test_records_of_others_and_repeats_in_the_same_journal_are_passed_over() -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        before, notes = await world.state(), world.values("journal")
        own = json.loads(notes[-1])
        for other in (
            own | {"worker": "other", "save": 6},
            own | {"partition": 1, "save": 6},
            own | {"worker": "other", "anew": True, "save": 9},
        ):
            world.log.append("journal", json.dumps(other).encode(), partition=0)
        for again in (notes[1], notes[4]):
            world.log.append("journal", again, partition=0)
        for no_entry in (b"", b"no JSON", b"[]", b'{"worker": "counter", "partition": 0, "save": 6}'):
            world.log.append("journal", no_entry, partition=0)
        world.store.put_back(world.copies[0])
        assert await world.successor() == {"predictions": SAVES}
        assert await world.state() == before

    within(10, work())


def test_a_claim_reads_the_journal_from_where_all_was_known_to_be_saved() -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        # What lies before that is not looked at: it could not be read.
        world.log.records["journal", 0][:SAVES] = [
            record._replace(value=b"no JSON") for record in world.log.records["journal", 0][:SAVES]
        ]
        assert await world.successor() == {"predictions": SAVES}

    within(10, work())


def test_a_claim_during_which_another_worker_claims_is_let_go() -> None:
    async def work() -> None:
        world = World()
        await world.begin()
        world.store.put_back(world.copies[0])
        world.faults.hold("save")
        world.worker()
        claiming = asyncio.create_task(world.claim())
        await until(lambda: world.faults.reached["save"] == SAVES + 1)
        await world.store.claim(0)
        world.faults.let_on("save")
        with pytest.raises(Unavailable, match="claimed by another worker meanwhile"):
            await claiming
        assert await world.store.offsets(0) == {}

    within(10, work())
