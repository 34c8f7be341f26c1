"""What an alert goes through: one for a shift, resolved once it is calm for long enough, or superseded."""

from __future__ import annotations

from typing import Any

import pytest

from builders import (
    DAY,
    HOUR,
    T0,
    AlerterHarness,
    Event,
    blind,
    change,
    comparison,
    deployed,
    fault,
    update,
    window,
)
from trueup.alerter.config import AlerterConfig, Policy


def after_page() -> AlerterHarness:
    """One alert is firing since T0; the bound is 0.12."""
    harness = AlerterHarness()
    harness.signal(change(1))
    return harness


def windows(means: dict[int, float], *, n: int = 1_000, first: int = 2) -> list[Event]:
    """Hour after T0 -> mean of the day that ends then."""
    return [window(first + i, mean, at=T0 + hour * HOUR, n=n) for i, (hour, mean) in enumerate(means.items())]


def test_a_page_opens_one_alert_that_explains_itself() -> None:
    harness = after_page()
    alert = harness.alert("performance_drop")

    assert (alert.revision, alert.status, alert.severity, alert.model_version) == (1, "firing", "page", "v1")
    assert alert.summary == "m v1: error rate 20.0% since 31 Dec 2023 23:00, was 10.0%"
    assert "a change of concept" in alert.cause
    assert alert.evidence["retraining_helps"] is True
    assert alert.evidence["reference"]["bound"] == 0.12
    assert (alert.started_at, alert.updated_at, alert.resolved_at) == (T0, T0, None)


def test_what_only_informs_opens_no_alert() -> None:
    harness = AlerterHarness()
    harness.signal(change(1, pages=False, detector="adwin"))

    assert harness.outputs == []


def test_a_second_page_while_the_first_is_firing_is_no_second_alert() -> None:
    harness = after_page()
    harness.signal(change(2, at=T0 + 15 * DAY))

    assert len(harness.alerts()) == 1
    assert ("alert_kept", "already_firing") in harness.decisions()


def test_another_version_and_another_model_have_alerts_of_their_own() -> None:
    harness = after_page()
    harness.signal(change(2, version="v2"), change(3, model="n"))

    assert len({alert.alert_id for alert in harness.alerts()}) == 3


def test_a_repeated_signal_is_skipped_also_after_a_restart() -> None:
    harness = after_page()
    before = list(harness.outputs)
    harness.signal(change(1))
    harness.restart()
    harness.signal(change(1), change(1))

    assert harness.outputs == before


def test_a_monitor_that_counts_from_one_again_is_heard_and_its_old_series_is_not() -> None:
    #  series 7   1 2 3 ... lost          3 (a repeat)
    #  series 9               1 2
    harness = AlerterHarness()
    harness.signal(*[window(number, 0.1, at=T0 + number * HOUR) | {"series": 7} for number in (1, 2, 3)])
    harness.restart()
    harness.signal(change(1, at=T0 + 5 * HOUR) | {"series": 9})
    alert = harness.alert("performance_drop")
    harness.restart()
    harness.signal(change(4, at=T0 + 6 * HOUR, version="v2") | {"series": 7})

    assert alert.started_at == T0 + 5 * HOUR
    assert [each.model_version for each in harness.alerts()] == ["v1"]
    assert ("signals_began_anew", "signals_began_anew") in harness.decisions()


@pytest.mark.parametrize(
    ("means", "resolved_after_hours"),
    [
        pytest.param({1: 0.11, 24: 0.11}, None, id="23 hours of calm are too few"),
        pytest.param({1: 0.11, 25: 0.11}, 25, id="24 hours of calm are enough"),
        pytest.param({1: 0.12, 25: 0.12}, 25, id="at the bound it is calm"),
        pytest.param({1: 0.11, 20: 0.13, 26: 0.11}, None, id="a relapse resets"),
        pytest.param({1: 0.11, 20: 0.13, 26: 0.11, 50: 0.11}, 50, id="and the calm starts anew after it"),
        pytest.param({1: 0.2, 30: 0.2, 60: 0.2}, None, id="no calm at all"),
        pytest.param({1: 0.11, 30: 0.13}, None, id="a relapse at the end of the calm"),
    ],
)
def test_an_alert_resolves_only_after_a_day_of_calm(means: dict[int, float], resolved_after_hours: int | None) -> None:
    harness = after_page()
    for signal in windows(means):
        harness.signal(signal)
        harness.restart()
    alert = harness.alerts()[-1]

    if resolved_after_hours is None:
        assert alert.status == "firing"
    else:
        assert (alert.status, alert.revision) == ("resolved", 2)
        assert alert.resolved_at == T0 + resolved_after_hours * HOUR
        assert alert.evidence["resolved_because"] == "recovered"


