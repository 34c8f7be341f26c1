"""Triggers: what the team's policy lets out, what a pipeline says of them, and what is withheld and why."""

from __future__ import annotations

from typing import Any

import pytest

from builders import DAY, HOUR, T0, AlerterHarness, change, command, comparison, deployed, fault, update, window
from trueup.alerter.config import AlerterConfig, Policy


def harness_with(**policy: Any) -> AlerterHarness:
    return AlerterHarness(AlerterConfig(policy=Policy(**policy)))


def withheld(harness: AlerterHarness) -> list[str]:
    return [reason for what, reason in harness.decisions() if what == "trigger_withheld"]


def shown(harness: AlerterHarness) -> dict[str, Any]:
    """The only trigger, as it is shown."""
    ((state,),) = [view["triggers"] for view in harness.views()]
    assert isinstance(state, dict)
    return state


def test_a_retrain_trigger_carries_exactly_the_data_of_the_signal() -> None:
    harness = AlerterHarness()
    harness.signal(change(1))
    (trigger,) = harness.triggers()
    dataset = trigger.dataset

    assert (trigger.action, trigger.model_id, trigger.model_version, trigger.target_version) == (
        "retrain",
        "m",
        "v1",
        None,
    )
    assert trigger.alert_id == harness.alert("performance_drop").alert_id
    assert dataset is not None
    assert dataset.topics == {"trueup.predictions": {"0": (3, 90)}, "trueup.feedback": {"0": (5, 70)}}
    assert (dataset.from_time, dataset.to_time, dataset.labelled) == (T0 - 28 * DAY, T0, 60)
    assert trigger.reason["code"] == "error_rose"
    assert (trigger.requested_at, trigger.deadline_at) == (T0, T0 + DAY)


def test_a_rollback_trigger_names_the_version_to_go_back_to() -> None:
    harness = AlerterHarness()
    harness.signal(comparison(1, "worse"))
    (trigger,) = harness.triggers()

    assert (trigger.action, trigger.model_version, trigger.target_version) == ("rollback", "v2", "v1")
    assert trigger.reason["code"] == "version_worse"
    assert harness.alert("version_worse").alert_id == trigger.alert_id


@pytest.mark.parametrize("verdict", ["better", "not_worse"])
def test_a_promote_trigger_names_the_better_version_where_the_team_lets_it(verdict: str) -> None:
    harness = harness_with(promote="auto")
    harness.signal({**comparison(1, verdict), "margin": 0.02})
    (trigger,) = harness.triggers()

    assert (trigger.action, trigger.model_version, trigger.target_version) == ("promote", "v1", "v2")
    assert trigger.alert_id is None
    assert trigger.reason["margin"] == 0.02


@pytest.mark.parametrize("action", ["retrain", "rollback", "promote"])
@pytest.mark.parametrize("mode", ["auto", "approve", "off"])
def test_each_action_goes_by_its_own_mode(action: str, mode: str) -> None:
    others = {other: "off" for other in ("retrain", "rollback", "promote") if other != action}
    harness = harness_with(**{action: mode}, **others)
    signals = {"retrain": change(1), "rollback": comparison(1, "worse"), "promote": comparison(1, "better")}
    harness.signal(signals[action])
    decisions = dict(harness.decisions())

    assert [trigger.action for trigger in harness.triggers()] == ([action] if mode == "auto" else [])
    if mode == "auto":
        assert decisions["trigger_requested"] == "requested"
    elif mode == "approve":
        assert decisions["trigger_awaiting_approval"] == "awaiting_approval"
        assert shown(harness)["status"] == "awaiting_approval"
    else:
        assert decisions["trigger_withheld"] == "policy_off"


def test_a_model_has_the_policy_that_is_said_of_it_and_for_the_rest_that_of_the_fleet() -> None:
    config = AlerterConfig(policy=Policy(retrain="off", rollback="off"), models={"m": Policy(retrain="auto")})
    harness = AlerterHarness(config)
    harness.signal(change(1), change(2, model="n"), comparison(3))

    assert [(trigger.model_id, trigger.action) for trigger in harness.triggers()] == [("m", "retrain")]


