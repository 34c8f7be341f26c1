"""Which chunk is taken next, and which is held back for another topic of which more is about to come."""

from __future__ import annotations

from dataclasses import replace

from engine.bench import Bench, ok, running, until, within
from engine.counting import chunk
from trueup.engine.records import Chunk, Record
from trueup.engine.runner import LoopSettings
from trueup.engine.waiting import AT_ITS_END, Waiting

MANY = 10_000
PATIENT = LoopSettings(save_interval_seconds=0.0, stuck_seconds=1e9, hold_seconds=1e6)


def timed(topic: str, offset: int, *times: float, behind: int = 0) -> Chunk:
    """Records at these times; `behind` lie in the topic after them."""
    records = [Record(offset + index, at, b"m", b"value") for index, at in enumerate(times)]
    return Chunk(topic, 0, records, behind=behind)


def waiting(*chunks: Chunk) -> Waiting:
    queues = Waiting(["predictions", "feedback"])
    assert all(queues.offer(chunk, {}) for chunk in chunks)
    return queues


def taken(queues: Waiting) -> list[tuple[str, list[float]]]:
    """All that can be taken: topic and times."""
    found = []
    while (chunk := queues.next()) is not None:
        found.append((chunk.topic, [record.timestamp for record in chunk.records]))
    return found


def test_topics_are_taken_in_turn_by_the_time_of_their_records() -> None:
    queues = waiting(timed("feedback", 0, 1.0, 2.0, 3.0), timed("predictions", 0, 0.0, 1.0, 2.0))
    assert taken(queues) == [
        ("predictions", [0.0, 1.0]),
        ("feedback", [1.0, 2.0]),
        ("predictions", [2.0]),
        ("feedback", [3.0]),
    ]
    assert (queues.records, queues.size_bytes) == (0, 0)


def test_what_is_far_ahead_of_a_topic_that_goes_on_is_held_until_more_of_that_comes() -> None:
    queues = waiting(timed("predictions", 0, 0.0, 1.0, behind=MANY), timed("feedback", 0, 1.4, 1.5, 1.6, 9.0))
    assert taken(queues) == [("predictions", [0.0, 1.0]), ("feedback", [1.4, 1.5])]
    assert (queues.held, queues.records) == (True, 2)
    queues.offer(timed("predictions", 2, 8.0, 8.9, behind=MANY), {})
    assert taken(queues) == [("feedback", [1.6]), ("predictions", [8.0, 8.9]), ("feedback", [9.0])]


def test_a_topic_that_is_read_to_its_end_holds_nobody_back() -> None:
    queues = waiting(timed("predictions", 0, 0.0, behind=AT_ITS_END), timed("feedback", 0, 9.0))
    assert taken(queues) == [("predictions", [0.0]), ("feedback", [9.0])]


def test_a_topic_of_which_nothing_came_holds_nobody_back() -> None:
    assert taken(waiting(timed("feedback", 0, 9.0, behind=MANY))) == [("feedback", [9.0])]


def test_told_to_go_ahead_it_holds_nothing_back_until_more_comes() -> None:
    queues = waiting(timed("predictions", 0, 0.0, behind=MANY), timed("feedback", 0, 9.0, 9.1))
    assert taken(queues) == [("predictions", [0.0])]
    queues.go_ahead()
    assert taken(queues) == [("feedback", [9.0, 9.1])]
    queues.offer(timed("predictions", 1, 1.0, behind=MANY), {})
    queues.offer(timed("feedback", 2, 9.2), {})
    assert taken(queues) == [("predictions", [1.0])]
    assert queues.held


def test_each_topic_is_full_by_itself() -> None:
    queues = waiting(timed("feedback", 0, 1.0, 2.0), timed("predictions", 0, 1.0))
    assert queues.full(4, 1_000) == ["feedback"]
    assert queues.full(1_000, 20) == ["feedback"]
    assert queues.full(2, 1_000) == ["predictions", "feedback"]
    assert queues.full(1_000, 1_000) == []


def test_a_lane_waits_for_what_is_about_to_come_and_is_offered_more_than_fits_meanwhile() -> None:
    # What it waits for comes behind feedback for which there is no room any more.
    async def work() -> None:
        bench = Bench(replace(PATIENT, waiting_records=2))
        async with running(bench):
            await bench.loop.offer(replace(ok(0, "ok-a"), behind=MANY))
            for at in range(3):
                await bench.loop.offer(chunk("feedback", at, b"{}", at=60.0, seek=1))
            await until(lambda: bench.loop.lanes[0].held)
            assert bench.loop.lanes[0].waiting_records == 3
            await bench.loop.offer(ok(1, "ok-b"))
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 2, "feedback": 3})

    within(10, work())


def test_a_lane_waits_no_longer_than_it_may() -> None:
    async def work() -> None:
        bench = Bench(replace(PATIENT, hold_seconds=0.01))
        async with running(bench):
            await bench.loop.offer(replace(ok(0, "ok-a"), behind=MANY))
            await bench.loop.offer(chunk("feedback", 0, b"{}", at=60.0, seek=1))
            await until(lambda: bench.loop.lanes[0].offsets == {"predictions": 1, "feedback": 1})

    within(10, work())
