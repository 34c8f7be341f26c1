"""Commands: what a person asks for is done or refused, and noted with the person's name."""

from __future__ import annotations

import pytest

from builders import HOUR, T0, AlerterHarness, change, command, window
from trueup.alerter.config import AlerterConfig, Policy


def test_an_acknowledged_alert_is_the_same_alert_and_still_resolves() -> None:
    harness = AlerterHarness()
    harness.signal(change(1))
    alert_id = harness.alert("performance_drop").alert_id
    harness.take("commands", command("acknowledge", alert_id, at=T0 + HOUR))
    taken = harness.alert("performance_drop")

    assert (taken.alert_id, taken.revision, taken.status) == (alert_id, 2, "acknowledged")
    assert taken.evidence["acknowledged_by"] == "ada"
    assert harness.audit()[-1].detail == {"author": "ada"}

    harness.signal(change(2), *[window(3 + i, 0.1, at=T0 + (1 + 24 * i) * HOUR) for i in range(2)])

    assert (harness.alert("performance_drop").status, harness.alert("performance_drop").revision) == ("resolved", 3)


def test_a_command_that_comes_twice_is_done_once() -> None:
    harness = AlerterHarness(AlerterConfig(policy=Policy(retrain="approve")))
    harness.signal(change(1))
    alert_id = harness.alert("performance_drop").alert_id
    (trigger,) = harness.views()[0]["triggers"]
    for _ in range(2):
        harness.take("commands", command("acknowledge", alert_id), command("approve", trigger["trigger_id"]))
        harness.restart()

    assert [alert.revision for alert in harness.alerts()] == [1, 2, 3]
    assert len(harness.triggers()) == 1


@pytest.mark.parametrize("then", ["reject", "approve"])
def test_the_first_word_on_a_trigger_counts(then: str) -> None:
    harness = AlerterHarness(AlerterConfig(policy=Policy(retrain="approve")))
    harness.signal(change(1))
    (trigger,) = harness.views()[0]["triggers"]
    harness.take("commands", command("reject", trigger["trigger_id"]), command(then, trigger["trigger_id"]))

    assert harness.triggers() == []
    assert harness.decisions()[-2:] == [("trigger_rejected", "rejected"), ("command_ignored", "unknown_subject")]


@pytest.mark.parametrize(
    ("name", "subject", "model"),
    [
        pytest.param("acknowledge", "nothing", "m", id="an alert that nobody knows"),
        pytest.param("approve", "nothing", "m", id="a trigger that nobody knows"),
        pytest.param("silence", None, "m", id="a silence, which is not done yet"),
        pytest.param("silence", None, None, id="a silence for the whole fleet"),
        pytest.param("rebaseline", None, "m", id="a new baseline, which is not done yet"),
    ],
)
def test_what_cannot_be_done_is_noted_with_the_persons_name(name: str, subject: str | None, model: str | None) -> None:
    harness = AlerterHarness()
    harness.take("commands", command(name, subject, model=model))
    (entry,) = harness.audit()

    assert (entry.what, entry.model_id, entry.subject) == ("command_ignored", model or "*", subject)
    assert entry.detail == {"author": "ada", "command": name}


def test_commands_about_models_that_nobody_knows_leave_nothing_behind() -> None:
    harness = AlerterHarness()
    for i in range(100):
        harness.take("commands", command("approve", "t", model=f"hostile {i}"))

    assert len(harness.audit()) == 100
    assert set(harness.sections) == {"partition"}
    assert harness.views() == []
