"""What every checkpoint promises: the one in memory and the one in Redis pass the same suite."""

from __future__ import annotations

import asyncio
import itertools
import uuid
from collections.abc import Callable, Collection, Coroutine, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import replace
from functools import partial
from hashlib import blake2b
from typing import Any, TypeVar, cast

import pytest
import redis
import redis.asyncio
from hypothesis import HealthCheck, given
from hypothesis import settings as hypothesis_settings
from hypothesis import strategies as st

from trueup.embedded import Stack
from trueup.engine.checkpoint import Checkpoint, Claimed, Save
from trueup.engine.memory import MemoryCheckpoint
from trueup.engine.redis_checkpoint import RedisCheckpoint
from trueup.errors import StaleWriter
from trueup.step import Found, Kept, Needs

Result = TypeVar("Result")
P = 3


class Bench:
    """A checkpoint and the event loop that it lives in. `copy` gives what puts it back to how it is now."""

    def __init__(
        self, runner: asyncio.Runner, checkpoint: Checkpoint, copy: Callable[[], Callable[[], object]]
    ) -> None:
        self._runner = runner
        self.checkpoint = checkpoint
        self.copy = copy

    def do(self, call: Coroutine[Any, Any, Result]) -> Result:
        return self._runner.run(call)

    def claim(self, partition: int = P) -> Claimed:
        return self.do(self.checkpoint.claim(partition))

    def save(self, save: Save, partition: int = P) -> None:
        self.do(self.checkpoint.save(partition, save))

    def clear(self, epoch: int, count: int, partition: int = P, *, journal_at: int | None = None) -> None:
        """Clear what whoever knows how many saves there are may clear."""
        try:
            saves = self.do(self.checkpoint.reread(partition, epoch)).saves
        except StaleWriter:
            saves = 0
        self.do(self.checkpoint.clear_outbox(partition, epoch, count, saves=saves, journal_at=journal_at))

    def read(self, *entries: bytes, asleep: Collection[str] = ()) -> Found:
        return self.do(self.checkpoint.read(P, Needs(entries, asleep)))

    def sweep(self, epoch: int, outdated: Mapping[int, int], *, turns: Iterable[int], saves: int = 0) -> int:
        return sum(self.do(self.checkpoint.sweep(P, epoch, turn, outdated, saves=saves)) for turn in turns)

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
    checkpoint = MemoryCheckpoint()
    with asyncio.Runner() as runner:
        yield Bench(runner, checkpoint, lambda: partial(checkpoint.put_back, checkpoint.copy()))


@contextmanager
def in_redis(request: pytest.FixtureRequest) -> Iterator[Bench]:
    stack: Stack = request.getfixturevalue("stack")
    prefix = f"test-{uuid.uuid4().hex}"
    with asyncio.Runner() as runner, redis.Redis.from_url(stack.addresses.redis) as server:
        client = redis.asyncio.Redis.from_url(stack.addresses.redis)
        yield Bench(runner, RedisCheckpoint(client, worker="monitor", prefix=prefix), partial(dumped, server, prefix))
        runner.run(client.aclose())


def dumped(server: redis.Redis, prefix: str) -> Callable[[], object]:
    """What puts all keys of an installation back to how they are now."""
    held = {key: cast(bytes, server.dump(key)) for key in server.scan_iter(f"*{prefix}*", count=1_000)}

    def put_back() -> None:
        for key in server.scan_iter(f"*{prefix}*", count=1_000):
            server.delete(key)
        for key, raw in held.items():
            server.restore(key, 0, raw)

    return put_back


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
    bench.save(following(claimed, offsets={"a": 5}, sections={"s": b"1"}, views={"v": b"2"}))
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


