"""Each fault that is planted is told once, of the right feature, and that it ended; no calm life tells any."""

from __future__ import annotations

from typing import Any

import pytest

from builders import DAY, T0
from monitor.features.worlds import Change, Features, from_day, put, told_by, watch, world
from trueup.monitor.features.watch import Told


def faults(change: Change | None, *, seed: int = 0, days: int = 11, a_day: int = 1_800) -> list[Told]:
    """The faults that are told of a world with this change."""
    return [
        one for one in told_by(watch(), world(seed, days=days, a_day=a_day, change=change)) if one.type == "data_fault"
    ]


def _celsius(fahrenheit: float) -> float:
    return (fahrenheit - 32) * 5 / 9


def _sometimes_null(features: Features) -> None:
    if features["age"] % 2:
        features["income"] = None


@pytest.mark.parametrize(
    ("feature", "fault", "change"),
    [
        pytest.param("temperature", "unit_changed", put("temperature", _celsius), id="Celsius"),
        pytest.param("amount", "unit_changed", put("amount", lambda x: x * 100), id="cents"),
        pytest.param("amount", "unit_changed", put("amount", lambda x: x * 7.3 + 20), id="a unit that nobody knows"),
        pytest.param("income", "missing", put("income", lambda _: None), id="all null"),
        pytest.param("income", "missing", _sometimes_null, id="half of them null"),
        pytest.param("income", "missing", lambda features: features.pop("income"), id="left out"),
        pytest.param("age", "type_changed", put("age", str), id="numbers as text"),
        pytest.param("temperature", "stuck", put("temperature", lambda _: 55.0), id="a sensor that hangs"),
        pytest.param("country", "stuck", put("country", lambda _: "nl"), id="a default that is filled in"),
        pytest.param("country", "unseen", put("country", str.upper), id="another spelling"),
        pytest.param("age", "out_of_range", put("age", lambda x: 10.0 ** (x % 12 + 3)), id="nonsense"),
    ],
)
def test_a_fault_is_told_once_of_its_feature_and_ends_by_itself(feature: str, fault: str, change: Any) -> None:
    began, ended = faults(from_day(8, change, until=9.5))

    assert (began.data["feature"], began.data["fault"], began.data["ended"]) == (feature, fault, False)
    assert (ended.data["feature"], ended.data["fault"], ended.data["ended"]) == (feature, fault, True)
    assert began.data["since"] == ended.data["since"]
    assert 7.5 <= (began.data["since"] - T0) / DAY <= 8.5
    assert 8 < (began.at - T0) / DAY < 9.5
    assert 9.5 < (ended.at - T0) / DAY < 10.5


def test_the_unit_is_named_with_its_factor_and_offset() -> None:
    for seed in range(4):
        (began,) = faults(from_day(12.4, put("temperature", _celsius)), seed=seed, days=14)
        assert began.data["detail"] == "Fahrenheit to Celsius: new = 0.5556 * old - 17.78"
    (cents,) = faults(from_day(8, put("amount", lambda x: x * 100)), days=9)
    assert cents.data["detail"].endswith(": new = 100 * old")


def test_features_that_are_gone_at_once_are_one_fault() -> None:
    names = ["temperature", "amount", "age", "country", "rain"]

    def change(features: Features) -> None:
        for name in names:
            del features[name]

    began, ended = faults(from_day(8, change, until=9), days=11)

    assert began.data["features"] == ended.data["features"] == names
    assert (began.data["ended"], ended.data["ended"]) == (False, True)


@pytest.mark.parametrize("a_day", [900, 150])
def test_a_calm_life_has_no_fault_and_no_drift_but_that_of_the_seasons(a_day: int) -> None:
    """7 features (one a weather) for 30 days, in 2 worlds: nothing. Held beside: 1,000 days a false drift."""
    for seed in range(10, 12):
        told = told_by(watch(), world(seed, days=30, a_day=a_day))
        streams = [drift["stream"] for one in told for drift in one.data.get("drifted", [{"stream": one.data}])]
        assert set(streams) <= {"feature:temperature"}


def _dearer(features: Features) -> None:
    features["amount"] *= 3 if features["age"] % 4 == 0 else 1


@pytest.mark.parametrize("seed", range(3))
def test_other_values_are_no_other_unit(seed: int) -> None:
    assert faults(from_day(8, _dearer), seed=seed, days=10) == []


def test_too_few_values_tell_nothing() -> None:
    assert faults(from_day(5, put("income", lambda _: None)), days=9, a_day=24) == []
