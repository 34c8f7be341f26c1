"""Scorecards by label time: every span is a merge of what was counted in it, whatever was saved in between."""

from __future__ import annotations

from typing import Any

import msgpack
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from builders import DAY, HOUR, T0, MonitorHarness, feedback, monitor_config, prediction
from trueup.monitor.metrics_shown import measured
from trueup.monitor.scorecards.exact import ONE, pack_sum, read_sum
from trueup.monitor.scorecards.scorecard import Evidence, Frame, Scorecard
from trueup.monitor.scorecards.scorecards import SPANS, Scorecards

hours = st.one_of(st.integers(0, 30), st.integers(0, 60 * 24))
outcomes = st.lists(st.tuples(hours, st.booleans(), st.floats(0, 1), st.booleans()), min_size=1, max_size=40)


def folded(made: list[Any], chunks: list[int], saves: set[int]) -> Scorecards:
    """Counted in chunks that end there, saved and restored after some of them."""
    cards, saved, start = Scorecards(1), dict[str, Any](), 0
    for end in sorted({*(chunk for chunk in chunks if chunk < len(made)), len(made)}):
        part = made[start:end]
        if part:
            given_: list[Evidence] = [("binary", said, score, true, None) for _, said, score, true in part]
            cards.add_all(given_, [T0 + hour * HOUR for hour, *_ in part])
        if end in saves:
            saved |= msgpack.unpackb(msgpack.packb(cards.changes()), strict_map_key=False)
            cards = Scorecards(1)
            for name, data in saved.items():
                cards.restore(name, data)
        start = end
    return cards


def naive(made: list[Any]) -> dict[str, list[Any]]:
    """The outcomes of each span, none of which is a correction."""
    latest = max(hour for hour, *_ in made)
    # A truth that is late for its kind of bucket when it comes is counted in the wider one.
    spans: dict[str, list[Any]] = {"day": [], "week": [], "all": made}
    so_far = -1
    for outcome in made:
        hour = outcome[0]
        so_far = max(so_far, hour)
        if hour > latest - 24 and hour > so_far - 24:
            spans["day"].append(outcome)
        if hour > latest - 24 or hour // 24 > latest // 24 - 7:
            spans["week"].append(outcome)
    return spans


@given(outcomes, st.lists(st.integers(1, 40), max_size=6), st.sets(st.integers(0, 40), max_size=4))
@settings(max_examples=200)
def test_spans_are_their_outcomes_however_chunks_are_cut_and_through_restarts(
    made: list[Any], chunks: list[int], saves: set[int]
) -> None:
    cards = folded(made, [*chunks, *saves], saves)

    for span, expected in naive(made).items():
        frame, card = Frame(1), Scorecard()
        card.add_all([("binary", said, score, true, None) for _, said, score, true in made], frame)
        plain = Scorecard()
        if expected:
            plain.add_all([("binary", said, score, true, None) for _, said, score, true in expected], frame)
        found = cards.spans()[span]  # type: ignore[index]
        found.scores = found.scores if found.scores and found.scores.n else None
        assert found.snapshot() == plain.snapshot(), span
    whole = folded(made, [], set())
    cards.touch()
    whole.touch()
    assert cards.changes() == whole.changes()


def test_what_is_saved_is_bounded_by_hours_and_days() -> None:
    cards = Scorecards(1)
    for day in range(100):
        for hour in range(24):
            cards.add_all([("binary", True, 0.5, True, None)], [T0 + day * DAY + hour * HOUR])
    cards.touch()
    saved = cards.changes()

    assert len(saved["hours"]) == 23
    # 35 days back, of which the latest is still in hours, and what was before.
    assert len(saved["days"]) == 35
    assert {span: card.pairs for span, card in cards.spans().items()} == {
        "day": {0: 24},
        "week": {0: 7 * 24},
        "all": {0: 2_400},
    }


def test_only_what_changed_is_saved() -> None:
    cards = Scorecards(1)
    at = [T0, T0 + HOUR, T0 + 30 * HOUR]
    cards.add_all([("binary", True, 0.5, True, None)] * 3, at)
    assert set(cards.changes()) == {"open", "hours", "days"}
    cards.add_all([("binary", True, 0.5, True, None)], [T0 + 30 * HOUR + 5])
    assert set(cards.changes()) == {"open"}
    cards.add_all([("binary", True, 0.5, True, None)], [T0 + 29 * HOUR])
    assert set(cards.changes()) == {"open", "hours"}
    assert cards.changes() == {}


