"""What every checkpoint promises: the one in memory and the one in Redis pass the same suite."""

from __future__ import annotations

import asyncio
import uuid
from collections.abc import Callable, Coroutine, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from typing import Any, TypeVar

import pytest
import redis.asyncio
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from trueup.embedded import Stack
from trueup.engine.checkpoint import Checkpoint, Claimed, Save
from trueup.engine.memory import MemoryCheckpoint
from trueup.engine.redis_checkpoint import RedisCheckpoint
from trueup.errors import StaleWriter

Result = TypeVar("Result")
P = 3


class Bench:
    """A checkpoint and the event loop that it lives in."""

    def __init__(self, runner: asyncio.Runner, checkpoint: Checkpoint) -> None:
        self._runner = runner
        self.checkpoint = checkpoint

    def do(self, call: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(call)

    def claim(self, partition: int = P) -> Claimed:
        return self.do(self.checkpoint.claim(partition))

    def save(self, save: Save, partition: int = P) -> None:
        self.do(self.checkpoint.save(partition, save))

    def clear(self, epoch: int, count: int, partition: int = P) -> None:
        self.do(self.checkpoint.clear_outbox(partition, epoch, count))

    def held(self, partition: int = P) -> tuple[Claimed, Mapping[str, bytes]]:
        """All that a partition holds, at the price of an epoch."""
        views = self.do(self.checkpoint.views(partition))
        return replace(self.claim(partition), epoch=0), views

    def refuses(self, save: Save, partition: int = P) -> bool:
        """Whether a save is refused with nothing written. Takes the partition over."""
        with pytest.raises(StaleWriter):
            self.save(save, partition)
        return True


@contextmanager
def in_memory(_: pytest.FixtureRequest) -> Iterator[Bench]:
    with asyncio.Runner() as runner:
        yield Bench(runner, MemoryCheckpoint())


@contextmanager
def in_redis(request: pytest.FixtureRequest) -> Iterator[Bench]:
    stack: Stack = request.getfixturevalue("stack")
    with asyncio.Runner() as runner:
        client = redis.asyncio.Redis.from_url(stack.addresses.redis)
        yield Bench(runner, RedisCheckpoint(client, worker="monitor", prefix=f"test-{uuid.uuid4().hex}"))
        runner.run(client.aclose())


KINDS = [pytest.param(in_memory, id="memory"), pytest.param(in_redis, id="redis", marks=pytest.mark.live)]


@pytest.fixture(params=KINDS)
def bench(request: pytest.FixtureRequest) -> Iterator[Bench]:
    with request.param(request) as made:
        yield made


def following(claimed: Claimed, **changes: Any) -> Save:
    """A save that stands on what was claimed."""
    save = Save(epoch=claimed.epoch, base=claimed.offsets, saves=claimed.saves, offsets=claimed.offsets)
    return replace(save, **changes)


def test_a_partition_that_was_never_saved_is_claimed_empty(bench: Bench) -> None:
    assert replace(bench.claim(), epoch=0) == Claimed(epoch=0, offsets={}, sections={}, outbox=[], saves=0)
    assert bench.do(bench.checkpoint.views(P)) == {}
    assert bench.do(bench.checkpoint.offsets(P)) == {}


def test_a_claim_raises_the_epoch_and_reads_everything(bench: Bench) -> None:
    first = bench.claim()
    bench.save(following(first, offsets={"a": 5, "b": 7}, sections={"s": b"1"}, views={"v": b"2"}, outbox=[b"x", b"y"]))
    second = bench.claim()
    assert second.epoch > first.epoch
    assert second == Claimed(
        epoch=second.epoch, offsets={"a": 5, "b": 7}, sections={"s": b"1"}, outbox=[b"x", b"y"], saves=1
    )


def test_looking_takes_nothing_over(bench: Bench) -> None:
    claimed = bench.claim()
    bench.save(following(claimed, offsets={"a": 5}, views={"v": b"2"}))
    assert bench.do(bench.checkpoint.views(P)) == {"v": b"2"}
    assert bench.do(bench.checkpoint.offsets(P)) == {"a": 5}
    bench.save(following(claimed, base={"a": 5}, saves=1, offsets={"a": 6}))


def test_whoever_claimed_a_partition_may_reread_it_and_a_predecessor_may_not(bench: Bench) -> None:
    first = bench.claim()
    bench.save(following(first, offsets={"a": 5}, sections={"s": b"1"}, views={"v": b"2"}, outbox=[b"x"]))
    expected = Claimed(epoch=first.epoch, offsets={"a": 5}, sections={"s": b"1"}, outbox=[b"x"], saves=1)
    assert bench.do(bench.checkpoint.reread(P, first.epoch)) == expected
    second = bench.claim()
    for epoch in (first.epoch, second.epoch + 1):
        with pytest.raises(StaleWriter):
            bench.do(bench.checkpoint.reread(P, epoch))
    assert bench.do(bench.checkpoint.reread(P, second.epoch)) == second


def test_a_save_changes_what_it_names_and_leaves_the_rest(bench: Bench) -> None:
    claimed = bench.claim()
    bench.save(following(claimed, offsets={"a": 1}, sections={"s": b"1", "t": b"1"}, views={"v": b"1", "w": b"1"}))
    changes: dict[str, Any] = {"sections": {"s": b"2", "u": b"2"}, "views": {"w": b"2"}}
    bench.save(following(claimed, base={"a": 1}, saves=1, offsets={"a": 2, "b": 1}, **changes))
    held, views = bench.held()
    assert held.offsets == {"a": 2, "b": 1}
    assert held.sections == {"s": b"2", "t": b"1", "u": b"2"}
    assert views == {"v": b"1", "w": b"2"}
    assert held.saves == 2


def test_none_deletes_a_section_and_a_view_and_may_name_one_that_is_not_there(bench: Bench) -> None:
    claimed = bench.claim()
    bench.save(following(claimed, sections={"s": b"1", "t": b"1"}, views={"v": b"1", "w": b"1"}))
    gone: dict[str, Any] = {"sections": {"s": None, "x": None}, "views": {"v": None, "x": None}}
    bench.save(following(claimed, saves=1, **gone))
    held, views = bench.held()
    assert held.sections == {"t": b"1"}
    assert views == {"w": b"1"}


def test_a_partition_knows_nothing_of_its_neighbours(bench: Bench) -> None:
    for partition in (1, 11):
        bench.save(following(bench.claim(partition), offsets={"a": partition}, outbox=[b"%d" % partition]), partition)
    assert bench.held(1)[0] == Claimed(epoch=0, offsets={"a": 1}, sections={}, outbox=[b"1"], saves=1)
    assert bench.held(11)[0] == Claimed(epoch=0, offsets={"a": 11}, sections={}, outbox=[b"11"], saves=1)


STALE: list[Any] = [
    pytest.param({"epoch": -1}, id="an older epoch"),
    pytest.param({"epoch": 2**50}, id="an epoch that nobody claimed"),
    pytest.param({"base": {"a": 4, "b": 1}}, id="another base offset"),
    pytest.param({"base": {"a": 5}}, id="a base without a topic that was saved"),
    pytest.param({"base": {}}, id="a base of nothing"),
    pytest.param({"base": {"a": 5, "b": 1, "c": 0}}, id="a base with a topic that was never saved"),
    pytest.param({"saves": 0}, id="a save counted before"),
    pytest.param({"saves": 2}, id="a save missing"),
]


@pytest.mark.parametrize("change", STALE)
def test_a_save_that_stands_on_something_else_is_refused_and_writes_nothing(
    bench: Bench, change: dict[str, Any]
) -> None:
    first = bench.claim()
    bench.save(following(first, offsets={"a": 5, "b": 1}, sections={"s": b"1"}, views={"v": b"1"}, outbox=[b"x"]))
    second = bench.claim()
    save = following(
        second,
        offsets={"a": 9, "b": 9, "c": 9},
        sections={"s": None, "t": b"9"},
        views={"v": None, "w": b"9"},
        outbox=[b"y"],
    )
    assert bench.refuses(replace(save, **change))
    held, views = bench.held()
    assert held == Claimed(0, {"a": 5, "b": 1}, {"s": b"1"}, [b"x"], saves=1)
    assert views == {"v": b"1"}


def test_the_same_save_twice_is_written_once_even_where_no_offset_moved(bench: Bench) -> None:
    save = following(bench.claim(), sections={"s": b"1"}, outbox=[b"x"])
    bench.save(save)
    assert bench.refuses(save)
    assert bench.held()[0].outbox == [b"x"]


def test_a_partition_that_nobody_claimed_cannot_be_saved(bench: Bench) -> None:
    assert bench.refuses(Save(epoch=0, base={}, saves=0, offsets={"a": 1}))
    assert bench.do(bench.checkpoint.offsets(P)) == {}


def test_the_outbox_keeps_its_order_and_is_cleared_from_the_front(bench: Bench) -> None:
    claimed = bench.claim()
    bench.save(following(claimed, outbox=[b"1", b"2", b"2"]))
    bench.save(following(claimed, saves=1, outbox=[b"3", b""]))
    bench.clear(claimed.epoch, 2)
    assert bench.held()[0].outbox == [b"2", b"3", b""]


@pytest.mark.parametrize("count", [0, 1, 2, 3], ids="{} cleared".format)
def test_as_many_outputs_are_cleared_as_were_published_and_no_more(bench: Bench, count: int) -> None:
    claimed = bench.claim()
    bench.save(following(claimed, outbox=[b"1", b"2"]))
    bench.clear(claimed.epoch, count)
    assert bench.held()[0].outbox == [b"1", b"2"][count:]


def test_an_older_epoch_clears_nothing(bench: Bench) -> None:
    first = bench.claim()
    bench.save(following(first, outbox=[b"1"]))
    second = bench.claim()
    with pytest.raises(StaleWriter):
        bench.clear(first.epoch, 1)
    bench.clear(second.epoch, 0)
    assert bench.held()[0].outbox == [b"1"]


AWKWARD = ["", " ", "a:b", "{3}", "at:a", "ünïcode/✓", "\x00", "x" * 2_000, "predictions/m-1/\n", "epoch", "saves"]


def test_names_and_values_come_back_whatever_is_in_them(bench: Bench) -> None:
    fields: dict[str, bytes | None] = {name: bytes(range(256)) + name.encode() for name in AWKWARD}
    fields["empty"] = b""
    save = following(bench.claim(), sections=fields, views=fields, offsets=dict.fromkeys(AWKWARD, 2**53))
    bench.save(replace(save, outbox=[b"", bytes(range(256)), b"\xff"]))
    held, views = bench.held()
    assert held.sections == views == fields
    assert held.offsets == dict.fromkeys(AWKWARD, 2**53)
    assert held.outbox == [b"", bytes(range(256)), b"\xff"]
    assert bench.do(bench.checkpoint.offsets(P)) == held.offsets


def test_twenty_thousand_fields_go_into_one_save(bench: Bench) -> None:
    fields: dict[str, bytes | None] = {f"model-{number}": b"%d" % number for number in range(20_000)}
    outbox = [b"%d" % number for number in range(20_000)]
    claimed = bench.claim()
    bench.save(following(claimed, sections=fields, views=fields, outbox=outbox))
    held, views = bench.held()
    assert held.sections == views == fields
    assert held.outbox == outbox
    bench.save(following(replace(claimed, epoch=bench.claim().epoch), saves=1, sections=dict.fromkeys(fields)))
    assert bench.held()[0].sections == {}


def test_of_two_claimants_who_race_exactly_the_later_one_may_write(bench: Bench) -> None:
    async def attempt(claimed: Claimed, name: str) -> bool:
        try:
            await bench.checkpoint.save(P, following(claimed, offsets={"a": 1}, sections={name: b"1"}, outbox=[b"x"]))
        except StaleWriter:
            return False
        return True

    async def race() -> None:
        for round_ in range(20):
            claims = await asyncio.gather(*(bench.checkpoint.claim(P) for _ in range(4)))
            assert len({claimed.epoch for claimed in claims}) == 4
            won = await asyncio.gather(*(attempt(claimed, f"{round_}") for claimed in claims))
            latest = max(range(4), key=lambda at: claims[at].epoch)
            assert [at for at, one in enumerate(won) if one] == [latest]

    bench.do(race())
    held = bench.held()[0]
    assert (held.saves, len(held.outbox), len(held.sections)) == (20, 20, 20)


def test_of_a_claim_and_a_save_that_race_the_claim_sees_all_of_the_save_or_the_save_is_refused(bench: Bench) -> None:
    async def attempt(save: Save) -> bool:
        try:
            await bench.checkpoint.save(P, save)
        except StaleWriter:
            return False
        return True

    async def race() -> None:
        claimed = await bench.checkpoint.claim(P)
        for at in range(40):
            save = following(claimed, offsets={"a": at}, sections={"s": b"%d" % at}, outbox=[b"%d" % at])
            if at % 2:
                written, claimed = await asyncio.gather(attempt(save), bench.checkpoint.claim(P))
            else:
                claimed, written = await asyncio.gather(bench.checkpoint.claim(P), attempt(save))
            new = (
                claimed.offsets.get("a") == at,
                claimed.sections.get("s") == b"%d" % at,
                b"%d" % at in claimed.outbox,
            )
            assert new == (written,) * 3

    bench.do(race())


names = st.text(st.characters(codec="utf-8"), max_size=6)
changes = st.dictionaries(st.sampled_from("abcd") | names, st.none() | st.binary(max_size=6), max_size=6)
saves = st.lists(st.tuples(changes, changes, st.dictionaries(st.sampled_from("pf"), st.integers(0, 2**60)),
                           st.lists(st.binary(max_size=4), max_size=4), st.booleans()), max_size=6)  # fmt: skip


@pytest.mark.parametrize("kind", KINDS)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(saves=saves)
def test_any_saves_come_to_what_a_dictionary_makes_of_them(
    kind: Callable[[pytest.FixtureRequest], Any],
    request: pytest.FixtureRequest,
    saves: list[tuple[dict[str, bytes | None], dict[str, bytes | None], dict[str, int], list[bytes], bool]],
) -> None:
    sections: dict[str, bytes | None] = {}
    views: dict[str, bytes | None] = {}
    offsets: dict[str, int] = {}
    outbox: list[bytes] = []
    with kind(request) as bench:
        claimed = bench.claim()
        for number, (some, shown, moved, said, again) in enumerate(saves):
            base = dict(offsets)
            sections.update(some)
            views.update(shown)
            offsets.update(moved)
            outbox += said
            bench.save(Save(claimed.epoch, base, number, offsets=moved, sections=some, views=shown, outbox=said))
            claimed = bench.claim() if again else claimed
        held, seen = bench.held()
    assert held.sections == {name: value for name, value in sections.items() if value is not None}
    assert seen == {name: value for name, value in views.items() if value is not None}
    assert (held.offsets, held.outbox, held.saves) == (offsets, outbox, len(saves))
