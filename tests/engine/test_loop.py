"""One worker: when it saves, what it does when it is refused, and whom it makes wait."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import json
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace

import pytest

from engine.bench import CALM, EAGER, Bench, ok, settled, until, within
from engine.counting import Counting, never, setup, value
from trueup.engine import outbox
from trueup.engine.checkpoint import Save
from trueup.engine.loop import Loop, LoopSettings
from trueup.engine.memory import MemoryPublisher
from trueup.errors import Unavailable
from trueup.step import Arrival, Effects, Found, Output

# -- the order of effects ----------------------------------------------------------------------------------------------


class Order:
    """Notes what is done in which order, and does it."""

    def __init__(self, bench: Bench) -> None:
        self.notes: list[str] = []
        self._kept, self._publisher = bench.kept, MemoryPublisher(bench.log)
        self.claim, self.reread, self.read = bench.kept.claim, bench.kept.reread, bench.kept.read
        self.begin_anew, self.sweep = bench.kept.begin_anew, bench.kept.sweep
        self.views, self.offsets = bench.kept.views, bench.kept.offsets

    async def save(self, partition: int, save: Save) -> None:
        self.notes.append("save")
        await self._kept.save(partition, save)

    async def clear_outbox(
        self, partition: int, epoch: int, count: int, *, saves: int, journal_at: int | None = None
    ) -> None:
        self.notes.append(f"clear {count}")
        await self._kept.clear_outbox(partition, epoch, count, saves=saves, journal_at=journal_at)

    async def publish(self, outputs: Sequence[Output]) -> list[int]:
        self.notes.append("publish " + " ".join(output.topic for output in outputs))
        return await self._publisher.publish(outputs)

    async def commit(self, partition: int, offsets: Mapping[str, int]) -> None:
        self.notes.append(f"commit {partition} {dict(offsets)}")


def test_it_processes_then_saves_then_publishes_then_clears_then_commits() -> None:
    async def work() -> None:
        order = Order(Bench())
        loop = Loop(setup=setup(clock="stream"), checkpoint=order, publisher=order, commit=order.commit, settings=CALM)
        await loop.positions([0], 1)
        await loop.offer(ok(0, "ok-a", "ok-b"))
        await loop.turn(settle_all=True)
        assert order.notes == ["save", "publish journal signals signals", "clear 3", "commit 0 {'predictions': 2}"]

    within(5, work())


# -- claims ------------------------------------------------------------------------------------------------------------


def test_a_refused_write_drops_the_lane_and_asks_to_be_claimed_anew() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0, 1], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        await bench.loop.offer(ok(0, "ok-b", partition=1))
        await bench.kept.claim(0)
        await bench.loop.turn(settle_all=True)
        assert bench.loop.lost.is_set()
        assert set(bench.loop.lanes) == {1}
        assert bench.said == ["ok-b"]
        await bench.loop.offer(ok(1, "ok-c"))
        await bench.loop.turn(settle_all=True)
        assert bench.said == ["ok-b"]
        assert await bench.loop.positions([0, 1], 2) == {0: {}, 1: {"predictions": 1}}
        assert not bench.loop.lost.is_set()
        assert bench.loop.counts.lost == 1

    within(5, work())


@pytest.mark.parametrize("way", ["fail", "lose"])
def test_a_save_that_fails_drops_the_lane_and_commits_nothing(way: str) -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        bench.faults.armed["save"] = way
        await bench.loop.turn(settle_all=True)
        assert bench.loop.lost.is_set()
        assert (bench.loop.lanes, bench.committed) == ({}, [])
        (positions,) = (await bench.loop.positions([0], 2)).values()
        assert positions == ({} if way == "fail" else {"predictions": 1})
        await bench.loop.offer(ok(0, "ok-a", seek=2))
        await bench.loop.turn(settle_all=True)
        await bench.loop.turn(settle_all=True)
        assert set(bench.said) == {"ok-a"}

    within(5, work())


@pytest.mark.parametrize("place", ["publish", "clear"])
@pytest.mark.parametrize("way", ["fail", "lose"])
def test_where_outputs_do_not_go_out_their_lane_saves_no_more_and_the_others_go_on(place: str, way: str) -> None:
    #  lane 0   save a, publish ✗   take b        publish a          save b, publish b
    #  lane 1                       save c, publish c
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0, 1], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        bench.faults.armed[place] = way
        await bench.loop.turn(settle_all=True)
        assert bench.committed == []
        await bench.loop.offer(ok(1, "ok-b"))
        await bench.loop.offer(ok(0, "ok-c", partition=1))
        await bench.loop.turn()
        assert bench.loop.lanes[0].idle
        assert bench.loop.lanes[0].dirty
        assert not bench.loop.lost.is_set()
        await bench.loop.turn(settle_all=True)
        assert "ok-c" in bench.said
        assert "ok-b" not in bench.said
        await bench.loop.turn(settle_all=True)
        assert list(dict.fromkeys(said for said in bench.said if said != "ok-c")) == ["ok-a", "ok-b"]

    within(5, work())


def test_a_chunk_that_does_not_follow_on_what_came_before_it_drops_the_lane() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0], 1)
        await bench.loop.offer(replace(ok(0, "ok-a"), follows=0))
        await bench.loop.offer(replace(ok(2, "ok-c"), follows=2))
        assert bench.loop.lost.is_set()
        assert bench.loop.lanes == {}

    within(5, work())


def test_a_gap_that_the_topic_itself_has_is_no_gap() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0], 1)
        await bench.loop.offer(replace(ok(0, "ok-a"), follows=0))
        await bench.loop.offer(replace(ok(7, "ok-b"), follows=1))
        await bench.loop.turn(settle_all=True)
        await bench.loop.turn(settle_all=True)
        assert bench.said == ["ok-a", "ok-b"]

    within(5, work())


def test_a_large_chunk_is_taken_in_parts() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0], 1)
        few = ok(0, *[f"ok-{at}" for at in range(3)])
        large = [record._replace(value=(record.value or b"") + b" " * 200_000) for record in few.records]
        await bench.loop.offer(replace(few, records=large))
        assert bench.loop.lanes[0].waiting_bytes > 600_000
        assert await bench.loop.turn() is True
        assert bench.loop.lanes[0].waiting_records == 2
        while await bench.loop.turn(settle_all=True):
            pass
        assert bench.said == ["ok-0", "ok-1", "ok-2"]
        assert bench.loop.lanes[0].waiting_bytes == 0

    within(5, work())


def test_what_a_predecessor_saved_and_did_not_publish_is_out_before_its_lane_saves_anything() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        bench.faults.armed["publish"] = "kill"
        with pytest.raises(BaseException, match="publish"):
            await bench.loop.turn(settle_all=True)
        assert bench.said == []
        successor = bench.worker()
        bench.faults.armed["publish"] = "fail"
        assert await successor.positions([0], 1) == {0: {"predictions": 1}}
        await successor.offer(ok(1, "ok-b"))
        await successor.turn(settle_all=True)
        assert bench.said == []
        assert successor.lanes[0].dirty
        await successor.turn(settle_all=True)
        assert bench.said == ["ok-a"]
        await successor.turn(settle_all=True)
        assert bench.said == ["ok-a", "ok-b"]
        assert (await bench.kept.claim(0)).outbox == []

    within(5, work())


def test_a_partition_that_cannot_be_claimed_is_lost_for_now_and_the_others_go_on() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0, 1], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        await bench.loop.turn()
        bench.faults.later("claim", after=1)
        assert await bench.loop.positions([0, 1], 2) == {0: {}}
        assert (bench.loop.lost_partitions, bench.loop.lost.is_set()) == ({1}, True)
        assert bench.loop.holds(0, 2)
        assert not bench.loop.holds(1, 2)
        await bench.loop.offer(ok(1, "ok-b"))
        await bench.loop.turn(settle_all=True)
        assert await bench.kept.offsets(0) == {}, "ok-b, of the old seek, went on where the saved state holds no ok-a"
        await bench.loop.offer(replace(ok(0, "ok-a"), seek=2))
        await bench.loop.turn(settle_all=True)
        assert bench.said == ["ok-a"]
        assert await bench.loop.positions([1], 3) == {1: {}}
        assert (bench.loop.lost_partitions, bench.loop.lost.is_set()) == (set(), False)

    within(5, work())


def test_where_no_partition_can_be_claimed_that_is_said_and_none_is_held() -> None:
    async def work() -> None:
        bench = Bench()
        bench.faults.later("claim", after=0)
        with pytest.raises(Unavailable):
            await bench.loop.positions([0], 1)
        assert bench.loop.lanes == {}
        assert set(bench.loop.behind_seconds()) == {0}

    within(5, work())


def test_a_thawed_zombie_whose_step_raises_is_refused_and_takes_nothing_over() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0], 1)
        await bench.loop.offer(ok(0, "ok-a", "poison-1"))
        successor = bench.worker()
        await successor.positions([0], 1)
        await bench.loop.turn(settle_all=True)
        assert bench.loop.lost.is_set()
        await successor.offer(ok(0, "ok-a", "poison-1"))
        await successor.turn(settle_all=True)
        assert not successor.lost.is_set()
        assert bench.said == ["ok-a"]

    within(5, work())


def test_chunks_from_before_the_last_seek_and_of_partitions_of_others_are_dropped() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0], 1)
        await bench.loop.positions([0], 2)
        await bench.loop.offer(ok(5, "ok-old", seek=1))
        await bench.loop.offer(ok(0, "ok-other", partition=1, seek=2))
        await bench.loop.offer(ok(0, "ok-new", seek=2))
        await bench.loop.turn(settle_all=True)
        assert bench.said == ["ok-new"]

    within(5, work())


def test_a_revoked_worker_saves_and_publishes_what_it_took_and_lets_go_of_all() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0, 1], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        await bench.loop.offer(ok(0, "ok-b", partition=1))
        await bench.loop.turn()
        assert bench.said == []
        await bench.loop.offer(ok(1, "ok-c"))
        await bench.loop.revoke()
        assert bench.said == ["ok-a", "ok-b"]
        assert bench.loop.lanes == {}
        assert [await bench.kept.offsets(partition) for partition in (0, 1)] == [{"predictions": 1}] * 2

    within(5, work())


# -- when it saves -----------------------------------------------------------------------------------------------------


def test_what_is_urgent_is_out_in_the_turn_that_takes_it_and_the_rest_waits() -> None:
    async def work() -> None:
        bench = Bench()
        await bench.loop.positions([0, 1], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        await bench.loop.offer(ok(0, "ok-b", partition=1))
        await bench.loop.turn()
        assert bench.said == []
        await bench.loop.offer(ok(1, "urgent-c"))
        await bench.loop.turn()
        assert bench.said == ["ok-a", "urgent-c"]

    within(5, work())


class Costly(Counting):
    """A step that knows how long it worked since each cut, and how long the cut took."""

    cuts: list[tuple[float, float]]
    worked = 0.0

    def take(self, topic: str, arrivals: Sequence[Arrival], positions: Mapping[str, int], found: Found) -> None:
        begun = time.perf_counter()
        super().take(topic, arrivals, positions, found)
        spend(0.001)
        self.worked += time.perf_counter() - begun

    def effects(self) -> Effects:
        begun = time.perf_counter()
        effects = super().effects()
        spend(0.004)
        self.cuts.append((self.worked, time.perf_counter() - begun))
        self.worked = 0.0
        return effects


def spend(seconds: float) -> None:
    """Work for so long."""
    end = time.perf_counter() + seconds
    while time.perf_counter() < end:
        pass


def costly(settings: LoopSettings) -> tuple[Bench, list[tuple[float, float]]]:
    cuts: list[tuple[float, float]] = []

    def restore(partition: int, saved: Mapping[str, bytes]) -> Costly:
        step = Costly(partition, saved, bad_tick=never)
        step.cuts = cuts
        return step

    return Bench(settings, shared=replace(setup(clock="stream"), restore=restore)), cuts


@pytest.mark.parametrize("share", [0.1, 0.2, 0.5])
def test_while_there_is_work_a_cut_is_followed_by_as_much_of_it_as_its_share_asks_for(share: float) -> None:
    pace = LoopSettings(save_interval_seconds=0.0, save_share=share, idle_save_share=1e-9, stuck_seconds=1e9)

    async def work() -> None:
        bench, cuts = costly(replace(pace, longest_save_interval_seconds=1e6))
        await bench.loop.positions([0], 1)
        offset = 0
        while len(cuts) < 4:
            await bench.loop.offer(ok(offset, f"ok-{offset}"))
            offset += 1
            await bench.loop.turn()
        for (_, cost), (worked, _) in itertools.pairwise(cuts):
            # The loop's own part of the work is counted too, and is little.
            assert worked >= 0.7 * cost * (1 - share) / share

    within(30, work())


def test_however_much_a_save_costs_the_next_one_is_not_put_off_until_the_worker_counts_as_stuck() -> None:
    async def work() -> None:
        bench, _ = costly(LoopSettings(save_share=0.0001, idle_save_share=1e-9, stuck_seconds=0.5))
        await bench.loop.positions([0], 1)
        offset = 0
        while bench.loop.counts.saves < 3:
            await bench.loop.offer(ok(offset, f"ok-{offset}"))
            await bench.loop.turn()
            offset += 1
            await asyncio.sleep(0)

    within(10, work())


@pytest.mark.parametrize("place", ["claim", "save", "publish", "clear"])
def test_a_partition_that_has_work_and_cannot_be_settled_for_too_long_ends_the_worker(place: str) -> None:
    async def work() -> None:
        bench = Bench(LoopSettings(save_interval_seconds=0.0, stuck_seconds=0.02))
        await bench.loop.positions([0], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        running = asyncio.create_task(bench.loop.run(lambda: False))
        bench.faults.down.add(place)
        for seek in itertools.count(2):
            await asyncio.sleep(0)
            if running.done():
                break
            if place != "claim" and not bench.loop.lost.is_set():
                continue
            with contextlib.suppress(Unavailable):
                await bench.loop.positions([0], seek)
                await bench.loop.offer(ok(0, "ok-a", seek=seek))
        with pytest.raises(Unavailable, match="partition 0 could not be saved and published"):
            await running

    within(10, work())


def test_a_worker_that_has_nothing_to_do_is_never_stuck() -> None:
    async def work() -> None:
        bench = Bench(LoopSettings(save_interval_seconds=0.0, stuck_seconds=0.0))
        await bench.loop.positions([0], 1)
        await bench.loop.offer(ok(0, "ok-a"))
        await bench.loop.turn(settle_all=True)
        for _ in range(3):
            await bench.loop.turn(settle_all=True)
        assert bench.said == ["ok-a"]

    within(5, work())


# -- back-pressure -----------------------------------------------------------------------------------------------------

NARROW = LoopSettings(save_interval_seconds=1e6, stuck_seconds=1e9, waiting_records=2)


def test_whoever_offers_to_a_full_lane_waits_until_there_is_room() -> None:
    async def work() -> None:
        bench = Bench(NARROW)
        await bench.loop.positions([0, 1], 1)
        await bench.loop.offer(ok(0, "ok-a", "ok-b"))
        waiting = asyncio.create_task(bench.loop.offer(ok(2, "ok-c")))
        assert not await settled(waiting)
        await bench.loop.offer(ok(0, "ok-x", partition=1))
        await bench.loop.turn()
        assert await settled(waiting)
        await bench.loop.turn(settle_all=True)
        assert bench.said == ["ok-a", "ok-b", "ok-c", "ok-x"]

    within(5, work())


@pytest.mark.parametrize("end", ["revoked", "claimed anew", "lost"])
def test_whoever_waits_for_a_lane_that_is_gone_is_let_go_and_its_chunk_dropped(end: str) -> None:
    async def work() -> None:
        bench = Bench(NARROW)
        await bench.loop.positions([0], 1)
        await bench.loop.offer(ok(0, "ok-a", "ok-b"))
        waiting = asyncio.create_task(bench.loop.offer(ok(2, "ok-c")))
        assert not await settled(waiting)
        if end == "revoked":
            await bench.loop.revoke()
        elif end == "claimed anew":
            await bench.loop.positions([0], 2)
        else:
            await bench.kept.claim(0)
            await bench.loop.turn(settle_all=True)
        assert await settled(waiting)
        assert all(lane.idle for lane in bench.loop.lanes.values())

    within(5, work())


# -- the loop as a task ------------------------------------------------------------------------------------------------


def test_a_loop_that_runs_wakes_for_a_chunk_and_ends_saved_when_it_is_told_to() -> None:
    async def work() -> None:
        bench = Bench(EAGER)
        await bench.loop.positions([0], 1)
        stop = False
        running = asyncio.create_task(bench.loop.run(lambda: stop))
        for offset in range(3):
            await bench.loop.offer(ok(offset, f"ok-{offset}"))
            await until(lambda expected=offset + 1: len(bench.committed) == expected)  # type: ignore[misc]
        await bench.loop.offer(ok(3, "ok-3"))
        stop = True
        await running
        assert bench.committed == [(0, {"predictions": offset}) for offset in (1, 2, 3, 4)]
        assert bench.loop.lanes == {}

    within(10, work())


def test_a_loop_that_lost_its_lanes_rests_until_they_are_claimed_anew() -> None:
    async def work() -> None:
        bench = Bench(EAGER)
        await bench.loop.positions([0], 1)
        stop, asked = False, 0

        def should_stop() -> bool:
            nonlocal asked
            asked += 1
            return stop

        running = asyncio.create_task(bench.loop.run(should_stop))
        bench.faults.armed["save"] = "fail"
        await bench.loop.offer(ok(0, "ok-a"))
        await bench.loop.lost.wait()
        before = asked
        with pytest.raises(TimeoutError):
            async with asyncio.timeout(0.1):
                await asyncio.shield(running)
        assert asked - before < 5
        stop = True
        await bench.loop.positions([0], 2)
        await bench.loop.offer(ok(0, "ok-a", seek=2))
        await running

    within(10, work())


def test_an_outbox_of_thousands_goes_out_in_one_piece_and_in_order() -> None:
    async def work() -> None:
        bench = Bench()
        claimed = await bench.kept.claim(0)
        entries = [outbox.encode(Output("signals", b"m", value(f"ok-{at}"), partition=0)) for at in range(5_000)]
        await bench.kept.save(0, Save(claimed.epoch, {}, 0, offsets={}, outbox=entries))
        await bench.loop.positions([0], 1)
        await bench.loop.turn(settle_all=True)
        names = [json.loads(record.value or b"")["prediction_id"] for record in bench.log.all("signals")]
        assert names == [f"ok-{at}" for at in range(5_000)]

    within(10, work())