@pytest.mark.parametrize("total", [0, -5, 2**63 - 1, 2**63, -(2**63) - 1, 40 * ONE * 10**12], ids=str)
def test_a_sum_of_any_size_can_be_saved(total: int) -> None:
    assert read_sum(msgpack.unpackb(msgpack.packb(pack_sum(total)))) == total


# -- in the monitor ---------------------------------------------------------------------------------------------------


def shown(harness: MonitorHarness) -> Any:
    return harness.version()["metrics"]


def test_a_version_shows_its_metrics_by_span_through_a_restart() -> None:
    harness = MonitorHarness(monitor_config(model={"task": "binary"}))
    for day in range(3):
        for i in range(10):
            at = T0 + day * DAY + i
            harness.take("predictions", prediction(f"p{day}-{i}", int(i < 5), probability=0.9 if i < 5 else 0.2, at=at))
            harness.take("feedback", feedback(f"p{day}-{i}", int(i < 5 - day), at=at + 60))
    harness.restart()
    harness.settle()
    metrics = shown(harness)

    assert list(metrics) == list(SPANS)
    assert [metrics[span]["accuracy"]["n"] for span in SPANS] == [10, 30, 30]
    assert metrics["day"]["accuracy"]["value"] == 0.8
    assert metrics["all"]["recall"] == {**metrics["all"]["recall"], "value": 1.0, "n": 12}
    assert metrics["all"]["precision"] == {**metrics["all"]["precision"], "value": 0.8, "n": 15}


def test_before_the_first_truth_there_are_no_metrics() -> None:
    harness = MonitorHarness()
    harness.take("predictions", prediction("p1"))

    assert shown(harness) == {}


CORRECTED: list[Any] = [
    pytest.param({"task": "binary"}, (1, 0.7), (0, None), (1, None), id="a label"),
    pytest.param({"task": "multiclass"}, ("a", 0.7), ("b", None), ("a", None), id="one of several"),
    pytest.param({"task": "regression"}, (5.5, None), (9.25, None), (5.0, None), id="a number"),
    pytest.param({"task": "judged"}, ("text", None), (None, 0.3), (None, 0.9), id="a judged answer"),
]


@pytest.mark.parametrize(("model", "answer", "first", "then"), CORRECTED)
def test_a_correction_takes_back_what_was_counted_in_all_and_changes_no_window(
    model: dict[str, Any], answer: tuple[Any, Any], first: tuple[Any, Any], then: tuple[Any, Any]
) -> None:
    corrected, told_once, never = [MonitorHarness(monitor_config(model=model)) for _ in range(3)]
    for harness, truths in ((corrected, (first, then)), (told_once, (then,)), (never, (first,))):
        more = {} if answer[1] is None else {"probability": answer[1]}
        harness.take("predictions", prediction("p1", answer[0], **more), prediction("p2", answer[0], **more))
        harness.take("feedback", feedback("p2", then[0], **({} if then[1] is None else {"score": then[1]})))
        for actual, score in truths:
            harness.restart()
            harness.take("feedback", feedback("p1", actual, **({} if score is None else {"score": score})))

    def all_values(harness: MonitorHarness) -> Any:
        return {name: (of["value"], of["n"]) for name, of in shown(harness)["all"].items()}

    assert all_values(corrected) == all_values(told_once)
    assert all_values(corrected) != all_values(never)
    assert shown(corrected)["day"] == shown(never)["day"]


def test_the_probability_of_each_label_of_a_binary_model_is_that_of_the_positive_one() -> None:
    both, one = MonitorHarness(), MonitorHarness()
    for harness, given_ in ((both, {"true": 0.2, "false": 0.8}), (one, 0.2)):
        harness.take("predictions", prediction("p1", False, probability=given_))
        harness.take("feedback", feedback("p1", False))

    assert shown(both) == shown(one)
    assert shown(one)["all"]["brier"]["value"] == pytest.approx(0.04)


def test_a_task_that_nothing_was_counted_of_has_metrics_of_nothing() -> None:
    assert measured(Scorecards(1), "binary", 1.0)["day"]["roc_auc"] == {
        "value": None,
        "n": 0,
        "low": None,
        "high": None,
    }
