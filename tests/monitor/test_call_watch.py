"""A fault of the calls is told once, and that it ended; seasons, retries, and old data that is read in tell none."""

from __future__ import annotations

import random
from typing import Any, Literal

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, HOUR, T0, Event, MonitorHarness, Take, Tick, monitor_config, prediction
from monitor.call_worlds import Change, between, calls, dated, told_by
from trueup.monitor import saving, step
from trueup.monitor.call_watch import NEW_NORMAL_DAYS, Call, CallWatch
from trueup.monitor.call_window import MOST_SKEWS, CallWindow
from trueup.monitor.features.watch import Told


def watch() -> CallWatch:
    """As it is by default."""
    return CallWatch(7.0)


def _slow(event: dict[str, Any], _: float, __: random.Random) -> None:
    event["latency_ms"] *= 5


def _some_slow(event: dict[str, Any], _: float, rng: random.Random) -> None:
    event["latency_ms"] *= 60 if rng.random() < 0.3 else 1


def _failing(event: dict[str, Any], _: float, rng: random.Random) -> None:
    if rng.random() < 0.3:
        event["error"] = "unavailable"


def _again(_: dict[str, Any], __: float, rng: random.Random) -> bool:
    return rng.random() < 0.4


FAULTS = [
    pytest.param("slow", _slow, id="all calls slow"),
    pytest.param("slow", _some_slow, id="a third of the calls slow"),
    pytest.param("failing", _failing, id="calls fail"),
    pytest.param("duplicates", _again, id="sent again"),
    pytest.param("clock_ahead", dated(2), id="a clock two hours ahead"),
    pytest.param("clock_ahead", dated(0.5, 0.2), id="one producer of five half an hour ahead"),
    pytest.param("clock_behind", dated(-5), id="local time taken for UTC"),
    pytest.param("clock_behind", dated(-3, 0.2), id="one producer of five three hours behind"),
]


@pytest.mark.parametrize(("fault", "change"), FAULTS)
@pytest.mark.parametrize("a_day", [5_000, 1_500])
def test_a_fault_is_told_once_and_ends_by_itself(fault: str, change: Change, a_day: int) -> None:
    began, ended = told_by(watch(), calls(1, days=11, a_day=a_day, change=between(8.2, 9.3, change)))

    assert (began.type, began.data["fault"], began.data["ended"]) == ("data_fault", fault, False)
    assert (ended.data["fault"], ended.data["ended"]) == (fault, True)
    assert began.data["since"] == ended.data["since"]
    assert 8.0 <= (began.data["since"] - T0) / DAY <= 8.5
    assert 8.2 < (began.at - T0) / DAY < 8.9
    assert 9.3 < (ended.at - T0) / DAY < 10.0


def test_what_is_told_says_it_in_figures() -> None:
    def detail(change: Change) -> str:
        (began,) = told_by(watch(), calls(2, days=9, a_day=6_000, change=between(8.2, 9.3, change)))
        return str(began.data["detail"])

    assert "5.0 hours behind the time at which they came" in detail(dated(-5.0))
    assert "30 minutes ahead of the time at which they came" in detail(dated(0.5, 0.5))
    assert "calls failed, before at most" in detail(_failing)
    assert "repeat an id, before at most" in detail(_again)
    assert "half of" in detail(_slow)
    assert "95% took at most" in detail(_some_slow)


@pytest.mark.parametrize("a_day", [6_000, 1_000])
def test_seasons_and_bad_hours_are_no_fault(a_day: int) -> None:
    for seed in range(10, 13):
        assert told_by(watch(), calls(seed, days=35, a_day=a_day)) == []


def test_nothing_is_told_before_what_is_usual_was_learned() -> None:
    assert told_by(watch(), calls(3, days=6, change=between(3, 6, _failing))) == []


def test_what_lasts_for_weeks_is_how_it_is_and_twice_that_is_a_fault_again() -> None:
    def change(event: dict[str, Any], came: float, rng: random.Random) -> None:
        day = (came - T0) / DAY
        if day >= 9:
            event["latency_ms"] *= 5
        if day >= 9 + NEW_NORMAL_DAYS + 9:
            _failing(event, came, rng)
            event["latency_ms"] *= 5

    told = told_by(watch(), calls(4, days=9 + NEW_NORMAL_DAYS + 11, change=change))

    found = [(one.data["fault"], one.data["ended"]) for one in told]
    assert found[:2] == [("slow", False), ("slow", True)]
    assert set(found[2:]) == {("slow", False), ("failing", False)}
    assert told[1].data["detail"].startswith(f"so for {NEW_NORMAL_DAYS} days")


@pytest.mark.parametrize("hours_an_hour", [2.0, 24.0, 2_000.0])
def test_old_data_that_is_read_in_is_no_clock_that_is_wrong(hours_an_hour: float) -> None:
    def change(event: dict[str, Any], came: float, rng: random.Random) -> None:
        if rng.random() < 0.7:
            event["predicted_at"] = came - 30 * DAY + (came - T0 - 8 * DAY) * (hours_an_hour - 1)

    assert told_by(watch(), calls(5, days=9, a_day=6_000, change=between(8.1, 8.6, change))) == []


