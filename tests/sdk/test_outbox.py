"""Every event is counted exactly once, and never more are held than agreed."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

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


@given(st.lists(st.sampled_from(["offer", "refuse", "take", "deliver", "fail", "close", "give up"])))
def test_offered_is_always_delivered_dropped_failed_or_pending(steps: list[str]) -> None:
    box = outbox(max_events=3)
    taken = 0
    for step in steps:
        match step:
            case "offer":
                box.offer(ONE)
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
