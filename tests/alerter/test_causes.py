"""From outcomes to the alert: what moved and where is named, once a shift, and whether retraining would help."""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import Any

from builders import (
    DAY,
    T0,
    AlerterHarness,
    Event,
    MonitorHarness,
    Take,
    change,
    fault,
    feedback,
    monitor_config,
    prediction,
)
from trueup_schemas.alert import Alert

CONFIG = monitor_config(
    model={
        "task": "binary",
        "segments": ("carrier", "carrier x origin"),
        "reference_labels": 2_000,
        "reference_days": 12.0,
    }
)
CARRIERS = "abcdefgh"
#: (carrier, origin, day) -> error rate; (carrier, day) -> how much of the traffic.
Rate = Callable[[str, str, int], float]
Weight = Callable[[str, int], float]
PER_DAY = 600
CHANGE = 18


class Watch:
    """A monitor and an alerter that takes what it signals."""

    def __init__(self, *, one_truth: bool = False) -> None:
        self.monitor, self.alerter = MonitorHarness(CONFIG), AlerterHarness()
        #: Whether all errors are of one predicted label, or of one truth.
        self.one_truth = one_truth
        self.rng = random.Random(7)

    def day(self, day: int, rate: Rate, weight: Weight) -> None:
        """A day of predictions, each with its truth at once."""
        names, moments = [f"p{day}-{i}" for i in range(PER_DAY)], [T0 + day * DAY + i * 144.0 for i in range(PER_DAY)]
        carriers = self.rng.choices(CARRIERS, [weight(carrier, day) for carrier in CARRIERS], k=PER_DAY)
        made, told = [], []
        for name, at, carrier in zip(names, moments, carriers, strict=True):
            origin = self.rng.choice(("JFK", "EWR"))
            right = self.rng.random() >= rate(carrier, origin, day)
            answer, truth = (int(right), 1) if self.one_truth else (1, int(right))
            made.append(prediction(name, answer, at=at, segment={"carrier": carrier, "origin": origin}))
            told.append(feedback(name, truth, at=at))
        before = len(self.monitor.signals())
        self.monitor.run(Take("predictions", tuple(made)), Take("feedback", tuple(told)))
        self.alerter.signal(*self.monitor.signals()[before:])

    def alert(self) -> Alert:
        """The latest state of the only alert there was."""
        return self.alerter.alert("performance_drop")


def after(rate: Rate, weight: Weight = lambda *_: 1.0, *, days: int = 30, restart: bool = False) -> Watch:
    watch = Watch()
    for day in range(days):
        watch.day(day, rate, weight)
        if restart:
            watch.monitor.restart()
            watch.alerter.restart()
    return watch


def test_one_carrier_whose_errors_rise_is_one_alert_that_names_it_and_resolves_when_it_is_back() -> None:
    def rate(carrier: str, _: str, day: int) -> float:
        return 0.45 if carrier == "c" and CHANGE <= day < 24 else 0.1

    watch = after(rate)
    (opened, *_) = watch.alerter.alerts()
    alert = watch.alert()

    assert {"carrier": "c"} in opened.segments
    assert "in carrier=c" in opened.summary
    assert "a change of concept in a part" in opened.cause
    assert (opened.severity, opened.evidence["retraining_helps"]) == ("page", True)
    assert T0 + CHANGE * DAY < opened.started_at < T0 + (CHANGE + 3) * DAY
    assert (alert.status, alert.evidence["resolved_because"]) == ("resolved", "recovered")
    assert ("trigger_requested", "requested") in watch.alerter.decisions()


def test_a_pair_of_segments_that_falls_is_named_as_a_pair() -> None:
    watch = after(lambda carrier, origin, day: 0.6 if (carrier, origin, day >= CHANGE) == ("c", "JFK", True) else 0.1)

    assert {"carrier": "c", "origin": "JFK"} in watch.alert().segments
    assert {"carrier": "c", "origin": "EWR"} not in watch.alert().segments


