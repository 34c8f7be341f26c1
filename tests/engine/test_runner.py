"""One worker that runs: what goes on beside what, who waits for whom, and what ends it.

Whoever is to wait is held at a named place until the test lets it on; nothing here depends on how long anything takes.
"""

from __future__ import annotations

import asyncio
from collections.abc import Mapping, Sequence
from dataclasses import replace
from functools import partial

import pytest

from engine.bench import EAGER, Bench, ok, running, settled, until, within
from engine.counting import MODEL, Counting, chunk, group_of, never, setup, value
from engine.faulty import Broken, FaultyCheckpoint
from trueup.engine.failpoints import Failpoints
from trueup.engine.lane import Lane
from trueup.engine.loop import LoopSettings
from trueup.engine.memory import MemoryPublisher
from trueup.engine.records import Chunk
from trueup.engine.runner import LoopCounts, Ports, Runner
from trueup.errors import Unavailable
from trueup.step import Arrival, Found, Needs, Output

#: Saved when there is something to save, and never taken for stuck.
PROMPT = LoopSettings(save_interval_seconds=0.0, idle_save_share=1e9, stuck_seconds=1e9)


async def passing() -> None:
    """Let everybody go on who can."""
    for _ in range(50):
        await asyncio.sleep(0)


# -- beside each other -------------------------------------------------------------------------------------------------


def test_a_lane_goes_on_taking_while_its_save_is_on_its_way_and_saves_no_more_until_that_is_out() -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench):
            bench.faults.hold("save")
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached["save"] == 1)
            for offset in range(1, 4):
                await bench.loop.offer(ok(offset, f"ok-{offset}"))
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 4})
            assert bench.loop.lanes[0].dirty
            assert bench.faults.reached["save"] == 1
            bench.faults.let_on("save")
            await until(lambda: bench.committed[-1:] == [(0, {"predictions": 4})])
            assert bench.said == ["ok-a", "ok-1", "ok-2", "ok-3"]
            assert bench.faults.reached["save"] == 2

    within(10, work())


@pytest.mark.parametrize("place", ["publish", "clear"])
def test_a_lane_is_not_cut_again_while_its_outputs_are_on_their_way(place: str) -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench):
            bench.faults.hold(place)
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached[place] == 1)
            await bench.loop.offer(ok(1, "ok-b"))
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 2})
            await passing()
            assert bench.faults.reached["save"] == 1
            bench.faults.let_on(place)
            await until(lambda: bench.faults.reached["save"] == 2)

    within(10, work())


def test_poison_that_is_taken_while_a_save_is_on_its_way_is_found_from_what_that_saves() -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench):
            bench.faults.hold("save")
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached["save"] == 1)
            await bench.loop.offer(ok(1, "ok-b", "poison-1", "ok-c"))
            await passing()
            assert bench.faults.reached["reread"] == 0, "it went back to a state that was about to change"
            bench.faults.let_on("save")
            await until(lambda: bench.committed[-1:] == [(0, {"predictions": 4})])
            assert bench.said == ["ok-a", "ok-b", "ok-c"]
            assert len(bench.log.all("dead-letters")) == 1
            assert bench.loop.counts.lost == 0

    within(10, work())


def test_one_lane_whose_save_hangs_keeps_no_other_from_saving() -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench, 0, 1):
            bench.faults.hold("save")
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached["save"] == 1)
            held = bench.faults.hold("save")
            bench.faults.pass_by("save")
            await bench.loop.offer(ok(0, "ok-b", partition=1))
            await until(lambda: bench.committed == [(1, {"predictions": 1})])
            held.set()
            await until(lambda: len(bench.committed) == 2)

    within(10, work())


def test_a_chunk_that_comes_while_the_one_before_it_waits_for_its_state_follows_on_it_and_is_taken_once() -> None:
    #  lane      takes 0 ── takes 1, reads what it needs of the state ┄┄┄┄┄┄┄ goes on
    #  offered                              1 again, and 2, which follows on 1
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench):
            await bench.loop.offer(replace(ok(0, "ok-a"), follows=0))
            await until(lambda: len(bench.committed) == 1)
            bench.faults.hold("read")
            before = bench.faults.reached["read"]
            await bench.loop.offer(replace(ok(1, "ok-b"), follows=1))
            await until(lambda: bench.faults.reached["read"] > before)
            await bench.loop.offer(replace(ok(1, "ok-b"), follows=1))
            await bench.loop.offer(replace(ok(2, "ok-c"), follows=2))
            assert not bench.loop.lost.is_set()
            bench.faults.let_on("read")
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 3})
            await until(lambda: bench.committed[-1:] == [(0, {"predictions": 3})])
            assert bench.said == ["ok-a", "ok-b", "ok-c"]

    within(10, work())