def test_a_save_that_stands_on_a_state_that_is_gone_is_refused_and_one_that_begins_anew_is_not(bench: Bench) -> None:
    claimed = bench.claim()
    bench.save(following(claimed, offsets={"a": 5}, sections={"s": b"1"}))
    bench.save(following(claimed, base={"a": 5}, saves=1, offsets={"a": 6}, sections={"s": None}))
    gone = bench.claim()
    assert (gone.offsets, gone.sections) == ({"a": 6}, {})
    assert bench.refuses(following(gone, offsets={"a": 7}, sections={"t": b"1"}))
    claimed = bench.claim()
    bench.do(bench.checkpoint.begin_anew(P, claimed.epoch, 2))
    bench.save(following(bench.claim(), offsets={"a": 1}, sections={"t": b"1"}))


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


@pytest.mark.parametrize("saves", [0, 1, 3], ids="{} saves known".format)
def test_whoever_knows_of_other_saves_than_there_are_clears_nothing(bench: Bench, saves: int) -> None:
    # The store was put back to a copy while outputs were on their way: what is in the outbox is not what went out.
    claimed = bench.claim()
    bench.save(following(claimed, outbox=[b"1"]))
    bench.save(following(claimed, saves=1, outbox=[b"2"]))
    with pytest.raises(StaleWriter):
        bench.do(bench.checkpoint.clear_outbox(P, claimed.epoch, 1, saves=saves, journal_at=9))
    held, _ = bench.held()
    assert (held.outbox, held.journal_at) == ([b"1", b"2"], 0)


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


# -- what is read when it is needed ------------------------------------------------------------------------------------


def key(number: int) -> bytes:
    """The key of an entry, as a step makes it: a hash."""
    return blake2b(b"%d" % number, digest_size=16).digest()


def test_entries_and_sleeping_sections_are_read_by_name_and_what_was_never_there_is_absent(bench: Bench) -> None:
    claimed = bench.claim()
    entries = {key(1): Kept(0, 0, b"one"), key(2): Kept(2**32 - 1, 65_535, b"two")}
    bench.save(following(claimed, entries=entries, asleep={"a": b"1", "b": b"2"}))
    found = bench.read(key(2), key(3), key(1), asleep=["b", "c"])
    assert found == Found({key(1): b"one", key(2): b"two"}, {"b": b"2"})
    assert bench.read(key(3), asleep=["c"]) == Found()
    assert bench.held()[0].sections == {}, "what sleeps is given to nobody who does not name it"


def test_whoever_needs_nothing_finds_nothing(bench: Bench) -> None:
    assert bench.read() == Found()
    bench.save(following(bench.claim(), entries={key(1): Kept(0, 0, b"one")}, asleep={"a": b"1"}))
    assert bench.read() == Found()
    assert bench.read(key(1)) == Found({key(1): b"one"})
    assert bench.read(asleep=["a"]) == Found({}, {"a": b"1"})


def test_a_later_save_replaces_an_entry_and_wakes_a_section_and_leaves_the_rest(bench: Bench) -> None:
    claimed = bench.claim()
    entries = {key(1): Kept(1, 1, b"1"), key(2): Kept(1, 1, b"2")}
    bench.save(following(claimed, entries=entries, asleep={"a": b"1", "b": b"1", "c": b"1"}))
    bench.save(following(claimed, saves=1, entries={key(1): Kept(1, 9, b"")}, asleep={"a": None, "b": b"2", "x": None}))
    assert bench.read(key(1), key(2), asleep="abcx") == Found({key(1): b"", key(2): b"2"}, {"b": b"2", "c": b"1"})
    assert bench.sweep(claimed.epoch, {1: 5}, turns=range(512)) == 1, "the day of an entry is that of its last save"
    assert bench.read(key(1), key(2)) == Found({key(1): b""})