def test_a_trigger_that_is_open_blocks_the_next_one_and_the_cooldown_does_after_it() -> None:
    #  0 h        30 h          48 h              54 h
    #  requested  still open    (succeeded)       requested
    harness = harness_with(cooldown_hours=50.0)
    harness.signal(change(1))
    (first,) = harness.triggers()
    harness.take("trigger-updates", update(first.trigger_id, "accepted", at=T0 + HOUR))
    harness.signal(change(2, at=T0 + 30 * HOUR))
    harness.take("trigger-updates", update(first.trigger_id, "succeeded", at=T0 + 31 * HOUR))
    harness.restart()
    harness.signal(change(3, at=T0 + 48 * HOUR), change(4, at=T0 + 54 * HOUR))

    assert withheld(harness) == ["trigger_open", "cooling_down"]
    assert [trigger.requested_at for trigger in harness.triggers()] == [T0, T0 + 54 * HOUR]
    assert len({trigger.trigger_id for trigger in harness.triggers()}) == 2


def test_one_action_does_not_block_another_nor_one_model_another() -> None:
    harness = AlerterHarness()
    harness.signal(change(1), comparison(2), change(3, model="n"))

    assert [(trigger.model_id, trigger.action) for trigger in harness.triggers()] == [
        ("m", "retrain"),
        ("m", "rollback"),
        ("n", "retrain"),
    ]


def test_a_data_fault_forbids_retraining_and_says_so() -> None:
    harness = AlerterHarness()
    harness.signal(fault(1), change(2))

    assert harness.triggers() == []
    assert withheld(harness) == ["retraining_will_not_help"]


def test_where_nothing_is_labelled_there_is_nothing_to_train_on() -> None:
    harness = AlerterHarness()
    signal = change(1)
    del signal["training_data"]
    harness.signal(signal)

    assert len(harness.alerts()) == 1
    assert withheld(harness) == ["nothing_labelled"]


def test_a_pipelines_words_are_kept_and_shown() -> None:
    harness = AlerterHarness()
    harness.signal(change(1))
    (trigger,) = harness.triggers()
    for status in ("accepted", "running", "succeeded"):
        harness.take("trigger-updates", update(trigger.trigger_id, status, model_version="v2", detail=f"is {status}"))
        harness.restart()
        assert (shown(harness)["status"], shown(harness)["detail"]) == (status, f"is {status}")

    assert shown(harness)["result_version"] == "v2"
    assert [reason for what, reason in harness.decisions() if reason.startswith("pipeline")] == [
        "pipeline_accepted",
        "pipeline_running",
        "pipeline_succeeded",
    ]


@pytest.mark.parametrize("after", ["accepted", "running", "succeeded", "failed", "rejected"])
@pytest.mark.parametrize("final", ["succeeded", "failed", "rejected"])
def test_the_last_word_of_a_pipeline_is_the_last(final: str, after: str) -> None:
    harness = AlerterHarness()
    harness.signal(change(1))
    (trigger,) = harness.triggers()
    harness.take("trigger-updates", update(trigger.trigger_id, final))
    alerts = len(harness.alerts())
    harness.take("trigger-updates", update(trigger.trigger_id, after))

    assert shown(harness)["status"] == final
    assert harness.decisions()[-1] == ("update_ignored", "trigger_finished")
    assert len(harness.alerts()) == alerts


def test_an_update_about_an_unknown_trigger_is_noted() -> None:
    harness = AlerterHarness()
    harness.take("trigger-updates", update("nobody knows it", "failed"))

    assert harness.decisions() == [("update_ignored", "unknown_trigger")]
    assert harness.alerts() == []


@pytest.mark.parametrize(
    ("detail", "summary"),
    [
        pytest.param("no memory", "m: the retrain trigger failed: no memory", id="a word"),
        pytest.param(None, "m: the retrain trigger failed", id="no word"),
        pytest.param("Traceback\n  line 1\n", "m: the retrain trigger failed: Traceback line 1", id="in one line"),
        pytest.param("x" * 8_192, "m: the retrain trigger failed: " + "x" * 199 + "…", id="the longest there is"),
    ],
)
def test_a_failed_trigger_is_a_page_whatever_the_pipeline_says(detail: str | None, summary: str) -> None:
    harness = AlerterHarness()
    harness.signal(change(1))
    (trigger,) = harness.triggers()
    harness.take("trigger-updates", update(trigger.trigger_id, "failed", detail=detail))
    alert = harness.alert("trigger_trouble")

    assert (alert.severity, alert.summary) == ("page", summary)
    assert alert.evidence["trigger_id"] == trigger.trigger_id
    assert alert.evidence["detail"] == detail