def test_a_day_of_few_outcomes_says_nothing_for_or_against() -> None:
    harness = after_page()
    harness.signal(*windows({1: 0.0, 30: 0.0}, n=99))
    assert harness.alerts()[-1].status == "firing"

    harness.signal(*windows({31: 0.11}, first=10), *windows({40: 1.0}, n=99, first=11), *windows({55: 0.11}, first=12))

    assert harness.alerts()[-1].resolved_at == T0 + 55 * HOUR


def test_the_calm_of_another_version_resolves_nothing() -> None:
    harness = after_page()
    harness.signal(*[window(i + 2, 0.0, at=T0 + i * HOUR, version="v2") for i in range(60)])

    assert harness.alerts()[-1].status == "firing"


def test_an_alert_may_fire_again_once_it_is_resolved() -> None:
    harness = after_page()
    harness.signal(*windows({1: 0.1, 25: 0.1}), change(9, at=T0 + 20 * DAY))
    first, _, second = harness.alerts()

    assert first.alert_id != second.alert_id
    assert second.status == "firing"


@pytest.mark.parametrize(
    ("version", "role", "open_are"),
    [
        pytest.param("v2", "champion", [], id="a champion takes over from both"),
        pytest.param("v1", "champion", ["performance_drop"], id="the old version is champion again"),
        pytest.param("v1", "retired", ["version_worse"], id="the version retires"),
        pytest.param("v3", "challenger", ["performance_drop", "version_worse"], id="a challenger supersedes nobody"),
        pytest.param("v3", "shadow", ["performance_drop", "version_worse"], id="nor does a shadow"),
    ],
)
def test_a_deployment_supersedes_the_alerts_of_versions_that_no_longer_serve(
    version: str, role: str, open_are: list[str]
) -> None:
    # `performance_drop` is about v1, `version_worse` about v4.
    harness = after_page()
    harness.signal(comparison(2, new="v4"), deployed(3, version, role, at=T0 + DAY))
    last = {alert.alert_id: alert for alert in harness.alerts()}.values()

    assert sorted(str(alert.kind) for alert in last if alert.status == "firing") == open_are
    assert {alert.evidence["resolved_because"] for alert in last if alert.status == "resolved"} <= {"superseded"}
    assert ("version_deployed", "version_deployed") in harness.decisions()


def test_blindness_is_one_ticket_for_each_thing_that_is_missed_until_it_ends() -> None:
    harness = AlerterHarness()
    harness.signal(blind(1), blind(2, "predictions"), blind(3), blind(4, ended=True, at=T0 + HOUR))
    last = {alert.evidence["missing"]: alert for alert in harness.alerts()}

    assert len(harness.alerts()) == 3
    assert (last["feedback"].status, last["feedback"].resolved_at) == ("resolved", T0 + HOUR)
    assert (last["predictions"].status, last["predictions"].severity) == ("firing", "ticket")
    assert last["predictions"].summary == "m: no predictions since 30 Dec 2023 00:00"


def test_the_end_of_a_blindness_that_nobody_knows_of_is_nothing() -> None:
    harness = AlerterHarness()
    harness.signal(blind(1, ended=True))

    assert harness.outputs == []


def test_a_page_while_data_is_faulty_says_that_retraining_will_not_help() -> None:
    harness = AlerterHarness()
    harness.signal(fault(1, "income"), fault(2, "age"), change(3))
    alert = harness.alert("performance_drop")

    assert alert.cause == "The data is faulty: age (all null), income (all null). Retraining will not help."
    assert alert.evidence["retraining_helps"] is False
    assert harness.alert("data_fault").severity == "ticket"


def test_very_many_faults_and_very_long_words_still_make_an_alert() -> None:
    harness = AlerterHarness()
    faults = [fault(i, f"{i:03d}" + "f" * 250) for i in range(1, 60)]
    harness.signal(*[{**signal, "detail": "d" * 8_192, "fault": "x" * 256} for signal in faults], change(99))

    assert "Retraining will not help." in harness.alert("performance_drop").cause
    assert "Retraining will not help." in harness.alert("data_fault").cause