def test_whatever_is_in_keys_names_and_values_comes_back(bench: Bench) -> None:
    claimed = bench.claim()
    keys = [bytes([first, second]) * 8 for first in (0, 10, 13, 58, 127, 128, 255) for second in (0, 7, 125, 255)]
    values = [b"", b"\x00", bytes(range(256)), b"\xff" * 5_000]
    entries = {name: Kept(at, at, values[at % len(values)]) for at, name in enumerate(keys)}
    asleep: dict[str, bytes | None] = {name: values[at % len(values)] for at, name in enumerate(AWKWARD)}
    bench.save(following(claimed, entries=entries, asleep=asleep))
    found = bench.read(*keys, asleep=AWKWARD)
    assert found.entries == {name: kept.value for name, kept in entries.items()}
    assert found.asleep == asleep


def test_twenty_thousand_entries_go_into_one_save_and_into_one_read(bench: Bench) -> None:
    claimed = bench.claim()
    entries = {key(at): Kept(at % 3, at % 7, b"%d" % at) for at in range(20_000)}
    bench.save(following(claimed, entries=entries))
    found = bench.read(*entries, *map(key, range(20_000, 25_000)))
    assert found.entries == {name: kept.value for name, kept in entries.items()}


def test_reading_takes_nothing_over_and_knows_nothing_of_neighbours(bench: Bench) -> None:
    claimed = bench.claim()
    bench.save(following(claimed, entries={key(1): Kept(0, 0, b"1")}, asleep={"a": b"1"}))
    assert bench.do(bench.checkpoint.read(P + 1, Needs([key(1)], ["a"]))) == Found()
    bench.save(following(claimed, saves=1, offsets={"a": 1}))


@pytest.mark.parametrize("change", STALE)
def test_a_save_that_is_refused_changes_no_entry_and_nothing_that_sleeps(bench: Bench, change: dict[str, Any]) -> None:
    first = bench.claim()
    kept: dict[str, Any] = {"entries": {key(1): Kept(0, 0, b"1")}, "asleep": {"a": b"1"}}
    bench.save(following(first, offsets={"a": 5, "b": 1}, **kept))
    other: dict[str, Any] = {"entries": {key(1): Kept(0, 0, b"9"), key(2): Kept(0, 0, b"9")}}
    save = following(bench.claim(), asleep={"a": None, "b": b"9"}, **other)
    assert bench.refuses(replace(save, **change))
    assert bench.read(key(1), key(2), asleep="ab") == Found({key(1): b"1"}, {"a": b"1"})


# -- what is let go ----------------------------------------------------------------------------------------------------


def test_a_sweep_deletes_what_is_outdated_for_its_shelf_and_only_that(bench: Bench) -> None:
    claimed = bench.claim()
    shelves, days = (0, 1, 7, 2**31, 2**32 - 1), (0, 9, 10, 11, 65_535)
    entries = {
        key(at): Kept(shelf, day, b"%d %d" % (shelf, day))
        for at, (shelf, day) in enumerate(itertools.product(shelves, days))
    }
    bench.save(following(claimed, entries=entries))
    outdated = {-1: 10, 1: 0, 7: 11, 2**32 - 1: 65_535}
    gone = {name for name, kept in entries.items() if kept.day < outdated.get(kept.shelf, 10)}
    assert bench.sweep(claimed.epoch, outdated, turns=range(512)) == len(gone) == 2 + 0 + 3 + 2 + 4
    assert bench.read(*entries).entries.keys() == entries.keys() - gone
    assert bench.sweep(claimed.epoch, outdated, turns=range(512)) == 0


def test_where_nothing_is_said_of_the_other_shelves_they_are_kept(bench: Bench) -> None:
    claimed = bench.claim()
    bench.save(following(claimed, entries={key(1): Kept(1, 0, b"1"), key(2): Kept(2, 0, b"2")}))
    assert bench.sweep(claimed.epoch, {}, turns=range(512)) == 0
    assert bench.sweep(claimed.epoch, {2: 1}, turns=range(512)) == 1
    assert bench.read(key(1), key(2)) == Found({key(1): b"1"})