def test_a_trigger_that_nobody_accepts_expires_with_a_page() -> None:
    harness = harness_with(accept_within_hours=2.0)
    harness.signal(change(1))
    (trigger,) = harness.triggers()
    harness.tick(T0 + 2 * HOUR)
    assert shown(harness)["status"] == "requested"

    harness.tick(T0 + 2 * HOUR + 1)
    harness.tick(T0 + 2 * HOUR + 2)

    assert shown(harness)["status"] == "expired"
    assert [reason for what, reason in harness.decisions() if what == "trigger_expired"] == ["not_accepted_in_time"]
    assert harness.alert("trigger_trouble").summary == "m: the retrain trigger was accepted by no pipeline in time"
    assert trigger.deadline_at == T0 + 2 * HOUR


@pytest.mark.parametrize("words", [["accepted"], ["running"], ["accepted", "running", "running"]])
def test_a_pipeline_that_accepts_and_dies_is_a_page(words: list[str]) -> None:
    #  0 h        20 h       90 h                92 h        92 h 1 s
    #  requested  accepted   running, perhaps    still open  expired
    harness = AlerterHarness()
    harness.signal(change(1))
    (trigger,) = harness.triggers()
    for word, hour in zip(words, (20, 90, 91), strict=False):
        harness.tick(T0 + hour * HOUR)
        harness.take("trigger-updates", update(trigger.trigger_id, word))
        harness.restart()
    harness.tick(T0 + 92 * HOUR)
    assert shown(harness)["status"] == words[-1]

    harness.tick(T0 + 92 * HOUR + 1)
    harness.tick(T0 + 200 * DAY)

    assert shown(harness)["status"] == "expired"
    assert [reason for what, reason in harness.decisions() if what == "trigger_expired"] == ["not_finished_in_time"]
    assert ("alert_opened", "not_finished_in_time") in harness.decisions()
    assert harness.alert("trigger_trouble").severity == "page"
    assert (
        harness.alert("trigger_trouble").summary
        == "m: the retrain trigger was accepted by a pipeline and not finished in time"
    )


def test_success_after_the_time_was_up_still_counts_and_ends_the_trouble() -> None:
    harness = AlerterHarness()
    harness.signal(change(1))
    (trigger,) = harness.triggers()
    harness.tick(T0 + 2 * DAY)
    assert harness.alert("trigger_trouble").status == "firing"

    harness.restart()
    for late in ("accepted", "running", "failed"):
        harness.take("trigger-updates", update(trigger.trigger_id, late))
        assert harness.decisions()[-1] == ("update_ignored", "trigger_finished")
    harness.take("trigger-updates", update(trigger.trigger_id, "succeeded", model_version="v2"))

    assert (shown(harness)["status"], shown(harness)["result_version"]) == ("succeeded", "v2")
    assert harness.alert("trigger_trouble").evidence["resolved_because"] == "pipeline_succeeded"
    assert harness.alert("performance_drop").evidence["trigger"]["status"] == "succeeded"


def test_a_status_does_not_go_back() -> None:
    harness = AlerterHarness()
    harness.signal(change(1))
    (trigger,) = harness.triggers()
    for word in ("running", "accepted", "running"):
        harness.take("trigger-updates", update(trigger.trigger_id, word, detail=word))
        assert (shown(harness)["status"], shown(harness)["detail"]) == ("running", "running")

    assert [decision for decision in harness.decisions() if decision[0] == "update_ignored"] == [
        ("update_ignored", "update_out_of_order")
    ]


def test_where_old_data_is_read_in_a_pipeline_has_its_time_from_now_on() -> None:
    now = T0 + 4_000 * DAY
    harness = AlerterHarness()
    harness.tick(now)
    harness.restart()
    harness.signal(change(1))
    harness.tick(now + 1)

    assert harness.triggers()[0].deadline_at == now + DAY
    assert shown(harness)["status"] == "requested"


