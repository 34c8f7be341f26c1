"""What may be committed, and what is handed out."""

from hypothesis import given
from hypothesis import strategies as st

from trueup.sdk.trigger_ledger import TriggerLedger


def test_a_trigger_is_handed_out_once_however_often_it_arrives() -> None:
    ledger = TriggerLedger()
    assert ledger.arrive(0, 5, "a")
    assert not ledger.arrive(0, 5, "a"), "the same record, read again over a new connection"
    assert not ledger.arrive(0, 6, "a"), "published again"
    assert not ledger.arrive(1, 0, "a"), "published again, elsewhere"


def test_a_trigger_that_is_finished_already_is_not_handed_out() -> None:
    ledger = TriggerLedger()
    ledger.finish("a")
    assert not ledger.arrive(0, 5, "a")
    assert ledger.to_commit() == {0: 6}


def test_commits_stop_at_the_first_trigger_that_is_not_finished() -> None:
    """offset  5: a    6: b    7: not for us    8: c"""
    ledger = TriggerLedger()
    for offset, trigger in enumerate(["a", "b", None, "c"], start=5):
        ledger.arrive(0, offset, trigger)
    ledger.finish("c")
    assert ledger.to_commit() == {0: 5}
    ledger.finish("a")
    assert ledger.to_commit() == {0: 6}
    ledger.finish("b")
    assert ledger.to_commit() == {0: 9}


def test_what_is_committed_is_not_committed_again() -> None:
    ledger = TriggerLedger()
    ledger.arrive(0, 5, None)
    ledger.committed(ledger.to_commit())
    assert ledger.to_commit() == {}


@given(st.lists(st.sampled_from("abcdef"), unique=True), st.permutations("abcdef"), st.integers(0, 6))
def test_a_restart_from_the_committed_offset_brings_exactly_the_unfinished(
    arrived: list[str], order: list[str], finished_count: int
) -> None:
    """In whatever order triggers finish; the finished ones are read back from their updates."""
    before = TriggerLedger()
    for offset, trigger in enumerate(arrived):
        before.arrive(0, offset, trigger)
    finished = order[:finished_count]
    for trigger in finished:
        before.finish(trigger)
    start = before.to_commit().get(0, 0)

    after = TriggerLedger()
    for trigger in finished:
        after.finish(trigger)
    again = [trigger for offset, trigger in enumerate(arrived) if offset >= start and after.arrive(0, offset, trigger)]
    assert again == [trigger for trigger in arrived if trigger not in finished]
