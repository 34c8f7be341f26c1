"""What goes out: the same bytes for the same input, deterministic ids, complete CloudEvents headers."""

from __future__ import annotations

import random
import re
from uuid import UUID

import orjson
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import (
    DAY,
    HOUR,
    T0,
    AlerterHarness,
    Event,
    Input,
    Take,
    Tick,
    arrivals,
    blind,
    change,
    command,
    comparison,
    deployed,
    fault,
    update,
    window,
)
from trueup.alerter.config import AlerterConfig, Policy
from trueup.errors import UnknownSnapshot
from trueup.snapshots import pack, unpack
from trueup.step import NOTHING_FOUND

CONFIG = AlerterConfig(
    policy=Policy(promote="auto", cooldown_hours=10.0, accept_within_hours=20.0, finish_within_hours=15.0),
    models={"n": Policy(retrain="approve", rollback="approve", promote="approve", approve_within_hours=60.0)},
    silent_after_hours=100.0,
    console_url="https://console/{model_id}",
)


def life(seed: int, n: int) -> list[Input]:
    """Signals of three models with answers of people and pipelines; subjects are those a first run came to know."""
    rng = random.Random(seed)
    scout = AlerterHarness(CONFIG)
    inputs: list[Input] = []
    now = T0
    for number in range(1, n + 1):
        now += rng.choice((0.25, HOUR, 13 * HOUR))
        model, version = rng.choice("mno"), rng.choice(("v1", "v2"))
        if rng.random() < 0.5:
            made: Input = Take(
                "signals", (a_signal(rng, rng.choice((number, number, number // 2)), now, model, version),)
            )
        elif rng.random() < 0.3:
            made = Tick(now)
        else:
            made = word(rng, scout, now)
        scout.run(made)
        inputs.append(made)
    return inputs


def a_signal(rng: random.Random, number: int, at: float, model: str, version: str) -> Event:
    return rng.choice(
        (
            change(number, at=at, model=model, version=version),
            window(number, rng.choice((0.1, 0.3)), at=at, model=model, version=version),
            comparison(number, rng.choice(("worse", "better")), at=at, model=model),
            deployed(number, version, rng.choice(("champion", "shadow")), at=at, model=model),
            fault(number, at=at, model=model) if rng.random() < 0.1 else blind(number, at=at, model=model),
            blind(number, at=at, model=model, ended=True),
        )
    )


def word(rng: random.Random, scout: AlerterHarness, at: float) -> Input:
    model = rng.choice("mno")
    views = [view for view in scout.views() if view["model_id"] == model]
    alerts = [alert["alert_id"] for view in views for alert in view["alerts"]]
    triggers = [state["trigger_id"] for view in views for state in view["triggers"]][-2:]
    if rng.random() < 0.5:
        status = rng.choice(("accepted", "running", "succeeded", "failed", "rejected"))
        return Take("trigger-updates", (update(rng.choice(triggers or ["?"]), status, at=at, model=model),))
    name = rng.choice(("acknowledge", "approve", "reject"))
    subjects = alerts if name == "acknowledge" else triggers
    return Take("commands", (command(name, rng.choice(subjects or ["?"]), at=at, model=model),))


@given(st.integers(0, 10_000), st.integers(1, 60), st.lists(st.integers(0, 60), min_size=1, max_size=5))
@settings(max_examples=40, deadline=None)
def test_a_restored_alerter_continues_identically(seed: int, n: int, cuts: list[int]) -> None:
    inputs = life(seed, n)
    whole, parts = AlerterHarness(CONFIG), AlerterHarness(CONFIG)
    whole.run(*inputs)
    start = 0
    for cut in sorted(cuts):
        parts.run(*inputs[start:cut])
        parts.restart()
        start = max(start, cut)
    parts.run(*inputs[start:])

    assert parts.outputs == whole.outputs
    assert parts.sections == whole.sections
    assert parts.raw_views == whole.raw_views
    assert parts.step.event_time == whole.step.event_time


def test_the_lives_that_are_restored_have_everything_in_them() -> None:
    lives = [AlerterHarness(CONFIG) for _ in range(20)]
    for seed, harness in enumerate(lives):
        harness.run(*life(seed, 150))
    alerts = [alert for harness in lives for alert in harness.alerts()]
    saved = [
        unpack(raw, known=[1], what=name)[1]
        for harness in lives
        for name, raw in harness.sections.items()
        if name != "partition"
    ]

    assert {alert.kind for alert in alerts} == {
        *("performance_drop", "version_worse", "data_fault", "blind", "trigger_trouble")
    }
    assert {alert.status for alert in alerts} == {"firing", "acknowledged", "resolved"}
    assert {trigger.action for harness in lives for trigger in harness.triggers()} == {"retrain", "rollback", "promote"}
    assert {
        *("approved", "rejected", "not_accepted_in_time", "not_approved_in_time", "not_finished_in_time"),
        *("alert_resolved", "no_traffic", "trigger_finished"),
    } <= {reason for harness in lives for _, reason in harness.decisions()}
    assert all(any(model[kept] for model in saved) for kept in ("calm_since", "silent_since", "wishes", "faults"))


def test_triggers_of_several_models_expire_in_the_same_order_after_a_restart() -> None:
    stayed, restarted = AlerterHarness(), AlerterHarness()
    for harness in (stayed, restarted):
        harness.signal(change(1, model="b"), change(2, model="c"), change(3, model="a"))
    restarted.restart()
    for harness in (stayed, restarted):
        harness.tick(T0 + 2 * DAY)

    assert restarted.outputs == stayed.outputs
    assert len({alert.alert_id for alert in stayed.alerts()}) == 6


def test_replayed_input_gives_equal_bytes_and_ids() -> None:
    first, again = AlerterHarness(CONFIG), AlerterHarness(CONFIG)
    first.run(*life(5, 200))
    again.run(*life(5, 200))

    assert first.outputs == again.outputs
    revisions = [(alert.alert_id, alert.revision) for alert in first.alerts()]
    audit_ids = [entry.audit_id for entry in first.audit()]
    trigger_ids = [trigger.trigger_id for trigger in first.triggers()]
    for ids in (revisions, audit_ids, trigger_ids):
        assert len(ids) == len(set(ids))
    for made in (*audit_ids, *trigger_ids, *[alert_id for alert_id, _ in revisions]):
        assert UUID(made).version == 5


def test_revisions_of_an_alert_grow_by_one() -> None:
    harness = AlerterHarness(CONFIG)
    harness.run(*life(6, 300))
    revisions: dict[str, list[int]] = {}
    for alert in harness.alerts():
        revisions.setdefault(alert.alert_id, []).append(alert.revision)

    assert all(found == list(range(1, len(found) + 1)) for found in revisions.values())
    assert max(map(len, revisions.values())) >= 5


def test_two_partitions_never_make_the_same_id() -> None:
    here, there = AlerterHarness(partition=0), AlerterHarness(partition=1)
    for harness in (here, there):
        harness.signal(change(1))

    assert here.alerts()[0].alert_id != there.alerts()[0].alert_id
    assert not {entry.audit_id for entry in here.audit()} & {entry.audit_id for entry in there.audit()}


def test_every_output_carries_the_attributes_of_cloudevents() -> None:
    harness = AlerterHarness(CONFIG, partition=3)
    harness.run(*life(7, 200))
    ids = set()
    for output in harness.outputs:
        headers = {name: value.decode() for name, value in output.headers}
        assert set(headers) == {"ce_specversion", "ce_id", "ce_type", "ce_source", "ce_time", "content-type"}
        assert headers["ce_specversion"] == "1.0"
        assert headers["ce_source"] == "/trueup/alerter/3"
        assert headers["ce_type"] == f"org.trueup.{output.topic.removesuffix('s')}.v1"
        assert headers["content-type"] == "application/json"
        assert re.fullmatch(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z", headers["ce_time"])
        ids.add((output.topic, headers["ce_id"]))

    assert len(ids) == len(harness.outputs)


@pytest.mark.parametrize(
    ("topic", "key", "partition"),
    [
        pytest.param("alerts", "alert_id", None, id="alerts, by their id"),
        pytest.param("triggers", "model_id", 2, id="triggers, where the model is"),
        pytest.param("audit", "model_id", 2, id="the audit, where the model is"),
    ],
)
def test_outputs_go_where_their_readers_look(topic: str, key: str, partition: int | None) -> None:
    harness = AlerterHarness(partition=2)
    harness.signal(change(1))
    (output,) = [output for output in harness.outputs if output.topic == topic][:1]

    assert output.partition == partition
    assert output.key == orjson.loads(output.value)[key].encode()


@pytest.mark.parametrize(
    ("given_is", "urgent"),
    [
        pytest.param(Take("signals", (change(1),)), True, id="a page"),
        pytest.param(Take("signals", (comparison(1),)), True, id="a rollback"),
        pytest.param(Take("signals", (comparison(1, "better"),)), False, id="what is only noted"),
        pytest.param(Take("signals", (window(1, 0.1, at=T0),)), False, id="an hour that closed"),
    ],
)
def test_only_what_somebody_waits_for_must_go_out_at_once(given_is: Take, urgent: bool) -> None:
    harness = AlerterHarness()
    harness.step.take(given_is.topic, arrivals(given_is.events), {}, NOTHING_FOUND)
    assert harness.step.urgent == urgent
    assert harness.step.effects().urgent == urgent
    assert not harness.step.urgent


@pytest.mark.parametrize("kind", ["partition", "model"])
def test_a_section_of_an_unknown_version_is_refused_in_a_sentence(kind: str) -> None:
    harness = AlerterHarness()
    harness.signal(change(1))
    name = next(name for name in harness.sections if name.startswith(kind))
    harness.sections[name] = pack(99, {})

    with pytest.raises(UnknownSnapshot, match="has version 99, this code reads"):
        harness.restored()


def test_what_has_ended_is_kept_up_to_a_hundred() -> None:
    harness = AlerterHarness(AlerterConfig(policy=Policy(cooldown_hours=0.0)))
    for i in range(120):
        at = T0 + i * DAY
        harness.signal(change(2 * i + 1, at=at, version=f"v{i}"))
        harness.take("trigger-updates", update(harness.triggers()[-1].trigger_id, "succeeded", at=at))
        harness.signal(deployed(2 * i + 2, f"v{i + 1}", at=at))
    (view,) = harness.views()

    assert (len(view["alerts"]), len(view["triggers"])) == (100, 100)