def test_carriers_that_rise_together_are_one_alert_about_the_model() -> None:
    watch = after(lambda _, __, day: 0.35 if day >= CHANGE else 0.1)
    alert = watch.alert()

    assert "error rate 3" in alert.summary
    assert (alert.evidence["cause"], alert.evidence["retraining_helps"]) == ("concept_change", True)
    assert alert.segments == []
    assert {found["by"] for found in alert.evidence["explained"]} == {"carrier", "carrier x origin", "prediction"}


def test_a_model_that_gives_a_wrong_label_more_often_is_no_change_of_mix() -> None:
    watch = Watch(one_truth=True)
    for day in range(30):
        watch.day(day, lambda _, __, day: 0.35 if day >= CHANGE else 0.1, lambda *_: 1.0)
    alert = watch.alert()

    assert (alert.evidence["cause"], alert.evidence["retraining_helps"]) == ("concept_change", True)
    assert len(watch.alerter.triggers()) > 0


def test_more_of_a_carrier_that_was_always_bad_is_a_change_of_mix_that_retraining_would_not_mend() -> None:
    watch = after(
        lambda carrier, _, __: 0.5 if carrier == "h" else 0.1,
        lambda carrier, day: 12.0 if carrier == "h" and day >= CHANGE else 1.0,
    )
    alert = watch.alert()

    assert alert.evidence["cause"] == "traffic_mix"
    assert alert.evidence["retraining_helps"] is False
    assert "another mix of carrier" in alert.cause
    assert "carrier=h" in alert.cause
    assert "Retraining would not bring the old error rate back" in alert.cause
    assert watch.alerter.triggers() == []
    assert ("trigger_withheld", "retraining_will_not_help") in watch.alerter.decisions()


def test_what_rises_in_a_segment_after_an_alarm_about_all_is_evidence_and_no_second_alert() -> None:
    def rate(carrier: str, _: str, day: int) -> float:
        return 0.1 if day < CHANGE else 0.9 if carrier == "c" and day >= CHANGE + 4 else 0.35

    watch = after(rate)
    assert {"carrier": "c"} in watch.alert().segments
    assert watch.alert().evidence["risen"] >= 1


def test_a_data_fault_comes_before_all_else() -> None:
    explained = [explanation(mix=0.1)]
    harness = AlerterHarness()
    harness.signal(fault(1, "temp"), change(2, explained=explained))
    alert = harness.alert("performance_drop")

    assert alert.evidence["cause"] == "data_fault"
    assert "temp (all null)" in alert.cause
    assert harness.triggers() == []


def explanation(*, mix: float, mix_error: float = 0.001) -> Event:
    """A rise of 0.1, so much of it by the mix."""
    part = {"segment": {"carrier": "AA"}, "recent": change(1)["recent"], "mean_before": 0.1}
    part |= {"share": 0.5, "share_before": 0.1, "mix": mix, "within": 0.1 - mix}
    figures = {"by": "carrier", "n": 1_000, "rise": 0.1, "mix": mix, "mix_error": mix_error, "within": 0.1 - mix}
    return {**figures, "parts": [part]}


def caused(**more: Any) -> str:
    harness = AlerterHarness()
    harness.signal(change(1, **more))
    return str(harness.alert("performance_drop").evidence["cause"])


def test_the_mix_is_the_cause_only_of_a_rise_that_is_mostly_its_own_and_beyond_doubt() -> None:
    assert caused(explained=[explanation(mix=0.06)]) == "traffic_mix"
    assert caused(explained=[explanation(mix=0.059)]) == "concept_change"
    assert caused(explained=[explanation(mix=0.09, mix_error=0.05)]) == "concept_change"
    assert caused() == "concept_change"