def unit_change(number: int, *, ended: bool = False, at: float = T0, **more: Any) -> Event:
    """A fault of which the monitor tells since when it stands, and its end."""
    signal = fault(number, "temperature", at=at)
    detail = "Fahrenheit to Celsius: new = 0.5556 * old - 17.78"
    return signal | {"fault": "unit_changed", "detail": detail, "since": T0 - DAY, "ended": ended} | more


def test_each_fault_is_an_alert_and_ends_by_itself() -> None:
    harness = AlerterHarness()
    other: Event = {"feature": "age", "fault": "stuck", "detail": "each of 90 values is 3"}
    harness.signal(unit_change(1), unit_change(2), unit_change(3, **other))
    harness.signal(unit_change(4, ended=True, at=T0 + HOUR), unit_change(5, ended=True, at=T0 + 2 * HOUR))
    harness.signal(change(6, at=T0 + 3 * HOUR))

    states = [(alert.summary, alert.status) for alert in harness.alerts() if alert.kind == "data_fault"]
    temperature, age = (
        "m v1: temperature: unit changed since 31 Dec 2023 00:00",
        "m v1: age: stuck since 31 Dec 2023 00:00",
    )
    assert states == [(temperature, "firing"), (age, "firing"), (temperature, "resolved")]
    assert harness.alert("performance_drop").cause == "The data is faulty: age (stuck). Retraining will not help."


def test_while_units_are_mixed_up_an_error_brings_no_retraining_and_after_it_does() -> None:
    harness = AlerterHarness()
    harness.signal(unit_change(1), change(2))
    assert harness.triggers() == []
    assert harness.alerts()[0].cause == ("Fahrenheit to Celsius: new = 0.5556 * old - 17.78. Retraining will not help.")

    harness.signal(window(3, 0.05, at=T0 + HOUR), window(4, 0.05, at=T0 + 30 * HOUR))
    harness.signal(unit_change(5, ended=True, at=T0 + 31 * HOUR), change(6, at=T0 + 32 * HOUR))
    assert [trigger.action for trigger in harness.triggers()] == ["retrain"]


def test_a_fault_is_over_when_another_version_takes_the_place_of_its_own() -> None:
    harness = AlerterHarness()
    harness.signal(unit_change(1), deployed(2, "v2", at=T0 + HOUR), change(3, version="v2", at=T0 + 2 * HOUR))

    assert harness.alert("data_fault").evidence["resolved_because"] == "superseded"
    assert harness.alert("performance_drop").evidence["retraining_helps"] is True


def test_several_features_with_one_fault_are_one_alert_that_names_them() -> None:
    harness = AlerterHarness()
    names = [f"f{i}" for i in range(7)]
    harness.signal(unit_change(1, feature=None, features=names, fault="missing"))

    assert harness.alert("data_fault").summary == (
        "m v1: f0, f1, f2, f3, f4 and 2 more: missing since 31 Dec 2023 00:00"
    )


def missing(number: int, feature: str, *, since: float, ended: bool = False) -> Event:
    return unit_change(number, feature=feature, fault="missing", detail="all are", since=since, ended=ended, at=since)


def test_features_that_go_missing_within_a_day_are_one_alert_which_ends_with_the_last_of_them() -> None:
    harness = AlerterHarness()
    wind, gust = missing(2, "wind", since=T0 + DAY), missing(3, "gust", since=T0 + HOUR)
    harness.signal(missing(1, "temp", since=T0), wind, gust)
    alert = harness.alert("data_fault")
    assert alert.summary == "m v1: temp, wind, gust: missing since 1 Jan 2024 00:00"
    assert alert.cause == "temp: all are; wind: all are; gust: all are. Retraining will not help."

    harness.signal(missing(4, "temp", since=T0, ended=True), missing(5, "temp", since=T0, ended=True))
    assert harness.alert("data_fault").summary == "m v1: wind, gust: missing since 1 Jan 2024 01:00"
    harness.signal(change(6))
    cause = "The data is faulty: gust (missing), wind (missing). Retraining will not help."
    assert harness.alert("performance_drop").cause == cause

    harness.restart()
    harness.signal(missing(7, "gust", since=T0, ended=True))
    assert harness.alert("data_fault").status == "firing"
    harness.signal(missing(8, "wind", since=T0, ended=True))
    assert harness.alert("data_fault").status == "resolved"
    assert len({alert.alert_id for alert in harness.alerts() if alert.kind == "data_fault"}) == 1


