"""Whether a worker that takes nothing is stuck, or has nothing to take: from look to look.

seconds        0    10   20   …   120
taken          5    5    5        5
end            9    9    9        9      suspected at 120, not before
"""

from __future__ import annotations

from collections.abc import Sequence

import pytest

from trueup.workers import lag
from trueup.workers.lag import Look, Place, Watch

STUCK = 120.0
HERE: Place = ("predictions", 3)
BESIDE: Place = ("feedback", 3)


def look(now: float, taken: int, end: int, *, beside: int = 0, behind: Sequence[int] = ()) -> Look:
    return Look(now, {HERE: taken, BESIDE: beside}, {HERE: end, BESIDE: 0}, frozenset(behind))


def after(*looks: Look) -> Watch:
    watch = lag.NOTHING_KNOWN
    for each in looks:
        watch = lag.followed(watch, each)
    return watch


@pytest.mark.parametrize(
    ("looks", "suspected"),
    [
        pytest.param([look(0, 5, 9), look(120, 5, 9)], True, id="it has more, and nothing was taken"),
        pytest.param([look(0, 5, 9), look(119, 5, 9)], False, id="not for long enough"),
        pytest.param([look(0, 5, 9), look(60, 5, 20), look(120, 5, 30)], True, id="more comes meanwhile"),
        pytest.param([look(0, 9, 9), look(120, 9, 9)], False, id="it has no more"),
        pytest.param([look(0, 9, 9), look(119, 9, 9), look(120, 9, 10)], False, id="more came just now"),
        pytest.param([look(0, 5, 9), look(60, 6, 9), look(120, 6, 9)], False, id="one record was taken"),
        pytest.param([look(0, 5, 9), look(60, 4, 9), look(120, 4, 9)], False, id="it went back, and takes again"),
        pytest.param([look(0, 5, 9), look(60, 5, 9, beside=1), look(120, 5, 9, beside=1)], False, id="another topic"),
        pytest.param([look(0, 5, 9), look(120, 5, 9, behind=[3])], False, id="it cannot be saved"),
        pytest.param([look(0, 5, 9), look(120, 5, 9, behind=[2])], True, id="another cannot be saved"),
        pytest.param([look(0, 5, 9), Look(60, {}, {}), look(120, 5, 9)], False, id="it was held by another worker"),
    ],
)
def test_a_place_is_suspected_once_nothing_of_its_partition_was_taken_for_so_long(
    looks: list[Look], suspected: bool
) -> None:
    assert lag.suspects(after(*looks), looks[-1], STUCK) == ([HERE] if suspected else [])


def test_what_nobody_can_read_is_no_lag_until_the_topic_goes_on() -> None:
    """Marks of a transaction, or records that were deleted."""
    watch = lag.cleared(after(look(0, 5, 9), look(120, 5, 9)), HERE, 9)
    for now in (130, 260):
        watch = lag.followed(watch, look(now, 5, 9))
        assert lag.suspects(watch, look(now, 5, 9), STUCK) == []
    watch = lag.followed(lag.followed(watch, look(270, 5, 10)), look(390, 5, 10))
    assert lag.suspects(watch, look(390, 5, 10), STUCK) == [HERE]


@pytest.mark.parametrize(
    ("unclaimed", "late"),
    [
        pytest.param([{3}, {3}, {3}], 3, id="nobody takes it over"),
        pytest.param([{3}, set(), {3}], None, id="somebody did meanwhile"),
        pytest.param([set(), set(), set()], None, id="nothing is assigned"),
        pytest.param([set(), {3}, {3}], None, id="not for long enough"),
    ],
)
def test_a_partition_that_is_assigned_and_not_taken_over_is_told(unclaimed: list[set[int]], late: int | None) -> None:
    looks = [Look(at * 60.0, {}, {}, unclaimed=parts) for at, parts in enumerate(unclaimed)]
    assert lag.not_taken_over(after(*looks), looks[-1], STUCK) == late
