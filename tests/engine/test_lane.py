"""One partition: what it takes, in which order, and what becomes of what it cannot use."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest

from engine.counting import (
    MODEL,
    MODELS,
    PARTITIONS,
    after,
    chunk,
    counts,
    lane,
    outputs,
    run,
    said,
    setup,
    taken,
    tick,
    value,
)
from trueup import snapshots
from trueup.engine import outbox
from trueup.engine.journal import Build
from trueup.engine.lane import ENGINE, ENGINE_VERSION
from trueup.engine.records import Chunk, Record
from trueup.errors import InvalidSettings
from trueup.step import Output

A, B, C, D = (value(f"ok-{letter}") for letter in "abcd")


def test_a_chunk_that_comes_twice_is_taken_once() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, A, B))
    running.offer(chunk("predictions", 0, A, B))
    assert running.waiting_records == 2
    run(running)
    running.offer(chunk("predictions", 0, A, B))
    assert running.idle
    assert said(outputs(running.cut(), "signals")) == ["ok-a", "ok-b"]


def test_of_a_chunk_that_overlaps_only_the_new_records_are_taken() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, A, B))
    running.offer(chunk("predictions", 1, B, C))
    run(running)
    running.offer(chunk("predictions", 0, A, B, C, D))
    run(running)
    save = running.cut()
    assert said(outputs(save, "signals")) == ["ok-a", "ok-b", "ok-c", "ok-d"]
    assert [(note["from_offset"], note["to_offset"]) for note in taken(save)] == [(0, 2), (2, 3), (3, 4)]


def test_after_a_restart_what_the_saved_state_holds_is_left_out() -> None:
    first = lane()
    first.offer(chunk("predictions", 0, A, B))
    run(first)
    second = lane(claimed=after([first.cut()]))
    second.offer(chunk("predictions", 0, A, B, C))
    run(second)
    save = second.cut()
    assert said(outputs(save, "signals")) == ["ok-c"]
    assert counts(save) == {f"predictions/{MODEL}": 3}


def test_a_log_that_goes_on_later_than_expected_is_taken_where_it_goes_on() -> None:
    running = lane()
    running.offer(chunk("predictions", 7, A))
    run(running)
    assert running.offsets == {"predictions": 8}


def test_the_chunk_with_the_earliest_record_goes_first_whatever_came_first() -> None:
    # predictions   a(1)          c(3)
    # feedback           b(2)          d(4)
    running = lane()
    running.offer(chunk("feedback", 0, B, at=2.0))
    running.offer(chunk("feedback", 1, D, at=4.0))
    running.offer(chunk("predictions", 0, A, at=1.0))
    running.offer(chunk("predictions", 1, C, at=3.0))
    run(running)
    assert said(outputs(running.cut(), "signals")) == ["ok-a", "ok-b", "ok-c", "ok-d"]


def test_of_equal_timestamps_the_first_topic_of_the_setup_goes_first() -> None:
    running = lane()
    running.offer(chunk("feedback", 0, B))
    running.offer(chunk("predictions", 0, A))
    run(running)
    assert said(outputs(running.cut(), "signals")) == ["ok-a", "ok-b"]


def test_a_chunk_is_told_the_next_offsets_of_all_topics_as_they_are_once_it_is_taken() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, A, B, at=1.0))
    running.offer(chunk("feedback", 0, C, at=2.0))
    run(running)
    told = [json.loads(output.value)["at"] for output in outputs(running.cut(), "signals")]
    assert told == [{"predictions": 2}, {"predictions": 2}, {"predictions": 2, "feedback": 1}]


def letters(found: list[Output]) -> list[dict[str, str]]:
    return [{name.removeprefix("trueup_"): text.decode() for name, text in output.headers} for output in found]


def test_a_bad_event_is_a_dead_letter_with_its_own_bytes_and_its_neighbours_are_taken() -> None:
    bad = b'{"prediction_id": 7,  "model_id": "\xff"}'
    batch = b"[" + A + b" ,  " + bad + b"," + B + b"]"
    running = lane()
    running.offer(chunk("predictions", 5, C, batch, b"not JSON", None))
    run(running)
    save = running.cut()
    assert said(outputs(save, "signals")) == ["ok-c", "ok-a", "ok-b"]
    found = outputs(save, "dead-letters")
    assert [output.value for output in found] == [bad, b"not JSON", b""]
    assert [output.key for output in found] == [MODEL.encode()] * 3
    told = letters(found)
    assert all(headers.pop("detail") for headers in told)
    where = {"topic": "trueup.predictions", "partition": "0"}
    assert told == [
        {"reason": "not_utf8", **where, "offset": "6", "index": "1"},
        {"reason": "not_json", **where, "offset": "7"},
        {"reason": "empty", **where, "offset": "8"},
    ]
    assert json.loads(save.views["engine"] or b"")["dead_letters"] == {"empty": 1, "not_json": 1, "not_utf8": 1}


def test_dead_letters_are_counted_on_from_one_save_to_the_next() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, b"{"))
    run(running)
    save = running.cut()
    again = lane(claimed=after([save]))
    again.offer(chunk("predictions", 1, b"{"))
    run(again)
    assert again.dead_letters == {"not_json": 2}
    assert len(outputs(again.cut(), "dead-letters")) == 1


def test_a_record_on_the_wrong_partition_is_one_dead_letter_that_says_how_to_set_the_producer() -> None:
    elsewhere = value(*[f"ok-{number}" for number in range(200)], model=MODELS[1][0])
    running = lane()
    running.offer(chunk("predictions", 0, elsewhere, A))
    run(running)
    save = running.cut()
    assert said(outputs(save, "signals")) == ["ok-a"]
    (letter,) = outputs(save, "dead-letters")
    assert letter.value == elsewhere
    (headers,) = letters([letter])
    assert headers["reason"] == "misrouted"
    assert f"'{MODELS[1][0]}' belongs on partition 1, not 0" in headers["detail"]
    assert "partitioner=murmur2_random" in headers["detail"]
    assert "index" not in headers


def test_every_model_belongs_to_the_only_partition() -> None:
    running = lane(setup(partitions=1))
    running.offer(chunk("predictions", 0, *[value("ok-x", model=models[0]) for models in MODELS.values()]))
    run(running)
    assert len(outputs(running.cut(), "signals")) == PARTITIONS


def test_the_stream_clock_ticks_by_the_data_at_most_once_a_chunk_and_never_back() -> None:
    running = lane(setup(clock="stream"))
    running.offer(chunk("predictions", 0, A, at=100.0))
    running.offer(chunk("predictions", 1, B, at=100.5))
    running.offer(chunk("predictions", 2, C, at=101.0))
    running.offer(chunk("predictions", 3, D, at=50.0))
    run(running)
    notes = [note.get("now", note["type"]) for note in taken(running.cut())]
    assert notes == ["chunk", 100.0, "chunk", "chunk", 101.0, "chunk"]


def test_the_wall_clock_ticks_once_its_time_has_come_and_never_back() -> None:
    running = lane()
    for now in (10.0, 10.9, 11.0, 5.0, 11.9, 12.5):
        tick(running, now)
    assert [note["now"] for note in taken(running.cut())] == [10.0, 11.0, 12.5]


def test_the_time_of_the_last_tick_is_kept_through_a_restart() -> None:
    running = lane()
    tick(running, 10.0)
    again = lane(claimed=after([running.cut()]))
    tick(again, 10.5)
    assert not again.dirty


def test_the_journal_is_first_in_the_outbox_and_says_exactly_what_was_taken() -> None:
    running = lane(replace(setup(), build=Build("settings", "code")))
    running.offer(chunk("predictions", 0, A, b"{", at=1.0))
    running.offer(chunk("predictions", 2, C, at=3.0))
    running.offer(chunk("feedback", 0, B, at=2.0))
    run(running)
    tick(running, 9.5)
    first, *_ = running.cut().outbox
    note = outbox.decode(first)
    assert (note.topic, note.key, note.partition) == ("journal", b"counter:0", 0)
    assert json.loads(note.value) == {
        "worker": "counter",
        "partition": 0,
        "epoch": 1,
        "save": 1,
        "taken": [
            {"type": "chunk", "topic": "predictions", "from_offset": 0, "to_offset": 2},
            {"type": "chunk", "topic": "feedback", "from_offset": 0, "to_offset": 1},
            {"type": "chunk", "topic": "predictions", "from_offset": 2, "to_offset": 3},
            {"type": "tick", "now": 9.5},
        ],
        "settings_hash": "settings",
        "code_version": "code",
    }


def test_a_save_holds_what_changed_since_the_one_before_and_stands_on_its_offsets() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, A))
    run(running)
    first = running.cut()
    assert not running.dirty
    running.offer(chunk("feedback", 0, B))
    run(running)
    second = running.cut()
    assert (first.base, first.offsets, first.saves) == ({}, {"predictions": 1}, 0)
    assert (second.base, second.offsets, second.saves) == ({"predictions": 1}, {"predictions": 1, "feedback": 1}, 1)
    assert counts(second) == {f"feedback/{MODEL}": 1}
    assert said(outputs(second, "signals")) == ["ok-b"]
    assert json.loads(outputs(second, "journal")[0].value)["save"] == 2


@pytest.mark.parametrize("names", [["urgent-a"], ["ok-a", "urgent-b"]], ids=["alone", "among others"])
def test_a_lane_is_urgent_from_the_event_that_makes_it_so_until_it_is_cut(names: list[str]) -> None:
    running = lane()
    urgent = []
    for offset, record in enumerate([value("ok-x"), value(*names)]):
        running.offer(chunk("predictions", offset, record))
        run(running)
        urgent.append(running.urgent)
    running.cut()
    assert [*urgent, running.urgent] == [False, True, False]


def test_the_state_of_topics_with_another_number_of_partitions_is_refused_with_what_to_do() -> None:
    running = lane()
    running.offer(chunk("predictions", 0, A))
    run(running)
    saved = after([running.cut()])
    sentence = r"topics with 2 partitions, and kafka\.partitions is 4.*Set kafka\.partitions back to 2"
    with pytest.raises(InvalidSettings, match=sentence):
        lane(setup(partitions=PARTITIONS + 2), saved)


def test_state_that_does_not_say_how_many_partitions_there_were_is_taken_as_it_is() -> None:
    # Saved by the version before.
    running = lane()
    running.offer(chunk("predictions", 0, A))
    run(running)
    saved = after([running.cut()])
    _, data = snapshots.unpack(saved.sections[ENGINE], known=[ENGINE_VERSION], what="a test")
    del data["partitions"]
    earlier = replace(saved, sections={**saved.sections, ENGINE: snapshots.pack(ENGINE_VERSION, data)})
    again = lane(claimed=earlier)
    assert again.offsets == {"predictions": 1}


def test_of_a_chunk_no_more_is_taken_than_a_little_ahead_of_the_other_topics() -> None:
    # feedback      a(0) b(0.4)              d(2)
    # predictions                 c(1)
    running = lane()
    records = [Record(at, stamp, None, held) for at, (stamp, held) in enumerate([(0.0, A), (0.4, B), (2.0, D)])]
    running.offer(Chunk("feedback", 0, records))
    running.offer(chunk("predictions", 0, C, at=1.0))
    run(running)
    save = running.cut()
    assert said(outputs(save, "signals")) == ["ok-a", "ok-b", "ok-c", "ok-d"]
    assert [(note["topic"], note["from_offset"], note["to_offset"]) for note in taken(save)] == [
        ("feedback", 0, 2),
        ("predictions", 0, 1),
        ("feedback", 2, 3),
    ]
