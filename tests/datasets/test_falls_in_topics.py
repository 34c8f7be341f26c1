"""A fall planted in records changes the truths that it concerns, and no byte of any other record."""

from __future__ import annotations

import json

import pytest

from builders import T0, Event, feedback, prediction
from trueup.datasets.falls import Fall
from trueup.datasets.falls_in_topics import changed, planted_in
from trueup.engine.records import Chunk, Record
from trueup.errors import InvalidSettings

N = 400
FALL = Fall(0.5, T0 + N / 2)


def chunk(topic: str, *values: object, partition: int = 0) -> Chunk:
    records = [Record(7 + number, T0 + number, b"m", json.dumps(value).encode()) for number, value in enumerate(values)]
    return Chunk(topic, partition, records)


def labels(_: str) -> None:
    return None


PREDICTIONS = chunk("predictions", *[prediction(f"p{i}", i % 2, at=T0 + i) for i in range(N)])
FEEDBACK = chunk("feedback", *[feedback(f"p{i}", i % 2, at=T0 + i) for i in range(N)])


def truths(told: Chunk) -> list[Event]:
    return [json.loads(record.value or b"") for record in told.records]


def test_of_right_answers_in_its_time_so_many_become_wrong() -> None:
    planted = planted_in([PREDICTIONS, FEEDBACK], FALL, labels)
    told = changed(FEEDBACK, planted)
    wrong = [number for number, truth in enumerate(truths(told)) if truth["actual"] != number % 2]

    assert len(wrong) == pytest.approx(N / 4, rel=0.2)
    assert min(wrong) >= N / 2
    assert [record.offset for record in told.records] == [record.offset for record in FEEDBACK.records]
    assert changed(PREDICTIONS, planted) is PREDICTIONS


def test_truths_that_come_before_their_predictions_are_found_too() -> None:
    assert planted_in([FEEDBACK, PREDICTIONS], FALL, labels) == planted_in([PREDICTIONS, FEEDBACK], FALL, labels)


def test_the_same_offset_of_another_partition_is_another_record() -> None:
    planted = planted_in([PREDICTIONS, FEEDBACK], FALL, labels)
    elsewhere = chunk("feedback", *truths(FEEDBACK), partition=1)

    assert changed(elsewhere, planted).records == elsewhere.records


def test_in_a_batch_what_cannot_be_used_stays_as_it_is() -> None:
    broken, odd = {"model_id": "m", "actual": 1}, {"unknown": 10**400}
    batch = chunk("feedback", [broken, *[{**truth, **odd} for truth in truths(FEEDBACK)]])
    [record] = changed(batch, planted_in([PREDICTIONS, batch], FALL, labels)).records
    told = json.loads(record.value or b"")
    alone = truths(changed(FEEDBACK, planted_in([PREDICTIONS, FEEDBACK], FALL, labels)))

    assert told == [broken, *[{**truth, **odd} for truth in alone]]


def test_a_prediction_without_a_time_has_that_of_its_record() -> None:
    dateless = [{name: value for name, value in each.items() if name != "predicted_at"} for each in truths(PREDICTIONS)]

    assert planted_in([chunk("predictions", *dateless), FEEDBACK], FALL, labels) == planted_in(
        [PREDICTIONS, FEEDBACK], FALL, labels
    )


def test_a_fall_that_concerns_nothing_is_refused() -> None:
    with pytest.raises(InvalidSettings, match="concerns no prediction"):
        planted_in([PREDICTIONS, FEEDBACK], Fall(0.5, T0 + N), labels)
