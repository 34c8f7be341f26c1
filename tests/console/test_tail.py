"""One line for each record of each topic that `trueup tail` follows."""

from __future__ import annotations

import json
from typing import Any

import pytest

from console.showing import HOSTILE, VISIBLE
from trueup.cli import TAILED
from trueup.console.tail import one_line
from trueup.engine.journal import Build, Journal
from trueup_schemas.audit import AuditEntry
from trueup_schemas.reason import Reason


def record(value: Any, **headers: str) -> dict[str, Any]:
    return {"partition": 2, "offset": 7, "headers": headers, "value": value}


def journal() -> dict[str, Any]:
    notes = Journal()
    notes.chunk("predictions", 10, 1_510)
    notes.chunk("feedback", 0, 3)
    notes.chunk("predictions", 1_510, 1_512)
    notes.tick(1.0)
    output = notes.output(worker="monitor", partition=2, epoch=4, save=9, build=Build())
    entry: dict[str, Any] = json.loads(output.value)
    return entry


AUDIT = AuditEntry(
    audit_id="id", at=0.0, model_id="m", actor="alerter", what="trigger_withheld", reason=next(iter(Reason))
).model_dump(mode="json")


@pytest.mark.parametrize(
    ("topic", "given", "line"),
    [
        pytest.param(
            "alerts",
            record({"updated_at": "2013-03-02T00:00:00Z", "status": "snoozed", "severity": "page", "summary": "s"}),
            "2013-03-02T00:00:00Z\tsnoozed\tpage\ts",
            id="alert",
        ),
        pytest.param(
            "triggers",
            record({"requested_at": "t", "action": "retrain", "model_id": "m", "model_version": "1"}),
            "t\tretrain\tm\t1",
            id="trigger",
        ),
        pytest.param(
            "signals",
            record({"number": 5, "type": "blind", "model_id": "m", "model_version": None}),
            "2:5\tblind\tm\t-",
            id="signal",
        ),
        pytest.param(
            "dead-letters",
            record("{", trueup_reason="not_json", trueup_topic="p", trueup_detail="d"),
            "not_json\tp\td",
            id="dead letter",
        ),
        pytest.param(
            "audit",
            record(AUDIT),
            f"{AUDIT['at']}\talerter\ttrigger_withheld\t{AUDIT['reason']}\tm\t-",
            id="audit",
        ),
        pytest.param(
            "journal",
            record(journal()),
            "monitor:2\tepoch 4\tsave 9\t1,502 records of predictions, 3 records of feedback, 1 ticks",
            id="journal",
        ),
    ],
)
def test_each_topic_has_its_line(topic: str, given: dict[str, Any], line: str) -> None:
    assert one_line(topic, given) == line


@pytest.mark.parametrize("topic", TAILED)
@pytest.mark.parametrize("value", [{}, [], "", None, 7], ids=repr)
def test_what_is_none_of_ours_is_a_line_too(topic: str, value: Any) -> None:
    assert "\n" not in one_line(topic, record(value))


@pytest.mark.parametrize("topic", TAILED)
def test_no_text_breaks_a_line(topic: str) -> None:
    names = ("updated_at", "summary", "action", "actor", "type", "worker", "what", "model_id")
    line = one_line(topic, record(dict.fromkeys(names, HOSTILE), trueup_reason=HOSTILE))
    assert VISIBLE in line
    assert line.replace("\t", "").isprintable()
