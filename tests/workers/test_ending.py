"""What a worker says when it ends, and with which code."""

from __future__ import annotations

import aiokafka.errors
import kafka.errors
import pytest
import redis.exceptions

from trueup.errors import InvalidSettings, StaleWriter, TopicWentBack, Unavailable, UnknownSnapshot
from trueup.workers.ending import AGAIN, MEND, ending


@pytest.mark.parametrize(
    ("error", "code", "fault"),
    [
        pytest.param(InvalidSettings("kafka.partitions is 8"), MEND, False, id="settings"),
        pytest.param(UnknownSnapshot("of version 9"), MEND, False, id="a snapshot of a later version"),
        pytest.param(TopicWentBack("it ends at 0"), MEND, False, id="a topic made anew"),
        pytest.param(aiokafka.errors.TopicAuthorizationFailedError("no"), MEND, False, id="a right that is missing"),
        pytest.param(Unavailable("Redis does not answer"), AGAIN, False, id="Redis is away"),
        pytest.param(StaleWriter("claimed"), AGAIN, False, id="another worker"),
        pytest.param(aiokafka.errors.KafkaConnectionError("gone"), AGAIN, False, id="aiokafka"),
        pytest.param(kafka.errors.KafkaTimeoutError("late"), AGAIN, False, id="kafka-python"),
        pytest.param(redis.exceptions.ConnectionError("gone"), AGAIN, False, id="redis"),
        pytest.param(MemoryError(), AGAIN, False, id="memory"),
        pytest.param(KeyError("x"), AGAIN, True, id="a fault of ours"),
        pytest.param(aiokafka.errors.IllegalStateError("not assigned"), AGAIN, True, id="a fault that aiokafka found"),
        pytest.param(AssertionError(), AGAIN, True, id="an error without words"),
    ],
)
def test_the_code_says_who_has_to_do_something_and_faults_alone_have_a_traceback(
    error: BaseException, code: int, fault: bool
) -> None:
    how = ending(error)
    assert how.code == code
    assert how.sentence
    assert bool(how.traceback) == fault


def test_a_sentence_is_one_line_whatever_the_error_says() -> None:
    assert ending(Unavailable("no answer\n  from Redis\r\n")).sentence == "no answer from Redis"