@pytest.mark.parametrize("begin", [0, 511, 100_000], ids="from turn {} on".format)
def test_every_entry_has_its_turn(bench: Bench, begin: int) -> None:
    claimed = bench.claim()
    entries = {key(at): Kept(0, 0, b"1") for at in range(3_000)}
    bench.save(following(claimed, entries=entries))
    assert bench.sweep(claimed.epoch, {-1: 1}, turns=range(begin, begin + 512)) == 3_000
    assert bench.read(*entries) == Found()


def test_a_predecessor_sweeps_nothing(bench: Bench) -> None:
    first = bench.claim()
    bench.save(following(first, entries={key(1): Kept(0, 0, b"1")}))
    bench.claim()
    with pytest.raises(StaleWriter):
        bench.sweep(first.epoch, {-1: 1}, turns=range(512))
    assert bench.read(key(1)) == Found({key(1): b"1"})


def test_a_store_that_was_put_back_keeps_what_only_a_later_state_takes_for_gone(bench: Bench) -> None:
    claimed = bench.claim()
    bench.save(following(claimed, entries={key(1): Kept(0, 0, b"1")}))
    with pytest.raises(StaleWriter):
        bench.sweep(claimed.epoch, {-1: 1}, turns=range(512), saves=2)
    assert bench.read(key(1)) == Found({key(1): b"1"})
    assert bench.sweep(claimed.epoch, {-1: 1}, turns=range(512), saves=1) == 1


# -- beginning anew, and going back ------------------------------------------------------------------------------------


def full(bench: Bench, partition: int = P) -> Claimed:
    """A partition of which everything is saved."""
    claimed = bench.claim(partition)
    fields: dict[str, Any] = {"sections": {"s": b"1"}, "asleep": {"a": b"1"}, "views": {"v": b"1"}, "outbox": [b"x"]}
    entries = {key(at): Kept(0, 0, b"1") for at in range(50)}
    bench.save(following(claimed, offsets={"a": 5}, entries=entries, **fields), partition)
    bench.clear(claimed.epoch, 0, partition, journal_at=7)
    return claimed


def test_a_partition_that_begins_anew_has_nothing_and_counts_on(bench: Bench) -> None:
    claimed, neighbour = full(bench), full(bench, P + 1)
    bench.do(bench.checkpoint.begin_anew(P, claimed.epoch, 41))
    assert bench.read(*map(key, range(50)), asleep=["a"]) == Found()
    assert bench.do(bench.checkpoint.views(P)) == {}
    assert bench.do(bench.checkpoint.reread(P, claimed.epoch)) == Claimed(claimed.epoch, {}, {}, [], saves=41)
    assert bench.refuses(following(claimed, saves=1, base={"a": 5}))
    bench.save(following(claimed, saves=41, offsets={"a": 2}, entries={key(1): Kept(0, 0, b"2")}))
    assert bench.held()[0] == Claimed(0, {"a": 2}, {}, [], saves=42)
    assert bench.read(*map(key, range(50))) == Found({key(1): b"2"})
    bench.save(following(neighbour, saves=1, base={"a": 5}), P + 1)


def test_a_predecessor_makes_nobody_begin_anew(bench: Bench) -> None:
    first = full(bench)
    bench.claim()
    with pytest.raises(StaleWriter):
        bench.do(bench.checkpoint.begin_anew(P, first.epoch, 0))
    held, views = bench.held()
    assert held == Claimed(0, {"a": 5}, {"s": b"1"}, [b"x"], saves=1, journal_at=7)
    assert views == {"v": b"1"}
    assert len(bench.read(*map(key, range(50)), asleep=["a"]).entries) == 50


def test_where_the_journal_is_read_from_is_told_with_what_was_published_and_to_every_claim(bench: Bench) -> None:
    claimed = bench.claim()
    assert claimed.journal_at == 0
    bench.save(following(claimed, outbox=[b"1", b"2"]))
    bench.clear(claimed.epoch, 1, journal_at=2**53)
    assert (bench.held()[0].journal_at, bench.held()[0].outbox) == (2**53, [b"2"])
    again = bench.claim()
    bench.clear(again.epoch, 1)
    assert bench.do(bench.checkpoint.reread(P, again.epoch)).journal_at == 2**53
    bench.save(following(again, saves=1, offsets={"a": 1}))
    with pytest.raises(StaleWriter):
        bench.clear(claimed.epoch, 0, journal_at=1)
    assert bench.held()[0].journal_at == 2**53


