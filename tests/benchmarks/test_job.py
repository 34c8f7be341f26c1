"""The job of the contenders counts right, in whatever order the topics are read."""

from __future__ import annotations

import pytest

from benchmarks.load import Load, Message, correct_answers, events, messages
from benchmarks.throughput.job import Job
from trueup_schemas import topics

LOAD = Load(models=3, predictions=600, lag=50)


def taken(records: list[Message]) -> Job:
    job = Job()
    counted = [
        (job.predictions if record.topic is topics.PREDICTIONS else job.feedback)(record.value) for record in records
    ]
    assert sum(counted) == LOAD.events
    return job


@pytest.mark.parametrize("per_record", [1, 20], ids=["single", "batched"])
@pytest.mark.parametrize("feedback_first", [False, True], ids=["as it came", "feedback first"])
def test_every_prediction_meets_its_feedback_once(per_record: int, feedback_first: bool) -> None:
    records = list(messages(events(LOAD), per_record))
    if feedback_first:
        records.sort(key=lambda record: record.topic is not topics.FEEDBACK)
    job = taken(records)
    assert (job.joined, job.correct) == (LOAD.predictions, correct_answers(LOAD))
    assert all(not model.answers and not model.truths for model in job.models.values())


def test_windows_hold_the_last_outcomes_and_each_bucket_its_own() -> None:
    job = taken(list(messages(events(LOAD), 1)))
    for model in job.models.values():
        assert model.last_correct == sum(model.last)
        assert sum(n for n, _ in model.buckets.values()) == model.joined
        assert sum(correct for _, correct in model.buckets.values()) == model.correct
