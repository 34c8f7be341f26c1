"""Every event is counted exactly once, and never more are held than agreed."""

import sys
import threading
from collections.abc import Callable
from types import FrameType
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.sdk import outbox as outbox_module
from trueup.sdk.outbox import OVERHEAD_BYTES, Counts, Event, Outbox, size_bytes

ONE = Event("t", "m", b"{}")


def outbox(*, max_events: int = 100, max_bytes: int = 1_000_000) -> Outbox:
    return Outbox(max_events=max_events, max_bytes=max_bytes)


def take(box: Outbox) -> list[Event]:
    return box.take(wait_s=0, linger_s=0)


def test_events_beyond_the_bound_in_events_are_dropped_also_while_others_are_on_their_way() -> None:
    box = outbox(max_events=2)
    box.offer(ONE)
    box.offer(ONE)
    assert len(take(box)) == 2
    box.offer(ONE)
    assert box.counts == Counts(offered=3, dropped=1, pending=2)


def test_events_beyond_the_bound_in_bytes_are_dropped() -> None:
    box = outbox(max_bytes=2 * OVERHEAD_BYTES)
    box.offer(ONE)
    box.offer(Event("t", "m", b"x" * OVERHEAD_BYTES))
    assert box.counts == Counts(offered=2, dropped=1, pending=1)


@pytest.mark.parametrize("error", [None, "broken"])
@pytest.mark.parametrize("bounds", [{"max_events": 1}, {"max_bytes": size_bytes(ONE)}])
def test_settling_makes_room_again(bounds: dict[str, int], error: str | None) -> None:
    box = outbox(**bounds)
    for _ in range(3):
        box.offer(ONE)
        box.offer(ONE)
        box.settle(events=len(take(box)), size_bytes=size_bytes(ONE), error=error)
    counts = box.counts
    assert (counts.offered, counts.delivered + counts.failed, counts.dropped) == (6, 3, 3)


def test_giving_up_fails_what_is_pending_and_later_words_change_nothing() -> None:
    box = outbox()
    box.offer(ONE)
    take(box)
    box.give_up()
    box.settle(events=1, size_bytes=size_bytes(ONE), error=None)
    assert box.counts == Counts(offered=1, failed=1)


def test_a_closed_outbox_drops() -> None:
    box = outbox()
    box.close()
    box.offer(ONE)
    assert box.counts == Counts(offered=1, dropped=1)


def test_waiting_for_an_empty_outbox_gives_up_at_the_deadline() -> None:
    box = outbox()
    assert box.wait_until_empty(0)
    box.offer(ONE)
    assert not box.wait_until_empty(0.01)


def test_events_that_become_heavier_leave_less_room_until_they_are_settled() -> None:
    box = outbox(max_bytes=3 * size_bytes(ONE))
    box.offer(ONE)
    take(box)
    box.weigh(size_bytes(ONE))
    box.offer(ONE)
    box.offer(ONE)
    assert box.counts == Counts(offered=3, dropped=1, pending=2)
    box.settle(events=1, size_bytes=2 * size_bytes(ONE), error=None)
    box.offer(ONE)
    box.offer(ONE)
    assert box.counts == Counts(offered=5, delivered=1, dropped=1, pending=3)


def test_an_outbox_is_full_exactly_where_the_smallest_event_would_be_dropped() -> None:
    smallest = Event("t", "m", b"x")
    for bounds in ({"max_events": 2}, {"max_bytes": 2 * size_bytes(smallest)}, {"max_bytes": size_bytes(smallest) - 1}):
        box = outbox(**bounds)
        for _ in range(4):
            was_full, dropped = box.is_full, box.counts.dropped
            box.offer(smallest)
            assert (box.counts.dropped > dropped) == was_full


def settle_all(box: Outbox) -> None:
    for event in take(box):
        box.settle(events=1, size_bytes=size_bytes(event), error=None)