def test_what_waited_while_nothing_went_out_is_no_clock_that_is_wrong() -> None:
    """For six hours all comes at once with what comes for the next three, the oldest first."""

    def change(event: dict[str, Any], came: float, _: random.Random) -> None:
        event["predicted_at"] = came - 2 * (T0 + 8.35 * DAY - came)

    assert told_by(watch(), calls(6, days=9, a_day=6_000, change=between(8.25, 8.35, change))) == []


@pytest.mark.parametrize(("hours", "faults"), [(1.0, []), (4.0, ["clock_behind"])])
def test_what_waits_half_as_long_every_day_may_wait_longer_for_once(hours: float, faults: list[str]) -> None:
    def change(event: dict[str, Any], came: float, rng: random.Random) -> None:
        if rng.random() < 0.3:
            event["predicted_at"] = came - (hours if came - T0 > 8.5 * DAY else 40 / 60) * HOUR

    told = told_by(watch(), calls(7, days=10, a_day=6_000, change=change))
    assert [one.data["fault"] for one in told if not one.data["ended"]] == faults


# -- laws -------------------------------------------------------------------------------------------------------------


def odd(seed: int, n: int) -> list[Call]:
    """Some days of calls of all kinds, with breaks, which repeat, fail, and are dated by odd clocks for a while."""
    rng = random.Random(seed)
    found: list[Call] = []
    came, share, apart = T0, 0.0, 0.0
    for arrival in range(n):
        came += rng.choice((1.0, 5.0, 30.0, -20.0, 9 * HOUR if rng.random() < 0.01 else 9.0))
        if rng.random() < 0.002:
            share, apart = rng.random(), rng.choice((0.0, -3 * HOUR, HOUR, 400 * DAY))
        event: dict[str, Any] = {"predicted_at": came + rng.choice((0.0, apart, rng.gauss(0, HOUR)))}
        if rng.random() < share:
            event["error"] = "timeout"
        if rng.random() < 0.9:
            event["latency_ms"] = rng.choice((0.0, 1.0, rng.lognormvariate(3, 1), 1e12 * share))
        found.append((arrival, came, None if rng.random() < share / 2 else event))
    return found


def small() -> CallWatch:
    """It learns for a day."""
    return CallWatch(1.0)


def restored(watched: CallWatch) -> CallWatch:
    again = small()
    again.restore(msgpack.unpackb(msgpack.packb(watched.snapshot()), strict_map_key=False))
    return again


@given(st.integers(0, 10_000), st.integers(1, 4_000), st.randoms(use_true_random=False))
@settings(max_examples=15, deadline=None)
def test_cut_and_restored_anywhere_it_is_the_same(seed: int, n: int, rng: random.Random) -> None:
    made = odd(seed, n)
    whole, parts = small(), small()
    told = whole.add_all(made)
    found: list[tuple[int, Told]] = []
    start = 0
    while start < n:
        size = rng.choice((1, 1, 7, 300))
        part = made[start : start + size]
        if len(part) == 1:
            found += [(start, one) for one in parts.add(*part[0][1:])]
        else:
            found += parts.add_all(part)
        start += size
        if rng.random() < 0.05:
            parts = restored(parts)

    assert found == told
    assert msgpack.packb(parts.snapshot()) == msgpack.packb(whole.snapshot())


def test_the_odd_lives_have_every_fault_in_them() -> None:
    told = [one for seed in range(3) for _, one in small().add_all(odd(seed, 20_000))]

    assert {one.data["fault"] for one in told} >= {"failing", "duplicates", "clock_ahead", "clock_behind", "slow"}
    assert {one.data["ended"] for one in told} == {False, True}


def test_however_many_clocks_there_are_a_window_stays_small() -> None:
    one_by_one, window = CallWindow(), CallWindow()
    made = [{"predicted_at": T0 - i * HOUR, "latency_ms": 1.1**i} for i in range(280)]
    window.add_all([T0] * len(made), made)
    for event in made:
        one_by_one.add_all([T0], [event])

    assert window.snapshot() == one_by_one.snapshot()
    assert window.n == 280
    assert len(window.skews) == MOST_SKEWS


# -- in the step ------------------------------------------------------------------------------------------------------


def served(hours: int, change: Change) -> list[Take]:
    """An hour a chunk, all of whose records are of the wall clock's time; every tenth prediction is sent twice."""
    takes, rng = [], random.Random(1)
    for hour in range(hours):
        now = T0 + hour * HOUR + 1_800
        events: list[Event] = []
        for k in range(250):
            more: dict[str, Any] = {"predicted_at": now - 1.0, "latency_ms": 20.0}
            again = change(more, now, rng)
            event = prediction(f"p{hour}-{k}", None if "error" in more else 1, **more)
            events += [event, event] if again or k % 10 == 0 else [event]
        takes.append(Take("predictions", tuple(events), now))
    return takes