def test_a_feature_that_goes_missing_on_another_day_is_another_alert() -> None:
    harness = AlerterHarness()
    harness.signal(missing(1, "temp", since=T0), missing(2, "wind", since=T0 + DAY + 1))
    harness.signal(missing(3, "temp", since=T0, ended=True))
    states = [(alert.summary, alert.status) for alert in harness.alerts()]
    first, second = "m v1: temp: missing since 1 Jan 2024 00:00", "m v1: wind: missing since 2 Jan 2024 00:00"
    assert states == [(first, "firing"), (second, "firing"), (first, "resolved")]


def test_links_lead_to_the_model() -> None:
    config = AlerterConfig(console_url="https://c/{model_id}", runbook_url="https://r")
    harness = AlerterHarness(config)
    harness.signal(change(1, model="fraud"))

    links = harness.alert("performance_drop").links

    assert (links.console, links.runbook) == ("https://c/fraud", "https://r")


def test_a_version_that_is_better_is_no_alert() -> None:
    harness = AlerterHarness()
    harness.signal(comparison(1, "better"))

    assert harness.alerts() == []
    assert harness.decisions() == [("trigger_withheld", "policy_off")]


def test_a_shadow_that_is_worse_calls_nobody() -> None:
    harness = AlerterHarness()
    harness.signal({**comparison(1, "worse"), "role": "shadow"})

    assert harness.alerts() == []
    assert harness.decisions() == []


def test_trouble_with_a_trigger_is_over_when_another_version_serves() -> None:
    harness = after_page()
    (trigger,) = harness.triggers()
    harness.take("trigger-updates", update(trigger.trigger_id, "failed"))
    harness.signal(deployed(2, "v2", at=T0 + DAY))

    assert harness.alert("trigger_trouble").status == "resolved"
    assert all(view["status"] == "resolved" for shown in harness.views() for view in shown["alerts"])


def test_trouble_with_a_trigger_is_over_when_the_model_recovers() -> None:
    harness = after_page()
    harness.take("trigger-updates", update(harness.triggers()[0].trigger_id, "failed"))
    harness.restart()
    harness.signal(*windows({1: 0.11, 25: 0.11}))

    assert harness.alert("performance_drop").evidence["resolved_because"] == "recovered"
    assert harness.alert("trigger_trouble").evidence["resolved_because"] == "recovered"


def test_a_failure_after_the_recovery_calls_nobody() -> None:
    harness = after_page()
    harness.signal(*windows({1: 0.11, 25: 0.11}))
    harness.take("trigger-updates", update(harness.triggers()[0].trigger_id, "failed"))

    assert [alert.kind for alert in harness.alerts()] == ["performance_drop"] * 2
    assert harness.decisions()[-1] == ("trigger_failed", "pipeline_failed")


@pytest.mark.parametrize(
    ("words", "status"),
    [
        pytest.param(["failed 1", "succeeded 2"], "resolved", id="a later one made up for it"),
        pytest.param(["expired 1", "failed 2", "succeeded 1"], "firing", id="an earlier one did not"),
    ],
)
def test_trouble_is_over_when_the_trigger_or_a_later_one_of_its_action_succeeds(words: list[str], status: str) -> None:
    harness = AlerterHarness(AlerterConfig(policy=Policy(cooldown_hours=0.0)))
    harness.signal(change(1))
    for word in words:
        what, which = word.split()
        if what == "expired":
            harness.tick(T0 + 2 * DAY)
        else:
            harness.take("trigger-updates", update(harness.triggers()[int(which) - 1].trigger_id, what))
        if which == "1" and len(harness.triggers()) == 1:
            harness.signal(change(2, at=T0 + 2 * DAY), comparison(3, at=T0 + 2 * DAY))
        harness.restart()
    last = {alert.alert_id: alert for alert in harness.alerts() if alert.kind == "trigger_trouble"}

    assert [alert.status for alert in last.values()][-1] == status


def test_success_of_another_action_ends_no_trouble() -> None:
    harness = after_page()
    harness.signal(comparison(2))
    retrain, rollback = harness.triggers()
    harness.take("trigger-updates", update(retrain.trigger_id, "failed"), update(rollback.trigger_id, "succeeded"))

    assert harness.alert("trigger_trouble").status == "firing"


def test_a_version_that_turns_out_better_is_not_worse_any_more() -> None:
    harness = AlerterHarness()
    harness.signal(comparison(1), comparison(2, "better", at=T0 + DAY))

    assert harness.alert("version_worse").evidence["resolved_because"] == "version_better"


