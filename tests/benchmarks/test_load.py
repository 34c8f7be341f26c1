"""The load is the same for the same seed, and says beforehand what has to come out."""

from __future__ import annotations

from collections import Counter

import pytest

from benchmarks.load import Load, correct_answers, events, messages
from trueup_schemas import topics
from trueup_schemas.codec import Codec

SMALL = Load(models=3, predictions=500, lag=40)


def test_the_same_seed_gives_the_same_bytes() -> None:
    first, again = ([message.value for message in messages(events(SMALL), 1)] for _ in range(2))
    assert first == again
    other = Load(models=3, predictions=500, lag=40, seed=2)
    assert first != [message.value for message in messages(events(other), 1)]


def test_every_prediction_gets_its_feedback_after_the_lag() -> None:
    predicted: dict[str, int] = {}
    told: dict[str, int] = {}
    for topic, event in events(SMALL):
        if topic is topics.PREDICTIONS:
            predicted[event["prediction_id"]] = len(predicted)
        else:
            told[event["prediction_id"]] = len(predicted)
    assert len(predicted) == SMALL.predictions
    assert set(told) == set(predicted)
    assert min(told[name] - predicted[name] for name in list(predicted)[: SMALL.predictions - SMALL.lag]) >= SMALL.lag


def test_the_count_of_right_answers_is_that_of_a_recount() -> None:
    right = Counter[bool]()
    answers = {}
    for topic, event in events(SMALL):
        if topic is topics.PREDICTIONS:
            answers[event["prediction_id"]] = event["prediction"]
        else:
            right[answers[event["prediction_id"]] == event["actual"]] += 1
    assert correct_answers(SMALL) == right[True]
    assert right[False] == pytest.approx(SMALL.error_rate * SMALL.predictions, rel=0.5)


@pytest.mark.parametrize("per_record", [1, 7, 200], ids=["single", "small batches", "batches that are never full"])
def test_records_hold_every_event_once_in_order_and_are_valid(per_record: int) -> None:
    decoded: dict[str, list[tuple[str, str]]] = {"predictions": [], "feedback": []}
    codecs = {topic.name: Codec(topic) for topic in (topics.PREDICTIONS, topics.FEEDBACK)}
    for message in messages(events(SMALL), per_record):
        found = codecs[message.topic.name].decode(message.value)
        assert found.faults == []
        assert len(found.events) == message.events <= per_record
        for _, event in found.events:
            assert event["model_id"].encode() == message.key
            decoded[message.topic.name].append((event["model_id"], event["prediction_id"]))
    for name, found_ids in decoded.items():
        wanted = [(event["model_id"], event["prediction_id"]) for topic, event in events(SMALL) if topic.name == name]
        by_model = [[pair for pair in pairs if pair[0] == "model-0"] for pairs in (found_ids, wanted)]
        assert by_model[0] == by_model[1]
        assert sorted(found_ids) == sorted(wanted)