def test_what_moved_first_is_told_in_its_order_also_after_a_restart() -> None:
    #  score of v2   temp    error changed    score again       the page
    harness = AlerterHarness()
    moves: Event = {"pages": False, "detector": "adwin"}
    changed_at = T0 + 10 * DAY
    harness.signal(
        change(1, at=changed_at - 9 * DAY, stream="feature:wind", **moves),
        change(2, at=changed_at - 2 * DAY, stream="score", **moves, version="v2"),
        change(3, at=changed_at - DAY, stream="feature:temp", **moves),
        change(4, at=changed_at + DAY, stream="score", **moves),
        change(5, at=changed_at + 2 * DAY, stream="score", **moves),
    )
    assert harness.alerts() == []
    harness.restart()
    harness.signal(change(6, at=changed_at + 3 * DAY, changed_at=changed_at))
    moved = harness.alert("performance_drop").evidence["moved_first"]

    assert [(each["stream"], each["at"]) for each in moved] == [
        ("feature:temp", changed_at - DAY),
        ("error", changed_at),
        ("score", changed_at + DAY),
    ]


def test_traffic_that_moved_calls_nobody_and_is_told_by_the_alert_that_follows() -> None:
    harness = AlerterHarness()
    changed_at = T0 + 10 * DAY
    shares = [("AA", 0.3, 0.1), ("UA", 0.1, 0.2), ("DL", 0.0, 0.1), ("EV", 0.2, 0.25)]
    values = [{"value": one, "share": now, "share_before": was, "spread": 0.01} for one, now, was in shares]
    moved: Event = {"type": "traffic_moved", "model_id": "m", "segment": "carrier", "ended": False, "values": values}
    moved |= {"moved": 0.2, "p": 1e-6, "n": 900, "reference_days": 28}
    harness.signal({**moved, "number": 1, "at": changed_at + DAY, "since": changed_at - DAY})
    harness.signal(
        {**moved, "number": 2, "at": changed_at + DAY, "since": changed_at - DAY, "ended": True, "segment": "origin"}
    )
    assert harness.alerts() == []
    harness.restart()
    harness.signal(change(3, at=changed_at + 2 * DAY, changed_at=changed_at))
    first = harness.alert("performance_drop").evidence["moved_first"]

    assert [(each["stream"], each["at"], each["direction"]) for each in first] == [
        ("segment:carrier=AA", changed_at - DAY, "rose"),
        ("segment:carrier=DL", changed_at - DAY, "fell"),
        ("segment:carrier=UA", changed_at - DAY, "fell"),
        ("error", changed_at, "rose"),
    ]


def test_steps_that_are_restarted_every_day_say_the_same() -> None:
    def rate(carrier: str, _: str, day: int) -> float:
        return 0.45 if carrier == "c" and day >= CHANGE else 0.1

    whole, restarted = after(rate, days=24), after(rate, days=24, restart=True)

    assert restarted.monitor.signals() == whole.monitor.signals()
    assert [output.value for output in restarted.alerter.outputs] == [output.value for output in whole.alerter.outputs]
    assert restarted.monitor.sections == whole.monitor.sections


def test_where_chunks_are_cut_changes_nothing_of_what_explains_a_rise() -> None:
    again_and_again = {"objective": 0.11, "reference_labels": 200, "reference_days": 0.0}
    promised = CONFIG.defaults.model_copy(update=again_and_again)
    config = CONFIG.model_copy(update={"defaults": promised})
    whole, cut = MonitorHarness(config), MonitorHarness(config)
    rng = random.Random(3)
    n = 24 * PER_DAY
    made, told = [], []
    for i in range(n):
        at, carrier = T0 + i * 144.0, rng.choice(CARRIERS)
        wrong = 0.1 if i < 20 * PER_DAY else 0.9 if carrier == "c" else 0.3
        made.append(prediction(f"p{i}", 1, at=at, segment={"carrier": carrier, "origin": "JFK"}))
        told.append(feedback(f"p{i}", int(rng.random() >= wrong), at=at))
    whole.run(Take("predictions", tuple(made)), Take("feedback", tuple(told)))
    cut.take("predictions", *made)
    start = 0
    while start < n:
        size = rng.choice((1, 5, 50, 700))
        cut.run(Take("feedback", tuple(told[start : start + size])))
        start += size
    signals = [[{**signal, "training_data": None} for signal in harness.signals()] for harness in (whole, cut)]

    assert len([signal for signal in signals[0] if "explained" in signal]) > 5
    assert signals[0] == signals[1]
    assert cut.sections == whole.sections