@pytest.mark.parametrize(
    ("hours", "resolved_after_hours"),
    [
        #  v1: the bad version    v2: the one beside it    each hour after T0
        pytest.param([("v2", 1), ("v2", 168)], None, id="seven days are not over"),
        pytest.param([("v2", 1), ("v2", 169)], 169, id="seven days of the other version alone"),
        pytest.param([("v2", 1), ("v1", 100), ("v2", 169)], None, id="it was still in use"),
        pytest.param([("v2", 1), ("v1", 100), ("v2", 101), ("v2", 269)], 269, id="and then no longer"),
        pytest.param([("v1", 1), ("v1", 500), ("v2", 501), ("v1", 502)], None, id="labels come once in a while"),
        pytest.param([("v1", 1), ("v1", 900)], None, id="no version closes windows"),
    ],
)
def test_alerts_of_a_version_that_only_others_are_used_in_place_of_are_over(
    hours: list[tuple[str, int]], resolved_after_hours: int | None
) -> None:
    harness = after_page()
    harness.signal(comparison(2, new="v1", old="v0"))
    for i, (version, hour) in enumerate(hours):
        harness.signal(window(3 + i, 0.3, at=T0 + hour * HOUR, version=version))
        harness.tick(T0 + hour * HOUR)
        harness.restart()

    for kind in ("performance_drop", "version_worse"):
        alert = harness.alert(kind)
        assert alert.resolved_at == (None if resolved_after_hours is None else T0 + resolved_after_hours * HOUR)
        if resolved_after_hours is not None:
            assert alert.evidence["resolved_because"] == "no_traffic"


@pytest.mark.parametrize(
    ("missing", "days", "status"),
    [
        pytest.param("predictions", 4, "firing", id="not for long enough"),
        pytest.param("predictions", 5, "resolved", id="nobody uses the model any more"),
        pytest.param("feedback", 400, "firing", id="without the truth nobody can tell"),
    ],
)
def test_alerts_of_a_model_that_makes_no_predictions_are_over(missing: str, days: int, status: str) -> None:
    harness = after_page()
    harness.signal(blind(2, missing))  # since two days
    harness.tick(T0 + days * DAY)

    assert harness.alert("performance_drop").status == status
    assert harness.alert("blind").status == "firing"


def test_of_a_model_that_has_nothing_wrong_nothing_is_kept() -> None:
    harness = AlerterHarness()
    harness.signal(window(1, 0.1, at=T0), blind(2, ended=True), deployed(3, "v1"))
    harness.take("trigger-updates", update("?", "failed"))

    assert set(harness.sections) == {"partition"}


def test_links_hold_every_model_id() -> None:
    harness = AlerterHarness(AlerterConfig(console_url="https://c/m/{model_id}?x=1"))
    harness.signal(change(1, model="a/b c?d#ü"))

    assert harness.alert("performance_drop").links.console == "https://c/m/a%2Fb%20c%3Fd%23%C3%BC?x=1"


def without_labels(number: int, *, at: float = T0, **more: object) -> Event:
    """Labels of one carrier began to be missing, or came back."""
    what: Event = {"missing": "labels_of_segment", "segment": "carrier"}
    if not more.get("ended"):
        what |= {"values": ["AA"], "detail": "0 of the 84 predictions with carrier AA had their truth 1 day later."}
    return blind(number, at=at) | what | more


def test_labels_that_are_missing_for_one_segment_are_named_until_they_are_back() -> None:
    harness = AlerterHarness()
    harness.signal(without_labels(1))
    alert = harness.alert("blind")

    assert alert.summary == "m: no truths, or few, of carrier AA since 30 Dec 2023 00:00"
    assert alert.cause.startswith(
        "0 of the 84 predictions with carrier AA had their truth 1 day later. The truths of the"
    )
    harness.signal(without_labels(2, segment="airport", ended=True))
    assert harness.alert("blind").status == "firing"
    harness.signal(without_labels(3, ended=True))
    assert harness.alert("blind").status == "resolved"


@pytest.mark.parametrize(
    ("missing", "summary"),
    [
        ("clock", "m: event times stand still since 30 Dec 2023 00:00"),
        ("label_coverage", "m: fewer predictions have their truth since 30 Dec 2023 00:00"),
        ("labels_of_class", "m: no truths, or few, of predictions of some values since 30 Dec 2023 00:00"),
        ("moonlight", "m: no moonlight since 30 Dec 2023 00:00"),
    ],
)
def test_each_kind_of_blindness_says_what_is_missing(missing: str, summary: str) -> None:
    harness = AlerterHarness()
    harness.signal(blind(1, missing))

    assert harness.alert("blind").summary == summary