# -- back-pressure -----------------------------------------------------------------------------------------------------


def test_a_loop_that_runs_lets_go_of_whoever_waits_once_a_lane_has_room() -> None:
    async def work() -> None:
        bench = Bench(replace(PROMPT, waiting_records=2))
        async with running(bench):
            bench.faults.hold("read")
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached["read"] == 1)
            await bench.loop.offer(ok(1, "ok-b", "ok-c"))
            assert bench.loop.full() == {("predictions", 0)}
            offering = asyncio.create_task(bench.loop.offer(ok(3, "ok-d")))
            reading = asyncio.create_task(bench.loop.room(1e6))
            assert not await settled(offering)
            assert not await settled(reading)
            bench.faults.let_on("read")
            await offering
            await reading
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 4})
            assert bench.loop.full() == set()

    within(10, work())


def test_a_lane_that_is_full_by_its_bytes_is_full() -> None:
    async def work() -> None:
        bench = Bench(replace(PROMPT, waiting_bytes=50))
        await bench.loop.positions([0, 1], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        assert bench.loop.full() == {("predictions", 0)}
        assert await settled(asyncio.create_task(bench.loop.offer(ok(0, "ok-b", partition=1))))

    within(10, work())


def test_a_lane_that_holds_more_than_may_be_unsaved_is_saved_though_its_time_has_not_come() -> None:
    async def work() -> None:
        calm = LoopSettings(save_interval_seconds=1e6, longest_save_interval_seconds=1e6, stuck_seconds=1e9)
        size = ok(0, "ok-a").size_bytes
        bench = Bench(replace(calm, unsaved_bytes=2 * size + 1))
        async with running(bench):
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 1})
            assert bench.faults.reached["save"] == 0
            bench.faults.hold("save")
            await bench.loop.offer(ok(1, "ok-b", "ok-c"))
            await until(lambda: bench.faults.reached["save"] == 1)
            # The cut on its way is saved as good as; what is taken beside it counts anew, and only up to the bound.
            await bench.loop.offer(ok(3, "ok-d", "ok-e", "ok-f"))
            await bench.loop.offer(ok(6, "ok-g"))
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 6})
            await passing()
            assert bench.loop.lanes[0].waiting_records == 1
            bench.faults.let_on("save")
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 7})
            await until(lambda: bench.committed[-1] == (0, {"predictions": 6}))

    within(10, work())


def test_what_may_be_unsaved_is_shared_by_the_lanes() -> None:
    async def work() -> None:
        calm = LoopSettings(save_interval_seconds=1e6, longest_save_interval_seconds=1e6, stuck_seconds=1e9)
        size = ok(0, "ok-a").size_bytes
        bench = Bench(replace(calm, unsaved_bytes=2 * size))
        await bench.loop.positions([0], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        await bench.loop.turn()
        assert bench.committed == []
        await bench.loop.positions([1], 2)
        await bench.loop.turn()
        assert bench.committed == [(0, {"predictions": 1})]

    within(10, work())


# -- lanes that are lost -----------------------------------------------------------------------------------------------


def test_a_partition_that_was_lost_is_claimed_anew_and_the_others_keep_their_lanes() -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench, 0, 1):
            other = bench.loop.lanes[1]
            await bench.kept.claim(0)
            await bench.loop.offer(ok(0, "ok-a"))
            await bench.loop.lost.wait()
            assert bench.loop.lost_partitions == {0}
            assert not bench.loop.holds(0, 1)
            await bench.loop.offer(ok(0, "ok-b", partition=1))
            assert await bench.loop.positions([0], 2) == {0: {}}
            assert (bench.loop.lost_partitions, bench.loop.lost.is_set()) == (set(), False)
            assert bench.loop.lanes[1] is other
            assert (bench.loop.holds(0, 2), bench.loop.holds(1, 1), bench.loop.holds(1, 2)) == (True, True, False)
            await bench.loop.offer(ok(0, "ok-a", seek=2))
            await bench.loop.offer(ok(1, "ok-c", partition=1))
            await until(lambda: sorted(bench.said) == ["ok-a", "ok-b", "ok-c"])

    within(10, work())


