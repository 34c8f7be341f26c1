"""State that an alerter saved is read by every later version of it, and goes on as it would have.

`golden/form_1.msgpack.z` holds lives of alerters that saved in form 1: the sections after some inputs, further inputs,
and what went out after those. A change of the form gets a golden file of its own, and this one stays.
"""

from __future__ import annotations

import zlib
from pathlib import Path
from typing import Any

import msgpack
import pytest

from alerter.test_outputs import CONFIG
from builders import AlerterHarness, Input, Take, Tick
from trueup.errors import UnknownSnapshot
from trueup.snapshots import pack

GOLDEN: list[dict[str, Any]] = msgpack.unpackb(
    zlib.decompress((Path(__file__).parent / "golden" / "form_1.msgpack.z").read_bytes()), strict_map_key=False
)


def inputs(saved: list[Any]) -> list[Input]:
    return [Tick(row[0]) if len(row) == 1 else Take(row[0], tuple(row[1]), row[2]) for row in saved]


@pytest.mark.parametrize("life", GOLDEN, ids=lambda life: f"life {life['seed']}")
def test_it_goes_on_as_the_version_that_saved_it(life: dict[str, Any]) -> None:
    harness = AlerterHarness(CONFIG)
    harness.offsets, harness.sections = dict(life["offsets"]), dict(life["sections"])
    harness.step = harness.restored()

    harness.run(*inputs(life["then"]))

    assert [[output.topic, output.key, output.value] for output in harness.outputs] == life["outputs"]


def test_a_form_that_is_not_known_is_refused_with_what_to_do() -> None:
    harness = AlerterHarness(CONFIG)
    harness.sections = {name: pack(99, {}) for name in GOLDEN[0]["sections"]}
    with pytest.raises(UnknownSnapshot, match=r"version 99.*run the version of trueup that wrote it"):
        harness.restored()