@pytest.mark.parametrize(
    ("missing", "resolved"),
    [("predictions", True), ("feedback", False), ("labels_of_segment", False), ("clock", False)],
)
def test_calm_windows_end_no_alert_while_truths_are_missing(missing: str, resolved: bool) -> None:
    harness = after_page()
    harness.signal(blind(2, missing), *windows(dict.fromkeys(range(1, 60), 0.1), first=3))

    assert (harness.alert("performance_drop").status == "resolved") is resolved


def test_calm_before_the_truths_were_missing_does_not_count_after_it() -> None:
    #  calm windows   x x x x 20 h                       x x x
    #  missing                    |____________________|
    harness = after_page()
    harness.signal(*windows(dict.fromkeys(range(1, 20), 0.1)))
    harness.signal(blind(30, at=T0 + 68 * HOUR), blind(31, at=T0 + 100 * HOUR, ended=True))
    harness.signal(*windows({101: 0.1, 102: 0.1}, first=32))
    assert harness.alert("performance_drop").status == "firing"

    harness.signal(*windows(dict.fromkeys(range(103, 160), 0.1), first=40))
    assert harness.alert("performance_drop").status == "resolved"


def test_a_version_whose_truths_are_missing_is_not_taken_for_one_out_of_use() -> None:
    harness = after_page()
    others = [window(3 + hour, 0.1, at=T0 + hour * HOUR, version="v2") for hour in range(1, 100)]
    harness.signal(without_labels(2), *others)

    assert harness.alert("performance_drop").status == "firing"


def of_calls(number: int, what: str, *, ended: bool = False, at: float = T0) -> Event:
    """A fault of the calls: of no feature."""
    signal = unit_change(number, fault=what, detail="40.0% of 900 did, before at most 1.0% did", ended=ended, at=at)
    return {name: value for name, value in signal.items() if name != "feature"}


@pytest.mark.parametrize(
    ("what", "words", "means"),
    [
        ("failing", "calls fail", "What the model answers is not wrong by that"),
        ("slow", "calls are slow", "What the model answers is not wrong by that"),
        ("duplicates", "predictions are sent again", "Each id is counted once"),
        (
            "clock_ahead",
            "event times are ahead",
            "A clock, or its time zone, is wrong, and so may be all that goes by it",
        ),
        (
            "clock_behind",
            "event times are behind",
            "A clock, or its time zone, is wrong, and so may be all that goes by it",
        ),
    ],
)
def test_a_fault_of_the_calls_is_an_alert_that_says_what_follows_from_it(what: str, words: str, means: str) -> None:
    harness = AlerterHarness()
    harness.signal(of_calls(1, what), of_calls(2, what))
    alert = harness.alert("data_fault")

    assert alert.summary == f"m v1: {words} since 31 Dec 2023 00:00"
    assert alert.cause == f"40.0% of 900 did, before at most 1.0% did. {means}. Retraining will not help."
    harness.restart()
    harness.signal(of_calls(3, what, ended=True, at=T0 + HOUR))
    assert harness.alert("data_fault").status == "resolved"


@pytest.mark.parametrize(
    ("what", "actions"),
    [("failing", ["retrain"]), ("slow", ["retrain"]), ("duplicates", ["retrain"]), ("clock_ahead", [])],
)
def test_only_a_wrong_clock_may_be_behind_errors_and_forbids_retraining(what: str, actions: list[str]) -> None:
    harness = AlerterHarness()
    harness.signal(of_calls(1, what), change(2))

    assert [trigger.action for trigger in harness.triggers()] == actions
    cause = harness.alert("performance_drop").cause
    assert cause.startswith("The truth no longer follows" if actions else "The data is faulty: event times are ahead.")


def test_faults_of_the_calls_that_stand_together_end_one_by_one() -> None:
    harness = AlerterHarness()
    harness.signal(of_calls(1, "clock_ahead"), of_calls(2, "clock_behind"), of_calls(3, "slow"))
    harness.signal(of_calls(4, "clock_ahead", ended=True))
    harness.signal(change(5))
    assert (
        harness.alert("performance_drop").cause
        == "The data is faulty: event times are behind. Retraining will not help."
    )

    harness = AlerterHarness()
    harness.signal(of_calls(1, "clock_ahead"), of_calls(2, "slow"), of_calls(3, "clock_ahead", ended=True), change(4))
    assert harness.alert("performance_drop").evidence["cause"] == "concept_change"
