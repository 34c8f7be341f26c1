"""Truths that no longer come as they use to are told, with what is missing and since when, and the end of it too."""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable
from typing import Any, Literal

import pytest

from builders import DAY, HOUR, T0, Event, MonitorHarness, feedback, monitor_config, prediction
from trueup.monitor.config import MonitorConfig

CONFIG = monitor_config(model={"segments": ("carrier",)})
CARRIERS = ("AA", "UA", "DL")
PER_DAY = 180
#: A day is looked at once a reference of so many was learned.
LEARNED = 16

#: Whether the truth of the i-th prediction of a day comes, of this class and carrier.
Comes = Callable[[int, int, str], bool]


def always(day: int, label: int, carrier: str) -> bool:  # noqa: ARG001
    return True


def from_day(first: int, *, label: int | None = None, carrier: str | None = None, until: int = 1_000) -> Comes:
    """From this day on, truths of this class or carrier (neither: of any) come no more."""

    def comes(day: int, made: int, by: str) -> bool:
        meant = label in (None, made) and carrier in (None, by)
        return not (meant and first <= day < until)

    return comes


def live(
    harness: MonitorHarness, days: Iterable[int], comes: Comes = always, *, n: int = PER_DAY, restart: bool = False
) -> None:
    """Some days of traffic: truths half an hour after their predictions, or never.

    of a day   0h30        6h        12h       18h       23h45
               first one   predictions and their truths  tick
                    1h30 tick: the day before is looked at
    """
    for day in days:
        start = T0 + day * DAY
        for at, count in ((0.5, 1), (6.0, n // 3), (12.0, n // 3), (18.0, n - 1 - 2 * (n // 3))):
            made, told = _batch(day, start + at * HOUR, count, comes)
            harness.take("predictions", *made)
            harness.take("feedback", *told)
            harness.tick(start + (at + 1) * HOUR)
        harness.tick(start + 23.75 * HOUR)
        if restart:
            harness.restart()


def _batch(day: int, at: float, count: int, comes: Comes) -> tuple[list[Event], list[Event]]:
    made, told = [], []
    for i in range(count):
        key, label, carrier = f"{at}-{i}", (i // len(CARRIERS)) % 2, CARRIERS[i % len(CARRIERS)]
        made.append(prediction(key, label, at=at, segment={"carrier": carrier}))
        if comes(day, label, carrier) or i == 0:  # one comes always: the labels do not stop as a whole
            told.append(feedback(key, label, at=at + HOUR / 2))
    return made, told


def told(harness: MonitorHarness) -> list[tuple[Any, ...]]:
    """(missing, segment, values, since in days, ended) of what was told of blindness, in order."""
    return [
        (
            signal["missing"],
            signal.get("segment"),
            signal.get("values"),
            (signal["since"] - T0) / DAY,
            signal["ended"],
        )
        for signal in harness.signals("blind")
    ]


@pytest.mark.parametrize(
    ("comes", "what"),
    [
        pytest.param(from_day(20), ("label_coverage", None, None), id="all"),
        pytest.param(from_day(20, label=1), ("labels_of_class", None, ["1"]), id="one class"),
        pytest.param(from_day(20, carrier="AA"), ("labels_of_segment", "carrier", ["AA"]), id="one carrier"),
    ],
)
@pytest.mark.parametrize("restart", [False, True])
def test_what_is_missing_is_told_on_the_second_day_and_ends_by_itself(
    comes: Comes, what: tuple[Any, ...], restart: bool
) -> None:
    harness = MonitorHarness(CONFIG)
    live(harness, range(21), comes, restart=restart)
    live(harness, [21], comes, restart=restart)
    assert told(harness) == []  # one fallen day is not yet confirmed

    live(harness, [22, 23], comes, restart=restart)
    assert told(harness) == [(*what, 20.0, False)]
    assert list(harness.view()["blind"].values()) == [T0 + 20 * DAY]

    live(harness, range(24, 40), restart=restart)
    missing, segment, _ = what
    assert told(harness)[1:] == [(missing, segment, None, 20.0, True)]
    assert harness.view()["blind"] == {}


def test_the_signal_has_the_figures_in_a_sentence() -> None:
    harness = MonitorHarness(CONFIG)
    live(harness, range(23), from_day(20, carrier="UA"))
    (signal,) = harness.signals("blind")

    assert signal["detail"] == (
        "0 of the 60 predictions with carrier UA of 2024-01-22 had their truth 1 day later, usually 100.0 % have."
    ).replace(" %", "%")
    assert signal["at"] == T0 + 22 * DAY + 1.5 * HOUR


def test_two_carriers_that_fall_together_are_told_of_once() -> None:
    def comes(day: int, label: int, carrier: str) -> bool:  # noqa: ARG001
        return day < 20 or carrier == "DL"

    harness = MonitorHarness(CONFIG)
    live(harness, range(26), comes)

    assert told(harness) == [("labels_of_segment", "carrier", ["AA", "UA"], 20.0, False)]


@pytest.mark.parametrize("stormy", [(9,), (3, 10)], ids=["one stormy day", "two stormy days"])
def test_a_carrier_without_any_truths_is_told_of_although_a_stormy_day_left_few_of_all(stormy: tuple[int, ...]) -> None:
    rng = random.Random(5)

    def comes(day: int, label: int, carrier: str) -> bool:  # noqa: ARG001
        if day in stormy:
            return rng.random() < 0.25
        return not (carrier == "UA" and 20 <= day < 24)

    harness = MonitorHarness(CONFIG)
    live(harness, range(27), comes)

    assert told(harness) == [
        ("labels_of_segment", "carrier", ["UA"], 20.0, False),
        ("labels_of_segment", "carrier", None, 20.0, True),
    ]


def origin_of(carrier: str, i: int) -> str:
    """UA and AA fly from EWR, DL from JFK, and each day three of UA from there too."""
    return "JFK" if carrier == "DL" or (carrier == "UA" and i < 12) else "EWR"


@pytest.mark.parametrize(
    ("missing", "what"),
    [
        pytest.param(lambda carrier, _: carrier == "UA", ("carrier", ["UA"]), id="of the carrier"),
        pytest.param(lambda _, origin: origin == "EWR", ("origin", ["EWR"]), id="of the airport"),
    ],
)
def test_labels_that_are_missing_are_told_by_the_segment_that_names_them_best(
    missing: Callable[[str, str], bool], what: tuple[str, list[str]]
) -> None:
    harness = MonitorHarness(monitor_config(model={"segments": ("origin", "carrier")}))
    for day in range(30):
        made, truths = [], []
        for i in range(PER_DAY):
            carrier, at = CARRIERS[i % len(CARRIERS)], T0 + day * DAY + (0.5 if i < 12 else 6.0) * HOUR
            origin = origin_of(carrier, i)
            made.append(prediction(f"{day}-{i}", i % 2, at=at, segment={"carrier": carrier, "origin": origin}))
            if not (20 <= day < 25 and missing(carrier, origin)):
                truths.append(feedback(f"{day}-{i}", i % 2, at=at + HOUR / 4))
        for first, last in ((0, 12), (12, PER_DAY)):
            harness.take("predictions", *made[first:last])
            harness.tick(T0 + day * DAY + (1.5 if first == 0 else 8.0) * HOUR)
        harness.take("feedback", *truths)

    segment, values = what
    assert told(harness) == [
        ("labels_of_segment", segment, values, 20.0, False),
        ("labels_of_segment", segment, None, 20.0, True),
    ]


def test_labels_that_are_as_late_as_ever_are_not_missing() -> None:
    # Truths come ten days later: at the age of a day none has ever come, at that of fourteen all have.
    harness = MonitorHarness(CONFIG)
    kept: dict[int, list[Event]] = {}
    for day in range(60):
        for at, count in ((0.5, 10), (12.0, 170)):
            made, kept_now = _batch(day, T0 + day * DAY + at * HOUR, count, always)
            harness.take("predictions", *made)
            kept.setdefault(day + 10, []).extend(kept_now)
            harness.tick(T0 + day * DAY + (at + 1) * HOUR)
        late = [{**event, "observed_at": T0 + day * DAY + 13 * HOUR} for event in kept.pop(day, [])]
        if day < 45 and late:
            harness.take("feedback", *late)
        elif late:
            harness.take("feedback", late[0])
        harness.tick(T0 + day * DAY + 23 * HOUR)

    # From day 45 on the truths of day 35 on are missing: seen once that is fourteen days ago, on two days.
    found = [one for one in told(harness) if one[0] != "feedback"]
    assert found == [("label_coverage", None, None, 35.0, False)]
    assert [signal["at"] for signal in harness.signals("blind")][-1] == T0 + 50 * DAY + 1.5 * HOUR


def test_weekends_without_truths_are_no_blindness_once_two_were_seen() -> None:
    def comes(day: int, label: int, carrier: str) -> bool:  # noqa: ARG001
        return day % 7 < 5  # T0 is a Monday

    harness = MonitorHarness(CONFIG)
    live(harness, range(42), comes)

    assert told(harness) == []


@pytest.mark.parametrize("n", [1, 5, 20])
def test_little_traffic_is_never_told_of(n: int) -> None:
    harness = MonitorHarness(CONFIG)
    live(harness, range(40), from_day(20), n=n)

    assert [one for one in told(harness) if one[0].startswith("label")] == []


def test_days_before_there_is_a_reference_are_not_told_of() -> None:
    harness = MonitorHarness(CONFIG)
    live(harness, range(LEARNED - 4), from_day(8))

    assert told(harness) == []


def test_a_new_normal_is_learned_after_four_weeks() -> None:
    harness = MonitorHarness(CONFIG)
    live(harness, range(80), from_day(20, carrier="AA"))

    began, ended = told(harness)
    assert (began[-1], ended[-1]) == (False, True)
    assert [signal["at"] for signal in harness.signals("blind")][1] == T0 + 49 * DAY + 1.5 * HOUR


def test_a_worker_that_is_behind_says_nothing_of_labels_that_it_has_not_read() -> None:
    #  truths five days later    read until       behind by ten, eight, six, ... days
    #  day    0                  40               50  51  52  53  54
    harness = MonitorHarness(CONFIG, clock="wall")
    late: dict[int, list[Event]] = {}

    def read(day: int, now: float) -> None:
        """The records of this day, over 23 hours from `now` on or all at once."""
        share = 1.0 if now == T0 + day * DAY else 0.0
        harness.take("feedback", *late.pop(day, []))
        for at, count in ((0.5, 10), (12.0, 170)):
            made, come = _batch(day, T0 + day * DAY + at * HOUR, count, always)
            harness.take("predictions", *made)
            late.setdefault(day + 5, []).extend({**one, "observed_at": T0 + (day + 5) * DAY} for one in come)
            harness.tick(now + share * (at + 1) * HOUR)

    for day in range(40):
        read(day, T0 + day * DAY)
    day = 40
    for today in range(50, 60):
        for _ in range(2 if day < today - 1 else 1):
            read(day, T0 + today * DAY + (0.0 if day == today else 1.5 * HOUR))
            day += 1
        harness.tick(T0 + today * DAY + 23 * HOUR)
    for today in range(60, 80):
        for _ in range(2 if day < today else 1):
            read(day, T0 + today * DAY)
            day += 1

    assert day == 80
    assert [one for one in told(harness) if one[0].startswith("label")] == []


def test_a_day_that_is_looked_at_late_is_no_reference_for_one_looked_at_early() -> None:
    # Truths come the next morning. The worker runs in the evenings only, from day 20 on by night too: at half past one
    # nothing of the day before has its truth, late in the evening all has.
    harness = MonitorHarness(CONFIG)
    late: list[Event] = []
    for day in range(40):
        start = T0 + day * DAY
        harness.take("predictions", prediction(f"first-{day}", at=start + HOUR / 2))
        if day >= 20:
            harness.tick(start + 1.5 * HOUR)
        harness.take("feedback", *[{**one, "observed_at": start + 8 * HOUR} for one in late])
        made, late = _batch(day, start + 12 * HOUR, PER_DAY, always)
        harness.take("predictions", *made)
        harness.tick(start + 23 * HOUR)

    assert told(harness) == []


@pytest.mark.parametrize("restart", [False, True])
def test_labels_that_are_missing_are_told_of_where_predictions_come_in_batches_of_a_day(restart: bool) -> None:
    harness = MonitorHarness(CONFIG)
    for day in range(30):
        made, truths = _batch(day, T0 + (day + 0.25) * DAY, PER_DAY, from_day(20, carrier="UA", until=25))
        harness.take("predictions", *made)
        harness.tick(T0 + (day + 0.9) * DAY)
        harness.take("feedback", *truths)
        harness.tick(T0 + (day + 0.95) * DAY)
        if restart:
            harness.restart()

    assert told(harness) == [
        ("labels_of_segment", "carrier", ["UA"], 20.0, False),
        ("labels_of_segment", "carrier", None, 20.0, True),
    ]


@pytest.mark.parametrize("missing", [from_day(20, carrier="AA"), always], ids=["blind", "seeing"])
def test_while_labels_are_missing_no_version_is_judged_against_another(missing: Comes) -> None:
    harness = MonitorHarness(CONFIG)
    live(harness, range(23), missing)
    at = T0 + 23 * DAY
    harness.take("deployments", {"model_id": "m", "model_version": "v2", "role": "challenger", "deployed_at": at})
    made = [
        prediction(f"{version}-{i}", 1, version=version, at=at + i, segment={"carrier": "UA"})
        for i in range(600)
        for version in ("v1", "v2")
    ]
    harness.take("predictions", *made)
    truth = [feedback(event["prediction_id"], int(event["model_version"] == "v1"), at=at + HOUR) for event in made]
    harness.take("feedback", *truth)

    verdicts = [signal["verdict"] for signal in harness.signals("versions_compared")]
    assert verdicts == ([] if harness.view()["blind"] else ["worse"])
    assert bool(harness.view()["blind"]) == (missing is not always)


@pytest.mark.parametrize("clock", ["wall", "stream"])
def test_repeats_failed_calls_and_corrections_count_for_nothing(clock: Literal["wall", "stream"]) -> None:
    plain, odd = (MonitorHarness(MonitorConfig(), clock=clock) for _ in range(2))
    made = [prediction(f"p{i}", 1, at=T0 + i) for i in range(4)]
    come = [feedback(f"p{i}", 1, at=T0 + i + 5) for i in range(2)]
    plain.take("predictions", *made)
    plain.take("feedback", *come)
    failed = prediction("failed", None, at=T0 + 9, error="timeout")
    odd.take("predictions", *made, *made, failed)
    odd.take("feedback", *come, *come, feedback("p0", 0, at=T0 + 20), feedback("failed", 1, at=T0 + 30))

    def counts(harness: MonitorHarness) -> bytes:
        return next(raw for name, raw in harness.sections.items() if name.startswith("labels/"))

    assert counts(odd) == counts(plain)
