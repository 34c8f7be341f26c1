"""Places where a test ends, stops or fails the process; none of them is set unless the environment says so."""

from __future__ import annotations

import pytest

from trueup.engine.failpoints import PLACES, RANDOM_IDS, VARIABLE, Failpoints, from_environment
from trueup.errors import InvalidSettings, Unavailable


def test_without_the_variable_nothing_happens_anywhere(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    points = from_environment()
    for place in PLACES:
        points.hit(place)
    assert not points.on(RANDOM_IDS)


def test_a_place_fails_once_and_at_the_time_that_was_asked_for(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(VARIABLE, "save.after=fail@3;claim.after=fail")
    points = from_environment()
    points.hit("save.after")
    points.hit("save.after")
    with pytest.raises(Unavailable, match=r"save\.after"):
        points.hit("save.after")
    points.hit("save.after")
    with pytest.raises(Unavailable, match=r"claim\.after"):
        points.hit("claim.after")


def test_a_control_is_on_from_the_start() -> None:
    points = Failpoints.parse(f"{RANDOM_IDS}=on")
    assert points.on(RANDOM_IDS)
    points.hit("save.after")


@pytest.mark.parametrize(
    "text", ["nowhere=kill", "save.after", "save.after=explode", "save.after=kill@x", f"{RANDOM_IDS}=kill", "=kill"]
)
def test_what_cannot_be_meant_is_refused_with_what_can(text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"claim\.after.*kill"):
        Failpoints.parse(text)