def test_an_approved_trigger_goes_out_with_the_time_that_a_pipeline_needs() -> None:
    # Asked for on Friday night, approved on Monday: the deadline counts from the approval.
    harness = harness_with(retrain="approve")
    harness.signal(change(1))
    trigger_id = shown(harness)["trigger_id"]
    harness.tick(T0 + 3 * DAY)
    harness.restart()
    assert shown(harness)["status"] == "awaiting_approval"

    harness.take("commands", command("approve", trigger_id, at=T0 + 3 * DAY))
    harness.tick(T0 + 3 * DAY + HOUR)
    (trigger,) = harness.triggers()

    assert trigger.trigger_id == trigger_id
    assert (trigger.requested_at, trigger.deadline_at) == (T0, T0 + 4 * DAY)
    assert shown(harness)["status"] == "requested"


def test_a_rejected_trigger_never_goes_out_and_is_cooled_down_from() -> None:
    harness = harness_with(retrain="approve")
    harness.signal(change(1))
    harness.take("commands", command("reject", shown(harness)["trigger_id"]))
    harness.signal(change(2, at=T0 + HOUR))

    assert harness.triggers() == []
    assert shown(harness)["status"] == "rejected"
    assert withheld(harness) == ["cooling_down"]


@pytest.mark.parametrize(
    ("mode", "statuses"),
    [
        pytest.param("auto", ["requested", "succeeded"], id="requested outright"),
        pytest.param("approve", ["awaiting_approval", "requested", "succeeded"], id="approved"),
    ],
)
def test_the_alert_says_which_trigger_is_to_mend_it_and_where_that_stands(mode: str, statuses: list[str]) -> None:
    harness = harness_with(retrain=mode)
    harness.signal(change(1))
    trigger_id = shown(harness)["trigger_id"]
    if mode == "approve":
        harness.take("commands", command("approve", trigger_id))
    for word in ("accepted", "running", "succeeded"):
        harness.take("trigger-updates", update(trigger_id, word))
        harness.restart()

    assert [alert.revision for alert in harness.alerts()] == list(range(1, len(statuses) + 1))
    assert [alert.evidence["trigger"] for alert in harness.alerts()] == [
        {"trigger_id": trigger_id, "action": "retrain", "status": status} for status in statuses
    ]


def test_a_trigger_that_waits_is_withdrawn_when_its_alert_is_over() -> None:
    harness = harness_with(retrain="approve")
    harness.signal(change(1), window(2, 0.1, at=T0), window(3, 0.1, at=T0 + DAY))
    trigger_id = shown(harness)["trigger_id"]
    harness.take("commands", command("approve", trigger_id))

    assert shown(harness)["status"] == "expired"
    assert ("trigger_expired", "alert_resolved") in harness.decisions()
    assert harness.alert("performance_drop").evidence["trigger"]["status"] == "expired"
    assert harness.triggers() == []


def test_a_trigger_that_nobody_approves_expires_without_a_page_of_its_own_and_blocks_nothing() -> None:
    harness = harness_with(retrain="approve", approve_within_hours=50.0)
    harness.signal(change(1))
    harness.tick(T0 + 50 * HOUR)
    assert shown(harness)["status"] == "awaiting_approval"

    harness.restart()
    harness.tick(T0 + 50 * HOUR + 1)

    assert [reason for what, reason in harness.decisions() if what == "trigger_expired"] == ["not_approved_in_time"]
    assert [alert.kind for alert in harness.alerts()] == ["performance_drop"] * 2
    assert harness.alerts()[-1].evidence["trigger"]["status"] == "expired"

    harness.signal(change(2, at=T0 + 60 * HOUR))

    assert harness.alerts()[-1].evidence["trigger"]["status"] == "awaiting_approval"


@pytest.mark.parametrize("word", ["accepted", "succeeded"])
def test_a_pipeline_cannot_take_what_was_not_given_to_it(word: str) -> None:
    harness = harness_with(retrain="approve")
    harness.signal(change(1))
    trigger_id = shown(harness)["trigger_id"]
    harness.take("trigger-updates", update(trigger_id, word))
    assert (shown(harness)["status"], harness.decisions()[-1]) == (
        "awaiting_approval",
        ("update_ignored", "awaiting_approval"),
    )

    harness.take("commands", command("reject", trigger_id))
    harness.take("trigger-updates", update(trigger_id, word))

    assert (shown(harness)["status"], harness.decisions()[-1]) == ("rejected", ("update_ignored", "trigger_finished"))


