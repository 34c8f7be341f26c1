"""What of all that is logged is shown."""

from __future__ import annotations

import logging

import pytest

from trueup.workers.logs import REPEAT_SECONDS, Repeats, not_harmless


def record(name: str, text: str, level: int = logging.ERROR) -> logging.LogRecord:
    return logging.LogRecord(name, level, __file__, 1, "%s", (text,), None)


@pytest.mark.parametrize(
    ("name", "text", "level", "shown"),
    [
        pytest.param("aiokafka.x", "Group Coordinator Request failed: [Error 15] …", logging.ERROR, False, id="first"),
        pytest.param("aiokafka.x", "Group Coordinator Request failed: [Error 30] …", logging.ERROR, True, id="refused"),
        pytest.param("trueup.engine.x", "Group Coordinator Request failed: [Error 15]", logging.ERROR, True, id="ours"),
        pytest.param("trueup.engine.batches", "[^--C]: Crashed reason=Bug()", logging.ERROR, False, id="a crash"),
        pytest.param("trueup.engine.batches", "[^--C]: something else", logging.ERROR, True, id="an error of Faust"),
        pytest.param("trueup.engine.batches", "[^--C]: Starting...", logging.INFO, False, id="how Faust is built"),
        pytest.param("trueup.engine.loop", "partition 3", logging.INFO, True, id="what we do"),
    ],
)
def test_what_nobody_has_to_mend_is_left_out(name: str, text: str, level: int, shown: bool) -> None:
    assert not_harmless(record(name, text, level)) == shown


def test_the_same_warning_again_is_counted_and_shown_later() -> None:
    now = 0.0
    repeats = Repeats(lambda: now)
    assert repeats(record("x", "no answer"))
    assert not repeats(record("x", "no answer"))
    assert repeats(record("x", "another"))
    now = REPEAT_SECONDS
    later = record("x", "no answer")
    assert repeats(later)
    assert later.getMessage() == "no answer (and 1 times since)"


def test_what_is_no_warning_is_never_left_out() -> None:
    repeats = Repeats(lambda: 0.0)
    assert [repeats(record("x", "tick", logging.INFO)) for _ in range(3)] == [True, True, True]