@pytest.mark.parametrize("claims", [1, 3])
def test_no_epoch_comes_twice_though_the_store_is_put_back_to_a_copy(bench: Bench, claims: int) -> None:
    full(bench)
    put_back = bench.copy()
    given = [bench.claim() for _ in range(claims)]
    put_back()
    with pytest.raises(StaleWriter):
        bench.save(following(given[-1], saves=1, base={"a": 5}))
    anew = bench.claim()
    assert anew.epoch > max(claimed.epoch for claimed in given)
    assert replace(anew, epoch=0) == Claimed(0, {"a": 5}, {"s": b"1"}, [b"x"], saves=1, journal_at=7)
    for claimed in given:
        with pytest.raises(StaleWriter):
            bench.save(following(claimed, saves=1, base={"a": 5}))


def test_no_epoch_comes_twice_though_the_store_is_emptied(bench: Bench) -> None:
    put_back = bench.copy()
    given = full(bench)
    put_back()
    assert bench.claim().epoch > given.epoch
    with pytest.raises(StaleWriter):
        bench.save(following(given, saves=0))


names = st.text(st.characters(codec="utf-8"), max_size=6)
changes = st.dictionaries(st.sampled_from("abcd") | names, st.none() | st.binary(max_size=6), max_size=6)
kept = st.builds(Kept, st.integers(0, 2**32 - 1), st.integers(0, 65_535), st.binary(max_size=6))
KEYS = [key(at) for at in range(4)]
saved = st.builds(
    Save,
    epoch=st.just(0),
    base=st.just({}),
    saves=st.just(0),
    offsets=st.dictionaries(st.sampled_from("pf"), st.integers(0, 2**60)),
    sections=changes.map(lambda changed: {**changed, "of the engine": b"1"}),
    asleep=changes,
    entries=st.dictionaries(st.sampled_from(KEYS), kept, max_size=4),
    views=changes,
    outbox=st.lists(st.binary(max_size=4), max_size=4),
)


@pytest.mark.parametrize("kind", KINDS)
@hypothesis_settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(saves=st.lists(st.tuples(saved, st.booleans()), max_size=6))
def test_any_saves_come_to_what_a_dictionary_makes_of_them(
    kind: Callable[[pytest.FixtureRequest], Any], request: pytest.FixtureRequest, saves: list[tuple[Save, bool]]
) -> None:
    sections, asleep, views = (dict[str, bytes | None]() for _ in range(3))
    entries: dict[bytes, Kept] = {}
    offsets: dict[str, int] = {}
    outbox: list[bytes] = []
    with kind(request) as bench:
        claimed = bench.claim()
        for number, (save, again) in enumerate(saves):
            bench.save(replace(save, epoch=claimed.epoch, base=dict(offsets), saves=number))
            for all_of_it, change in ((sections, save.sections), (asleep, save.asleep), (views, save.views)):
                all_of_it.update(change)
            entries.update(save.entries)
            offsets.update(save.offsets)
            outbox += save.outbox
            claimed = bench.claim() if again else claimed
        found = bench.read(*KEYS, asleep=[*asleep, "not there"])
        held, seen = bench.held()
    assert held.sections == {name: value for name, value in sections.items() if value is not None}
    assert seen == {name: value for name, value in views.items() if value is not None}
    assert found.asleep == {name: value for name, value in asleep.items() if value is not None}
    assert found.entries == {name: kept.value for name, kept in entries.items()}
    assert (held.offsets, held.outbox, held.saves) == (offsets, outbox, len(saves))
