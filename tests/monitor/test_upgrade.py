"""State that the version before saved is read, and goes on as if it had never been another.

`golden/form_1.msgpack.z` was written by that version: for each clock some inputs, the sections and views it had saved
after them, further inputs, and what it showed and signalled after those.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import msgpack
import orjson
import pytest

from builders import Event, Input, MonitorHarness, Take, Tick
from monitor.lives import CONFIG
from trueup.errors import UnknownSnapshot

GOLDEN: dict[str, Any] = msgpack.unpackb(
    zlib.decompress((Path(__file__).parent / "golden" / "form_1.msgpack.z").read_bytes()), strict_map_key=False
)
CLOCKS = list(GOLDEN)
#: What that version did not count.
NEW = ("let_go", "metrics", "comparisons", "features", "estimated_performance", "call_faults", "traffic")


def inputs(saved: list[Any]) -> list[Input]:
    return [Tick(row[0]) if len(row) == 1 else Take(row[0], tuple(row[1]), row[2]) for row in saved]


def restored(clock: Any) -> MonitorHarness:
    harness = MonitorHarness(CONFIG, clock=clock)
    harness.offsets = dict(GOLDEN[clock]["offsets"])
    harness.sections = dict(GOLDEN[clock]["sections"])
    harness.raw_views = dict(GOLDEN[clock]["views"])
    harness.step = harness.restored()
    return harness


def without_new(view: Event) -> Event:
    """A view as the version before knew it; but a promise is weighed otherwise now."""
    new = (*NEW, "detector") if is_promised(view) else NEW
    versions = [{name: of for name, of in version.items() if name not in new} for version in view["versions"]]
    return {name: of for name, of in view.items() if name not in NEW} | {"versions": versions}


def is_promised(about: Event) -> bool:
    """Of a model with a stated objective."""
    return CONFIG.of(about["model_id"]).objective is not None


def views(raw: dict[str, bytes]) -> dict[str, Event]:
    return {name: without_new(orjson.loads(view)) for name, view in raw.items()}


@pytest.mark.parametrize("clock", CLOCKS)
def test_it_shows_what_the_version_before_showed(clock: str) -> None:
    harness = restored(clock)
    harness.settle()

    assert views(harness.raw_views) == views(GOLDEN[clock]["views"])


@pytest.mark.parametrize("clock", CLOCKS)
def test_it_goes_on_as_the_version_before_did(clock: str) -> None:
    harness = restored(clock)
    harness.settle()
    harness.restart()
    harness.run(*inputs(GOLDEN[clock]["after"]))

    assert views(harness.raw_views) == views(GOLDEN[clock]["then_views"])
    before = len(GOLDEN[clock]["outputs"])
    assert told(output.value for output in harness.outputs) == told(GOLDEN[clock]["then_outputs"][before:])


def told(signals: Any) -> list[bytes]:
    """Signals without their numbers: the version before told the end of a blindness before all else of its chunk.

    And without broken promises, which are weighed otherwise now.
    """
    read = [orjson.loads(signal) for signal in signals]
    same = [signal for signal in read if not (signal.get("detector") == "e_detector" and is_promised(signal))]
    return sorted(orjson.dumps(_told(signal) | {"number": 0}) for signal in same)


def _told(signal: Event) -> Event:
    """A signal as the version before knew it."""
    return {name: of for name, of in signal.items() if name not in ("margin", "pairing", "role")}


def without_intervals(shown: Any) -> Any:
    """How bursty the errors under a promise are, the version before did not learn: intervals are wider for it."""
    if isinstance(shown, list):
        return [without_intervals(each) for each in shown]
    if isinstance(shown, dict):
        return {name: without_intervals(each) for name, each in shown.items() if name not in ("low", "high")}
    return shown


@pytest.mark.parametrize("clock", CLOCKS)
def test_it_goes_on_as_one_that_was_never_stopped(clock: Any) -> None:
    whole = MonitorHarness(CONFIG, clock=clock)
    whole.run(*inputs(GOLDEN[clock]["before"]))
    before = len(whole.outputs)
    upgraded = restored(clock)
    for harness in (whole, upgraded):
        harness.run(*inputs(GOLDEN[clock]["after"]))

    assert told(output.value for output in upgraded.outputs) == told(output.value for output in whole.outputs[before:])
    assert without_intervals(views(upgraded.raw_views)) == without_intervals(views(whole.raw_views))
    horizon_day = whole.step.outdated[-1]
    kept = [{key: of for key, of in run.entries.items() if of.day >= horizon_day} for run in (whole, upgraded)]
    assert kept[0] == kept[1]


@pytest.mark.parametrize("clock", CLOCKS)
def test_what_was_saved_in_the_old_way_is_gone_with_the_next_save(clock: str) -> None:
    harness = restored(clock)
    waiting = [name for name in harness.sections if name.startswith("join/")]
    harness.settle()

    assert waiting
    assert [name for name in harness.sections if name.startswith("join/")] == []
    assert len(harness.entries) == len(waiting)


def test_a_form_that_is_not_known_is_refused_in_a_sentence() -> None:
    harness = restored("stream")
    name = next(name for name in harness.sections if name.startswith("join/"))
    harness.sections[name] = msgpack.packb([7, {}, None, -1, 0])

    with pytest.raises(UnknownSnapshot, match="form 7, this code reads 1"):
        harness.restored()
