"""The budget of false pages: shares sum to at most one, and time earns it once."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from builders import DAY, T0, MonitorHarness, feedback, monitor_config, prediction
from trueup.monitor import budget
from trueup.monitor.model import Model


@given(st.integers(1, 5_000), st.integers(1, 64))
def test_the_shares_of_all_monitors_of_all_partitions_sum_to_at_most_one(monitors: int, partitions: int) -> None:
    assert sum(budget.share(k, partitions) for k in range(1, monitors + 1)) * partitions <= 1.0


@pytest.mark.parametrize(
    ("seconds", "days"),
    [
        pytest.param(3_600.0, 1 / 24, id="an hour"),
        pytest.param(86_400.0, 1.0, id="a day"),
        pytest.param(90 * 86_400.0, 1.0, id="a long silence earns a day"),
        pytest.param(0.0, 0.0, id="no time"),
        pytest.param(-86_400.0, 0.0, id="time gone backwards"),
    ],
)
def test_time_earns_budget(seconds: float, days: float) -> None:
    assert budget.earned(2.0, seconds) == pytest.approx(2.0 * days / 30.4375)


@given(st.lists(st.floats(0, 50 * DAY), min_size=1, max_size=50))
def test_no_order_of_label_times_earns_more_than_their_span(times: list[float]) -> None:
    model = Model("m", 0, monitor_config(), 2.0)
    earned = [model.earn(T0 + at) for at in times]

    assert earned[0] == 0.0
    assert min(earned) >= 0.0
    assert sum(earned) <= 2.0 * (max(times) - times[0]) / budget.SECONDS_PER_MONTH + 1e-9
    assert max(earned) <= 2.0 * DAY / budget.SECONDS_PER_MONTH


def evidence(harness: MonitorHarness, version: str) -> float:
    found = harness.version(version)["detector"]["evidence"]
    assert isinstance(found, float)
    return found


def test_the_versions_of_a_model_share_one_budget() -> None:
    # Two versions, an hour apart in turn: what one earned, the other does not earn again.
    promised = monitor_config(model={"objective": 0.5, "task": "binary"})
    both, alone = MonitorHarness(promised), MonitorHarness(promised)
    for harness, versions in ((both, ("v1", "v2")), (alone, ("v1", "v1"))):
        made = [prediction(f"p{i}", 1, version=versions[i % 2]) for i in range(40)]
        harness.take("predictions", *made)
    spent = {}
    for harness in (both, alone):
        harness.take("feedback", *[feedback(f"p{i}", i % 4 < 2, at=T0 + i * 3_600) for i in range(40)])
        spent[harness] = sum(version["detector"]["evidence"] for version in harness.view()["versions"])

    assert evidence(both, "v1") > 0
    assert evidence(both, "v2") > 0
    assert spent[both] == pytest.approx(spent[alone], rel=0.2)


def test_models_get_their_share_in_the_order_in_which_they_appear_also_after_a_restart() -> None:
    harness = MonitorHarness(monitor_config(false_pages_per_month=6.0))
    harness.take("predictions", prediction("p", model="b"))
    harness.restart()
    harness.take("predictions", prediction("p", model="a"))
    harness.restart()
    harness.take("predictions", prediction("p", model="c"), prediction("q", model="a"), prediction("q", model="b"))

    assert {view["model_id"]: view["false_pages_per_month"] for view in harness.views()} == pytest.approx(
        {"b": 3.0, "a": 1.0, "c": 0.5}
    )


def test_a_smaller_budget_holds_from_the_next_start_on() -> None:
    harness = MonitorHarness(monitor_config(false_pages_per_month=6.0))
    harness.take("predictions", prediction("p"))
    harness.config = monitor_config(false_pages_per_month=2.0)
    harness.restart()
    harness.take("predictions", prediction("q"))

    assert harness.view()["false_pages_per_month"] == 1.0