def test_as_long_as_one_lost_partition_is_not_claimed_the_worker_says_so() -> None:
    async def work() -> None:
        bench = Bench(EAGER)
        await bench.loop.positions([0, 1], 1)
        for partition in (0, 1):
            await bench.kept.claim(partition)
            await bench.loop.offer(ok(0, "ok-a", partition=partition))
        await bench.loop.turn(settle_all=True)
        assert bench.loop.lost_partitions == {0, 1}
        await bench.loop.positions([1], 2)
        assert (bench.loop.lost_partitions, bench.loop.lost.is_set()) == ({0}, True)
        await bench.loop.positions([0], 3)
        assert not bench.loop.lost.is_set()

    within(10, work())


def feedback(offset: int, name: str, *, at: float) -> Chunk:
    return chunk("feedback", offset, value(name), at=at, seek=1)


def test_a_sleeping_section_that_is_on_its_way_is_read_once_it_is_there() -> None:
    #  predictions   a                               b, which wakes the count of predictions
    #  feedback           f, tick    g, tick
    #  saved         a    f          g, and predictions fall asleep ┄┄┄┄┄┄┄┄┄┄┄ there
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench):
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: len(bench.committed) == 1)
            await bench.loop.offer(feedback(0, "ok-f", at=10.0))
            await until(lambda: len(bench.committed) == 2)
            bench.faults.hold("save")
            await bench.loop.offer(feedback(1, "ok-g", at=20.0))
            await until(lambda: bench.faults.reached["save"] == 3)
            before = bench.faults.reached["read"]
            await bench.loop.offer(ok(1, "ok-b"))
            await passing()
            assert bench.faults.reached["read"] == before
            bench.faults.let_on("save")
            await until(lambda: len(bench.committed) == 4)
            held = (await bench.kept.claim(0)).sections
            assert held[f"predictions/{MODEL}"] == b"2"

    within(10, work())


# -- what is let go ----------------------------------------------------------------------------------------------------


class Forgetful(Counting):
    """A step that lets go of the entries of all days before the one that the last tick named."""

    day = 0

    def tick(self, now: float, found: Found) -> None:
        super().tick(now, found)
        self.day = int(now)

    @property
    def outdated(self) -> Mapping[int, int]:
        return {-1: self.day}


def test_entries_are_deleted_once_the_state_that_takes_them_for_gone_is_saved_and_not_before() -> None:
    async def work() -> None:
        restore = partial(Forgetful, bad_tick=never)
        pace = LoopSettings(save_interval_seconds=1e6, stuck_seconds=1e9, sweep_seconds=0.0)
        bench = Bench(pace, shared=replace(setup(clock="stream"), restore=restore))
        await bench.loop.positions([0], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        await bench.loop.turn(settle_all=True)
        await bench.loop.offer(feedback(0, "ok-f", at=20_001.0))
        await bench.loop.turn()
        await bench.loop.turn()
        assert bench.loop.counts.swept == 0, "a worker that begins with what is saved still needs it"
        await bench.loop.turn(settle_all=True)
        await bench.loop.turn()
        assert bench.loop.counts.swept > 0

    within(10, work())


def test_in_a_store_that_was_put_back_nothing_is_deleted_that_what_is_taken_again_may_need() -> None:
    async def work() -> None:
        restore = partial(Forgetful, bad_tick=never)
        pace = LoopSettings(save_interval_seconds=1e6, stuck_seconds=1e9, sweep_seconds=0.0)
        bench = Bench(pace, shared=replace(setup(clock="stream"), restore=restore))
        await bench.loop.positions([0], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        await bench.loop.turn(settle_all=True)
        copy = bench.kept.copy()
        await bench.loop.offer(feedback(0, "ok-f", at=20_001.0))
        await bench.loop.turn(settle_all=True)
        bench.kept.put_back(copy)
        await bench.loop.turn()
        assert bench.loop.lost_partitions == {0}
        group = group_of("predictions", {"model_id": MODEL, "prediction_id": "ok-a"})
        assert (await bench.kept.read(0, Needs([group]))).entries[group] == b"1"

    within(10, work())


# -- how it ends -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("place", ["read", "save", "publish", "clear"])
def test_what_nobody_foresees_ends_the_worker_with_just_that(place: str) -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench, 0, 1) as task:
            bench.faults.armed[place] = "break"
            await bench.loop.offer(ok(0, "ok-a"))
            with pytest.raises(Broken, match=place):
                await task

    within(10, work())


def test_an_interval_longer_than_a_partition_may_be_stuck_does_not_end_the_worker() -> None:
    async def work() -> None:
        bench = Bench(LoopSettings(save_interval_seconds=1e6, stuck_seconds=1.0))
        async with running(bench, 0, 1) as task:
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.said == ["ok-a"] or task.done())
            assert not task.done()

    within(10, work())