def test_what_is_withheld_for_a_time_is_asked_for_again_with_the_latest_data() -> None:
    #  0 h        10 h          20 h          21 h        24 h       24 h 1 s
    #  requested  wish (open)   wish (open)   failed      cooling    requested
    harness = AlerterHarness()
    harness.signal(change(1))
    harness.signal(change(2, at=T0 + 10 * HOUR), change(3, at=T0 + 20 * HOUR, version="v1"))
    harness.restart()
    harness.take("trigger-updates", update(harness.triggers()[0].trigger_id, "failed"))
    harness.tick(T0 + 24 * HOUR - 1)
    assert len(harness.triggers()) == 1

    harness.restart()
    harness.tick(T0 + 24 * HOUR)
    harness.tick(T0 + 24 * HOUR + 1)
    _, again = harness.triggers()

    assert again.dataset is not None
    assert again.dataset.to_time == T0 + 20 * HOUR
    assert (again.requested_at, again.deadline_at) == (T0 + 20 * HOUR, T0 + 48 * HOUR)
    assert again.alert_id == harness.alert("performance_drop").alert_id
    assert withheld(harness) == ["trigger_open", "trigger_open"]
    assert harness.alert("performance_drop").evidence["trigger"]["trigger_id"] == again.trigger_id


def test_what_waited_for_another_trigger_is_asked_for_when_that_ends() -> None:
    harness = harness_with(cooldown_hours=0.0)
    harness.signal(change(1), change(2, at=T0 + HOUR))
    harness.take("trigger-updates", update(harness.triggers()[0].trigger_id, "rejected"))

    assert len(harness.triggers()) == 2


@pytest.mark.parametrize(
    "ended_by",
    [
        pytest.param("its alert is over", id="its alert is over"),
        pytest.param("a person", id="a person said no"),
        pytest.param("a fault", id="the data broke meanwhile"),
    ],
)
def test_a_wish_ends_with_what_it_was_for(ended_by: str) -> None:
    harness = harness_with(retrain="approve")
    harness.signal(change(1), change(2, at=T0 + HOUR))
    trigger_id = shown(harness)["trigger_id"]
    if ended_by == "its alert is over":
        harness.signal(deployed(3, "v2", at=T0 + 2 * HOUR))
    elif ended_by == "a person":
        harness.take("commands", command("reject", trigger_id))
    else:
        harness.signal(fault(3, at=T0 + 2 * HOUR))
    harness.tick(T0 + 10 * DAY)

    assert shown(harness)["trigger_id"] == trigger_id
    assert withheld(harness) == ["trigger_open"] + ["retraining_will_not_help"] * (ended_by == "a fault")


@pytest.mark.parametrize("then", ["a champion", "a worse verdict"])
def test_a_promotion_that_waits_ends_with_the_comparison_that_it_came_from(then: str) -> None:
    harness = harness_with(promote="auto", rollback="off")
    harness.signal(comparison(1, "better"))
    harness.take("trigger-updates", update(harness.triggers()[0].trigger_id, "failed"))
    harness.signal(comparison(2, "better", at=T0 + HOUR))
    harness.signal(deployed(3, "v3") if then == "a champion" else comparison(3, "worse"))
    harness.tick(T0 + 10 * DAY)

    assert len(harness.triggers()) == 1


def test_reading_in_old_data_passes_no_cooldown() -> None:
    now = T0 + 4_000 * DAY
    harness = AlerterHarness()
    harness.tick(now)
    harness.signal(change(1))
    harness.take("trigger-updates", update(harness.triggers()[0].trigger_id, "succeeded"))
    harness.signal(change(2, at=T0 + 30 * DAY))
    harness.restart()
    harness.tick(now + DAY - 1)
    assert withheld(harness) == ["cooling_down"]
    assert len(harness.triggers()) == 1

    harness.tick(now + DAY)

    assert [trigger.requested_at for trigger in harness.triggers()] == [T0, T0 + 30 * DAY]


def test_updates_about_models_that_nobody_knows_leave_nothing_behind() -> None:
    harness = AlerterHarness()
    for i in range(100):
        harness.take("trigger-updates", update("t", "failed", model=f"hostile {i}"))

    assert harness.decisions() == [("update_ignored", "unknown_trigger")] * 100
    assert set(harness.sections) == {"partition"}
    assert harness.views() == []
