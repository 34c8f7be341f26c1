"""The time that steps are told: the wall clock, but for its jumps.

now    0 ── 10 ── 20 ─────────── 320
wall   0   3610  3620 (an hour)  3920        believed once it has lasted 300 s
told   0    10    20             3920
"""

from __future__ import annotations

from trueup.engine.clock import BELIEVED_AFTER_SECONDS, SMALL_SECONDS, SteadyClock


class Clocks:
    """Two clocks that move when they are told to."""

    def __init__(self) -> None:
        self.wall, self.monotonic = 1_000_000.0, 50.0
        self.told = SteadyClock(lambda: self.wall, lambda: self.monotonic)

    def pass_(self, seconds: float, *, jump: float = 0.0) -> float:
        self.wall += seconds + jump
        self.monotonic += seconds
        return self.told() - 1_000_000.0


def test_it_passes_as_the_wall_clock_does() -> None:
    clocks = Clocks()
    assert [clocks.pass_(0), clocks.pass_(1.5), clocks.pass_(86_400)] == [0, 1.5, 86_401.5]


def test_being_set_right_by_little_is_followed_at_once_in_both_directions() -> None:
    clocks = Clocks()
    assert clocks.pass_(1, jump=SMALL_SECONDS) == 1 + SMALL_SECONDS
    assert clocks.pass_(1, jump=-SMALL_SECONDS) == 2


def test_a_jump_of_a_year_for_a_while_is_never_told() -> None:
    clocks = Clocks()
    assert clocks.pass_(10, jump=365 * 86_400) == 10
    assert clocks.pass_(100) == 110
    assert clocks.pass_(1, jump=-365 * 86_400) == 111
    # Another jump is on trial from its own beginning.
    assert clocks.pass_(BELIEVED_AFTER_SECONDS - 1, jump=3_600) == 110 + BELIEVED_AFTER_SECONDS
    assert clocks.pass_(1) == 111 + BELIEVED_AFTER_SECONDS


def test_a_jump_that_lasts_is_believed() -> None:
    clocks = Clocks()
    assert clocks.pass_(10, jump=3_600) == 10
    assert clocks.pass_(BELIEVED_AFTER_SECONDS) == 10 + BELIEVED_AFTER_SECONDS + 3_600
    assert clocks.pass_(1) == 11 + BELIEVED_AFTER_SECONDS + 3_600