def test_a_lane_whose_task_was_cancelled_by_a_stranger_is_claimed_anew() -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench, 0, 1):
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.said == ["ok-a"])
            (drive,) = [task for task in asyncio.all_tasks() if task.get_name() == "partition 0"]
            drive.cancel()
            await until(drive.done)
            assert bench.loop.lost_partitions == {0}
            await bench.loop.positions([0], 2)
            await bench.loop.offer(ok(1, "ok-b", seek=2))
            await until(lambda: bench.said == ["ok-a", "ok-b"])

    within(10, work())


class Exhausted(Counting):
    """A step that runs out of memory halfway."""

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int], found: Found) -> None:
        super().take(topic, arrivals, positions, found)
        raise MemoryError


def test_a_lane_that_failed_halfway_is_never_saved_whatever_it_is_told() -> None:
    async def work() -> None:
        bench, failures = Bench(), list[BaseException]()
        shared = replace(setup(), restore=partial(Exhausted, bad_tick=never))
        checkpoint = FaultyCheckpoint(bench.kept, bench.faults)
        lane = Lane(0, await checkpoint.claim(0), shared)

        async def commit(_: int, __: Mapping[str, int]) -> None:
            return

        ports = Ports(checkpoint, MemoryPublisher(bench.log), commit, PROMPT, LoopCounts(), lambda: 0.0, Failpoints())
        runner = Runner(lane, ports, unpublished=[], lost=lambda _: None, failed=failures.append, room=lambda: None)
        lane.offer(ok(0, "ok-a"))
        runner.start()
        await until(lambda: bool(failures))
        assert lane.dirty
        await runner.close()
        assert isinstance(failures[0], MemoryError)
        assert bench.faults.reached["save"] == 0

    within(10, work())


@pytest.mark.parametrize("place", ["save", "publish", "clear"])
def test_a_rebalance_waits_for_what_is_on_its_way_and_saves_the_rest(place: str) -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench):
            bench.faults.hold(place)
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached[place] == 1)
            await bench.loop.offer(ok(1, "ok-b"))
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 2})
            revoking = asyncio.create_task(bench.loop.revoke())
            assert not await settled(revoking)
            bench.faults.let_on(place)
            await revoking
            assert bench.said == ["ok-a", "ok-b"]
            assert (await bench.kept.claim(0)).outbox == []
            assert bench.loop.lanes == {}

    within(10, work())


def test_a_rebalance_in_the_middle_of_a_chunk_gets_the_cut_that_follows_out_too() -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench):
            bench.faults.hold("read")
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached["read"] == 1)
            revoking = asyncio.create_task(bench.loop.revoke())
            assert not await settled(revoking)
            bench.faults.hold("save")
            bench.faults.let_on("read")
            await until(lambda: bench.faults.reached["save"] == 1)
            assert not await settled(revoking)
            bench.faults.let_on("save")
            await revoking
            assert bench.said == ["ok-a"]
            assert bench.committed == [(0, {"predictions": 1})]

    within(10, work())


@pytest.mark.parametrize("place", ["read", "save", "publish", "clear"])
def test_a_rebalance_lets_go_in_time_where_nobody_answers(place: str) -> None:
    async def work() -> None:
        bench = Bench(replace(PROMPT, revoke_seconds=0.05))
        async with running(bench, 0, 1):
            bench.faults.hold(place)
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached[place] == 1)
            bench.faults.pass_by(place)
            await bench.loop.offer(ok(0, "ok-b", partition=1))
            await bench.loop.revoke()
            assert bench.loop.lanes == {}
            assert "ok-b" in bench.said

    within(10, work())


def test_a_rebalance_lets_go_of_every_lane_though_one_of_them_fails_as_nobody_foresees() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0, 1], 1)
        for partition in (0, 1):
            await bench.loop.offer(ok(0, f"ok-{partition}", partition=partition))
        await bench.loop.turn()
        bench.faults.armed["save"] = "break"
        with pytest.raises(Broken):
            await bench.loop.revoke()
        assert bench.loop.lanes == {}
        assert len(bench.said) == 1

    within(10, work())


# -- when it saves, and how far behind it is ---------------------------------------------------------------------------


def test_a_partition_is_behind_from_its_first_work_until_that_is_out() -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench):
            assert bench.loop.behind_seconds() == {0: 0.0}
            bench.faults.hold("publish")
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached["publish"] == 1)
            first = bench.loop.behind_seconds()[0]
            assert first > 0
            await until(lambda: bench.loop.behind_seconds()[0] > first)
            bench.faults.let_on("publish")
            await until(lambda: bench.loop.behind_seconds() == {0: 0.0})

    within(10, work())


