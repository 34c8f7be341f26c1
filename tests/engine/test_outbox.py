"""What waits in the outbox comes out of it with the same bytes."""

from __future__ import annotations

import json

from hypothesis import given
from hypothesis import strategies as st

from trueup.engine import outbox
from trueup.engine.journal import Build, Journal
from trueup.step import Output
from trueup_schemas.codec import Codec
from trueup_schemas.topics import JOURNAL

CODEC = Codec(JOURNAL)
texts = st.text(st.characters(codec="utf-8"), max_size=20)
offsets = st.integers(0, 2**53)
outputs = st.builds(
    Output,
    topic=texts,
    key=st.none() | st.binary(max_size=20),
    value=st.binary(max_size=100),
    headers=st.lists(st.tuples(texts, st.binary(max_size=20)), max_size=4).map(tuple),
    partition=st.none() | st.integers(0, 2**31),
)


@given(output=outputs)
def test_an_output_comes_out_as_it_went_in(output: Output) -> None:
    assert outbox.decode(outbox.encode(output)) == output


@given(output=outputs)
def test_the_same_output_is_always_the_same_bytes(output: Output) -> None:
    raw = outbox.encode(output)
    assert outbox.encode(outbox.decode(raw)) == raw


def test_an_output_of_megabytes_comes_out_as_it_went_in() -> None:
    output = Output("alerts", b"k" * 70_000, b"v" * 5_000_000, (("h", b"x" * 70_000),), 1)
    assert outbox.decode(outbox.encode(output)) == output


def test_the_bytes_in_an_outbox_stay_readable_from_version_to_version() -> None:
    raw = b"\x95\xa7signals\x02\xc4\x01m\xc4\x02{}\x91\x92\xa1a\xc4\x011"
    output = Output("signals", b"m", b"{}", (("a", b"1"),), 2)
    assert outbox.encode(output) == raw
    assert outbox.decode(raw) == output


taken = st.lists(
    st.one_of(
        st.tuples(st.just("chunk"), texts, offsets, offsets, st.booleans()),
        st.tuples(st.just("tick"), st.floats(allow_nan=False, allow_infinity=False)),
        st.tuples(st.just("skip"), texts, offsets, st.integers(0, 25_000)),
    ),
    max_size=10,
)


@given(taken=taken, save=offsets, epoch=offsets, build=st.builds(Build, texts, texts))
def test_a_journal_is_read_back_as_it_was_noted(
    taken: list[tuple[str, ...]], save: int, epoch: int, build: Build
) -> None:
    journal = Journal()
    for kind, *what in taken:
        if kind == "chunk":
            topic, from_offset, to_offset, apart = what
            journal.chunk(topic, int(from_offset), int(to_offset), apart=bool(apart))
        elif kind == "tick":
            journal.tick(float(what[0]))
        else:
            journal.skip(what[0], int(what[1]), int(what[2]))
    output = journal.output(worker="monitor", partition=2, epoch=epoch, save=save, build=build)
    assert (output.topic, output.key, output.partition, output.headers) == ("journal", b"monitor:2", 2, ())
    decoded = CODEC.decode(output.value)
    assert decoded.faults == []
    assert decoded.events == [(0, json.loads(output.value))]
    ((_, entry),) = decoded.events
    assert entry["taken"] == journal.taken
    assert (entry["save"], entry["epoch"]) == (save, epoch)
    assert (entry["settings_hash"], entry["code_version"]) == (build.settings_hash, build.code_version)


def test_a_chunk_says_that_it_was_taken_apart_only_where_it_was() -> None:
    journal = Journal()
    journal.chunk("feedback", 1, 2)
    journal.chunk("feedback", 2, 4, apart=True)
    assert journal.taken == [
        {"type": "chunk", "topic": "feedback", "from_offset": 1, "to_offset": 2},
        {"type": "chunk", "topic": "feedback", "from_offset": 2, "to_offset": 4, "apart": True},
    ]
