"""Reads what was saved in form 1: every entry of the join a section, windows within their version, no models at rest.

All of it is written anew with the next save, in the form of today.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

import msgpack
from river.drift import binary as rivers

from trueup import snapshots
from trueup.errors import UnknownSnapshot
from trueup.monitor import sections
from trueup.monitor.detectors.hddm_a import HDDMA
from trueup.monitor.join import Answer, Entry, aged_from, counted
from trueup.monitor.model import Model
from trueup.monitor.outcome import RIGHT, WRONG
from trueup.monitor.version import Version

if TYPE_CHECKING:
    from trueup.monitor.fleet import Fleet

FORM = 1


def partition(saved: Mapping[str, bytes]) -> dict[str, Any]:
    """The section of the partition."""
    data: dict[str, Any] = _read(saved, sections.PARTITION)
    return data


def restore_fleet(fleet: Fleet, saved: Mapping[str, bytes], model_ids: list[str]) -> list[str]:
    """Take back all models and entries; gives the sections that are no more.

    Raises:
        UnknownSnapshot: any of it is saved in another form.
    """
    for model_id in model_ids:
        fleet.new(model_id)
    parsed = {name: sections.parse(name) for name in saved}
    for kind, restore in (
        (sections.MODEL, _restore_model),
        (sections.VERSION, _restore_version),
        (sections.COHORTS, _restore_cohorts),
    ):
        for name, (found, parts) in parsed.items():
            if found == kind:
                restore(fleet.awake[parts[0]], parts, _read(saved, name))
    waiting = [name for name, (kind, _) in parsed.items() if kind == sections.WAITING]
    for name in waiting:
        model_id, prediction_id = parsed[name][1]
        _restore_entry(fleet.awake[model_id], prediction_id, _entry(saved[name]))
    return waiting


def _restore_model(model: Model, _: list[str], data: dict[str, Any]) -> None:
    model.restore({**data, "ids_by_day": {}, "let_go_before": 0})


def _restore_version(model: Model, parts: list[str], data: dict[str, Any]) -> None:
    version = model.versions[parts[1]]
    correct, error, squared, judged = data["totals"]
    last, (latest, buckets) = data["windows"]["last"], data["windows"]["label_time"]
    version.restore(
        {
            **data,
            "watch": {**data["watch"], "mistakes": _mistakes(data["watch"]["mistakes"])},
            "pending_by_day": {},
            "total": [judged, judged, correct, error, squared, 0.0],
            "windows": [last, [latest, buckets.get(latest)]],
        }
    )
    version.windows.label_time.restore_closed({bucket: of for bucket, of in buckets.items() if bucket != latest})
    version.segments.restore(
        {
            (name, value): [place, [of["last"], [of["label_time"][0], None]], of["label_time"][1]]
            for name, values in data["segments"].items()
            for place, (value, of) in enumerate(values.items())
        }
    )


def _mistakes(packed: Mapping[str, bytes]) -> dict[str, Any]:
    """HDDM_A was River's, and is ours."""
    own = HDDMA.from_river(snapshots.unpack_river(packed["hddm_a"], rivers.HDDMA))
    return {**packed, "hddm_a": own.snapshot()}


def _restore_cohorts(model: Model, parts: list[str], data: list[Any]) -> None:
    model.versions[parts[1]].cohorts.restore(data)


def _restore_entry(model: Model, prediction_id: str, entry: Entry) -> None:
    day, _, _, truth, answers = entry
    model.waiting.put(prediction_id, entry)
    model.waiting.file(day)
    if truth is None:
        for answer in answers:
            _count_as_pending(model.answered_by(answer), day)


def _count_as_pending(version: Version, day: int) -> None:
    """Form 1 had the number, but not by day."""
    version.pending_by_day[day] = version.pending_by_day.get(day, 0) + 1


def _entry(raw: bytes) -> Entry:
    form, *data = msgpack.unpackb(raw)
    if form != FORM:
        raise UnknownSnapshot(f"a prediction that waits for its truth is saved in form {form}, this code reads {FORM}")
    answers = tuple([_answer(name, *values) for name, values in data[0].items()])
    truth = None if data[1] is None else tuple(data[1])
    _, _, first_offset, came_at = data
    return aged_from(answers, truth, came_at), came_at, first_offset, truth, answers


def _answer(name: str, prediction: Any, probability: Any, predicted_at: float, segment: Any, held: Any) -> Answer:
    outcome = {(True, 0.0, 0.0): RIGHT, (False, 1.0, 1.0): WRONG}.get(tuple(held or ()))
    return (
        name,
        prediction,
        probability,
        predicted_at,
        segment,
        counted(outcome) if outcome else held and tuple(held),
        None,
    )


def _read(saved: Mapping[str, bytes], name: str) -> Any:
    return snapshots.unpack(saved[name], known=[FORM], what=name)[1]