@pytest.mark.parametrize("place", ["claim", "read"])
def test_a_partition_that_waits_for_an_answer_with_its_work_in_hand_is_behind(place: str) -> None:
    async def work() -> None:
        bench = Bench(PROMPT)
        async with running(bench):
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: len(bench.committed) == 1)
            if place == "claim":
                bench.faults.down.add("claim")
                with pytest.raises(Unavailable):
                    await bench.loop.positions([0], 2)
            else:
                bench.faults.hold("read")
                await bench.loop.offer(ok(1, "ok-b"))
            await until(lambda: bench.loop.behind_seconds()[0] > 0)

    within(10, work())


BY_TIME = LoopSettings(save_interval_seconds=0.0, stuck_seconds=1e9, save_share=1e-9, idle_save_share=0.5)
SHARES = [
    pytest.param(BY_TIME, True, id="of the time that passes"),
    pytest.param(replace(BY_TIME, save_share=0.999999, idle_save_share=1e-9), True, id="of the work"),
    pytest.param(replace(BY_TIME, idle_save_share=1e-9), False, id="of neither"),
]


@pytest.mark.parametrize(("pace", "saved"), SHARES)
def test_a_lane_is_cut_again_once_that_costs_its_share_of_the_work_or_of_the_time(
    pace: LoopSettings, saved: bool
) -> None:
    async def work() -> None:
        bench = Bench(pace)
        async with running(bench):
            await bench.loop.offer(ok(0, "ok-0"))
            await until(lambda: len(bench.committed) == 1)
            await bench.loop.offer(ok(1, "ok-1"))
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 2})
            if saved:
                await until(lambda: len(bench.committed) == 2)
            else:
                await passing()
                assert len(bench.committed) == 1

    within(10, work())


def test_a_save_of_nothing_but_the_time_waits_for_longer() -> None:
    async def work() -> None:
        bench = Bench(replace(PROMPT, tick_save_seconds=1e6), shared=setup(clock="wall"))
        async with running(bench):
            lane = bench.loop.lanes[0]
            await until(lambda: lane.dirty)
            await passing()
            assert (lane.only_ticks, bench.committed) == (True, [])
            await bench.loop.offer(ok(0, "ok-0"))
            await until(lambda: bench.committed == [(0, {"predictions": 1})])

    within(10, work())


@pytest.mark.parametrize("place", ["publish", "clear"])
def test_outputs_that_did_not_go_out_are_sent_again_though_nothing_new_comes(place: str) -> None:
    async def work() -> None:
        bench = Bench(replace(PROMPT, publish_again_seconds=0.0))
        async with running(bench):
            bench.faults.armed[place] = "fail"
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.committed == [(0, {"predictions": 1})])
            assert (await bench.kept.claim(0)).outbox == []

    within(10, work())


def test_outputs_that_did_not_go_out_are_not_sent_again_before_their_time_whatever_comes() -> None:
    async def work() -> None:
        bench = Bench(replace(PROMPT, publish_again_seconds=1e6))
        async with running(bench):
            bench.faults.armed["publish"] = "fail"
            await bench.loop.offer(ok(0, "ok-a"))
            await until(lambda: bench.faults.reached["publish"] == 1)
            for offset in range(1, 4):
                await bench.loop.offer(ok(offset, f"urgent-{offset}"))
                await until(lambda offset=offset: bench.loop.lanes[0].offsets == {"predictions": offset + 1})  # type: ignore[misc]
            await passing()
            assert (bench.faults.reached["publish"], bench.faults.reached["save"]) == (1, 1)

    within(10, work())


class Unnumbered(MemoryPublisher):
    """A publisher that knows no offsets, as one whose broker had its records already."""

    async def publish(self, outputs: Sequence[Output]) -> list[int]:
        return [-1 for _ in await super().publish(outputs)]


def test_where_the_journal_is_read_from_stays_where_its_record_has_no_offset() -> None:
    async def work() -> None:
        bench, places = Bench(), []
        for offset, publisher in enumerate([MemoryPublisher(bench.log), Unnumbered(bench.log)]):
            loop = bench.worker(publisher=publisher)
            await loop.positions([0], 1)
            await loop.offer(ok(offset, f"ok-{offset}"))
            await loop.turn(settle_all=True)
            places.append((await bench.kept.claim(0)).journal_at)
        assert places == [1, 1]

    within(10, work())