INTERRUPTED: list[Any] = [
    pytest.param(lambda box: box.offer(ONE), 1, id="offer"),
    pytest.param(lambda box: box.drop(), 1, id="drop"),
    pytest.param(lambda box: box.refuse("broken"), 1, id="refuse"),
    pytest.param(lambda box: box.counts, 0, id="counts"),
    pytest.param(settle_all, 0, id="take and settle"),
    pytest.param(lambda box: box.close(), 0, id="close"),
    pytest.param(lambda box: box.give_up(), 0, id="give up"),
    pytest.param(lambda box: box.wait_until_empty(0), 0, id="flush"),
]


@pytest.mark.parametrize("other", [*[case.values[0] for case in INTERRUPTED[:4]], INTERRUPTED[6].values[0]])
@pytest.mark.parametrize(("call", "offers"), INTERRUPTED)
def test_a_call_may_be_interrupted_before_any_of_its_lines_by_another(
    call: Callable[[Outbox], object], offers: int, other: Callable[[Outbox], object]
) -> None:
    """As a signal handler does, or a finalizer that the collector runs: in the same thread, also under the lock."""
    box = outbox(max_events=5)
    box.offer(ONE)
    interruptions = 0

    def interrupt(frame: FrameType, event: str, _: object) -> Any:
        nonlocal interruptions
        if frame.f_code.co_filename != outbox_module.__file__:
            return None
        if event == "line":
            interruptions += 1
            before = box.counts
            other(box)
            now = box.counts
            assert now.offered == now.delivered + now.dropped + now.failed + now.pending
            assert 0 <= now.pending <= 6  # The call that was interrupted may just have been counted, and be dropped.
            assert now.offered - before.offered == counted
        return interrupt

    probe = outbox()
    other(probe)
    counted = probe.counts.offered
    traced = sys.gettrace()
    sys.settrace(interrupt)
    try:
        call(box)
    finally:
        sys.settrace(traced)
    assert interruptions > 2
    assert box.counts.offered == 1 + offers + interruptions * counted
    assert 0 <= box.counts.pending <= 5
    settle_all(box)
    assert box.counts.pending == 0


@pytest.mark.parametrize(("call", "offers"), INTERRUPTED[:3])
def test_an_app_at_its_last_frame_counts_a_call_that_returns_and_none_that_raises(
    call: Callable[[Outbox], object], offers: int
) -> None:
    returned: list[Outbox] = []
    raised: list[Outbox] = []

    def recurse() -> None:
        box = boxes.pop()
        try:
            call(box)
            returned.append(box)
        except RecursionError:
            raised.append(box)
        recurse()

    boxes = [outbox() for _ in range(sys.getrecursionlimit())]
    with pytest.raises(RecursionError):
        recurse()
    assert len(returned) > 100
    assert raised
    assert {box.counts.offered for box in returned} == {offers}
    assert {box.counts.offered for box in raised} == {0}


def test_a_lock_that_is_never_given_back_holds_nobody_up_once_the_outbox_is_closed(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """What the exit of an interpreter does to a daemon thread that was in the middle of a call."""
    monkeypatch.setattr(outbox_module, "LOCK_S", 0.01)
    box = outbox()
    box.close()
    held, over = threading.Event(), threading.Event()

    def hold() -> None:
        with box._lock:
            held.set()
            over.wait()

    thread = threading.Thread(target=hold)
    thread.start()
    try:
        assert held.wait(10)
        box.offer(ONE)
        box.refuse("broken")
        assert box.counts == Counts(offered=2, dropped=1, failed=1)
    finally:
        over.set()
        thread.join()


@given(st.lists(st.sampled_from(["offer", "drop", "refuse", "take", "deliver", "fail", "close", "give up"])))
def test_offered_is_always_delivered_dropped_failed_or_pending(steps: list[str]) -> None:
    box = outbox(max_events=3)
    taken = 0
    for step in steps:
        match step:
            case "offer":
                box.offer(ONE)
            case "drop":
                box.drop()
            case "refuse":
                box.refuse("broken")
            case "take":
                taken += len(take(box))
            case "deliver" | "fail" if taken:
                box.settle(events=1, size_bytes=size_bytes(ONE), error=None if step == "deliver" else "broken")
                taken -= 1
            case "close":
                box.close()
            case "give up":
                box.give_up()
        counts = box.counts
        assert counts.offered == counts.delivered + counts.dropped + counts.failed + counts.pending
        assert 0 <= counts.pending <= 3
