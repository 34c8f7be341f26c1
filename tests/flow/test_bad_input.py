"""Bad input on a real Kafka: each becomes a dead letter with its reason, and its neighbours are counted."""

from __future__ import annotations

import json
from collections.abc import Callable
from typing import Any

import pytest
from kafka import KafkaProducer

from benchmarks.faults.installation import Installation, wait
from benchmarks.faults.recount import records
from trueup.console.status import read_status
from trueup.engine.partitioner import partition_for

pytestmark = [pytest.mark.live, pytest.mark.timeout(120)]

MODEL = "spam"


def good(number: int) -> dict[str, Any]:
    return {"prediction_id": f"good{number}", "model_id": MODEL, "model_version": "v1", "prediction": "ham"}


def bad(**changes: Any) -> bytes:
    return json.dumps({**good(0), "prediction_id": "bad", **changes}).encode()


BAD: dict[str, tuple[bytes, str]] = {
    "not JSON": (b"{nope", "not_json"),
    "empty": (b"", "empty"),
    "wrong type": (bad(prediction_id=7), "invalid"),
    "missing field": (b'{"prediction_id": "x", "model_id": "spam", "prediction": 1}', "invalid"),
    "NaN": (b'{"prediction_id": "x", "model_id": "spam", "model_version": "v1", "prediction": NaN}', "invalid"),
    "1e400": (b'{"prediction_id": "x", "model_id": "spam", "model_version": "v1", "prediction": 1e400}', "invalid"),
    "huge integer": (bad(prediction=10**30), "invalid"),
    "deep": (b'{"x": ' + b"[" * 5_000 + b"]" * 5_000 + b"}", "too_deep"),
    "lone surrogate": (bad(prediction="\ud800"), "not_utf8"),
    "invalid UTF-8": (b'{"prediction_id": "\xff\xfe"}', "not_utf8"),
    "duplicate key": (bad()[:-1] + b', "model_id": "ham"}', "duplicate_key"),
    "oversize": (bad(source="x" * 1_100_000), "too_large"),
    "a scalar": (b"42", "not_an_object"),
}


def test_bad_input_becomes_dead_letters_and_harms_nobody(install: Callable[[str, str], Installation]) -> None:
    here = install("bad", "")
    here.start("monitor")
    right = partition_for(MODEL.encode(), 4)
    producer = KafkaProducer(bootstrap_servers=here.bootstrap, max_request_size=4_000_000, compression_type="gzip")
    places: dict[tuple[int, int], str] = {}
    try:
        for number, (name, (value, _)) in enumerate(BAD.items()):
            producer.send("bad.predictions", key=MODEL.encode(), value=json.dumps(good(number)).encode())
            sent = producer.send("bad.predictions", key=MODEL.encode(), value=value).get(timeout=20)
            places[sent.partition, sent.offset] = name
        batch = [good(100), {"prediction_id": "bad"}, good(101)]
        in_batch = producer.send("bad.predictions", key=MODEL.encode(), value=json.dumps(batch).encode()).get(20)
        wrong = (right + 1) % 4
        stray = producer.send("bad.predictions", partition=wrong, value=json.dumps(good(102)).encode()).get(20)
        producer.flush(20)
    finally:
        producer.close()
    wait("all is taken", lambda: here.progress.settled("monitor"))

    letters = {
        (int(of(letter, "trueup_partition")), int(of(letter, "trueup_offset"))): letter
        for letter in records(here.bootstrap, "bad.dead-letters")
    }
    assert len(letters) == len(BAD) + 2
    for place, name in places.items():
        value, reason = BAD[name]
        assert of(letters[place], "trueup_reason") == reason, name
        assert (letters[place].value or b"") == value, name
        assert of(letters[place], "trueup_topic") == "bad.predictions"
    one = letters[in_batch.partition, in_batch.offset]
    assert (one.value, of(one, "trueup_index")) == (b'{"prediction_id": "bad"}', "1")
    lost = letters[stray.partition, stray.offset]
    assert of(lost, "trueup_reason") == "misrouted"
    assert "murmur2" in of(lost, "trueup_detail")

    status = read_status(here.progress)
    (model,) = status["models"]
    assert model["predictions"] == len(BAD) + 2
    assert sum(status["dead_letters"].values()) == len(BAD) + 2
    assert status["dead_letters"]["misrouted"] == 1


def of(letter: Any, header: str) -> str:
    return str(dict(letter.headers)[header].decode())