def run(takes: list[Take], clock: Literal["wall", "stream"], *, cut: int = 10_000, **config: Any) -> MonitorHarness:
    """Cut into chunks of so many, stopped and started again before each."""
    harness = MonitorHarness(monitor_config(model={"call_reference_days": 2.0, **config}), clock=clock)
    for hour, take in enumerate(takes):
        harness.run(Tick(T0 + hour * HOUR + 1_800))
        for start in range(0, len(take.events), cut):
            harness.run(Take(take.topic, take.events[start : start + cut], take.timestamp))
            if cut < 10_000:
                harness.restart()
    return harness


def _faults(harness: MonitorHarness) -> list[tuple[Any, Any, Any]]:
    return [(one["fault"], one.get("feature"), one["ended"]) for one in harness.signals("data_fault")]


@pytest.mark.parametrize(("fault", "change"), FAULTS)
def test_the_step_tells_it_shows_it_and_is_the_same_wherever_it_is_cut(fault: str, change: Change) -> None:
    takes = served(76, between(2.5, 3.0, change))
    whole, parts = run(takes, "wall"), run(takes, "wall", cut=199)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(step, "FEW", 1_000_000)
        lone = run(takes, "wall")

    assert _faults(whole) == [(fault, None, False), (fault, None, True)]
    assert parts.signals() == whole.signals() == lone.signals()
    assert parts.sections == whole.sections == lone.sections
    during = run(takes[:66], "wall")
    assert during.version()["call_faults"] == [fault]
    assert whole.version()["call_faults"] == []


def test_a_record_that_is_far_ahead_too_is_told_by_the_tick() -> None:
    """A host whose clock is wrong dates its records by it too."""
    takes = served(66, between(2.5, 3.0, dated(3, 0.5)))
    ahead = [Take("predictions", take.events, take.timestamp + 3 * HOUR) for take in takes if take.timestamp]

    assert _faults(run(ahead, "wall")) == [("clock_ahead", None, False)]


def test_a_year_that_is_read_in_a_minute_has_no_clock_that_is_wrong() -> None:
    """By the stream's clock; its records are of today, years after its events."""
    takes = [
        Take("predictions", take.events, T0 + 9 * 365 * DAY) for take in served(66, between(2.5, 3.0, dated(-40 * 24)))
    ]
    assert _faults(run(takes, "stream")) == []


def test_by_the_streams_clock_slow_and_failing_calls_are_told() -> None:
    for change, fault in ((_slow, "slow"), (_failing, "failing"), (_again, "duplicates")):
        takes = [Take("predictions", take.events, T0 + 9 * 365 * DAY) for take in served(66, between(2.5, 3.0, change))]
        assert _faults(run(takes, "stream")) == [(fault, None, False)]


def test_where_calls_are_not_to_be_looked_at_they_are_not() -> None:
    assert _faults(run(served(66, between(2.5, 3.0, _failing)), "wall", watch_calls=False)) == []


def test_state_that_was_saved_before_calls_were_watched_is_read() -> None:
    harness, new = (run(served(3, lambda *_: None), "wall") for _ in range(2))
    name = next(name for name in harness.sections if name.startswith("version/"))
    earlier = dict(saving.read(harness.sections[name], name))
    del earlier["call_watch"]
    harness.sections[name] = saving.pack(earlier)
    harness.restart()
    harness.run(*served(4, lambda *_: None)[3:])
    new.run(*served(4, lambda *_: None)[3:])

    assert harness.version() == new.version()
    assert "call_watch" in saving.read(harness.sections[name], name)


@pytest.mark.parametrize("cap", ["most_models_per_partition", "most_versions_per_model"])
def test_what_stands_for_many_is_not_looked_at_as_if_it_were_one(cap: str) -> None:
    """The only version that there is room for is another one: these calls are counted with the rest."""
    config = monitor_config(model={"call_reference_days": 2.0}, **{cap: 1})
    harness = MonitorHarness(config, clock="wall")
    other = {"model": "a"} if cap == "most_models_per_partition" else {"version": "a"}
    harness.take("predictions", prediction("p", at=T0, **other))
    harness.run(*served(66, between(2.5, 3.0, _failing)))

    assert harness.signals("data_fault") == []
    assert "__other__" in {view["model_id"] for view in harness.views()} | {
        version["model_version"] for view in harness.views() for version in view["versions"]
    }


def test_in_a_chunk_of_many_hours_each_repeat_is_of_its_own_hour() -> None:
    events = [event for take in served(66, between(2.5, 3.0, _again)) for event in take.events]
    takes = [Take("predictions", tuple(events[start : start + 5_000]), T0 + 3 * DAY) for start in (0, 5_000, 10_000)]
    takes.append(Take("predictions", tuple(events[15_000:]), T0 + 3 * DAY))
    whole, parts = run(takes, "stream"), run(takes, "stream", cut=199)

    assert _faults(whole) == [("duplicates", None, False)]
    assert parts.signals() == whole.signals()
    assert parts.sections == whole.sections
