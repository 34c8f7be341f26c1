"""A model as sections: what of it changed, all of it, and back again."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from typing import Any

import msgpack

from trueup import snapshots
from trueup.errors import UnknownSnapshot
from trueup.monitor import sections
from trueup.monitor.model import Model
from trueup.monitor.version import Version

#: Version of the form in which state is saved. `upgrade` reads form 1.
FORM = 2

_pack = msgpack.Packer().pack


def pack(data: Any) -> bytes:
    """The bytes of a section."""
    # As `snapshots.pack`, with one packer for all: a save packs several sections of thousands of models.
    packed: bytes = _pack((FORM, data))
    return packed


#: What `sections.parse` makes of a name, and the bytes under it.
Section = tuple[str, list[str], bytes]


class Changes:
    """What of the models is to be written with the next save."""

    def __init__(self) -> None:
        self.models: dict[str, None] = {}
        self.views: set[str] = set()
        self.versions: dict[str, set[str]] = {}

    def touch(self, model: Model, versions: Collection[str] = (), *, shown: bool = True) -> None:
        """Something of the model, and of these versions, changed; `shown`: something of what is shown."""
        self.models[model.model_id] = None
        if shown:
            self.views.add(model.model_id)
        if versions:
            self.versions.setdefault(model.model_id, set()).update(versions)

    def touch_version(self, model_id: str, model_version: str) -> None:
        """Something of this version that is shown changed: `touch`, at little cost where it was said before."""
        versions = self.versions.get(model_id)
        if versions is None:
            self.versions[model_id] = {model_version}
            self.models[model_id] = None
        else:
            versions.add(model_version)
        self.views.add(model_id)


def changed_sections(model: Model, versions: Collection[str]) -> dict[str, bytes | None]:
    """The sections of a model that changed, and of those of its versions."""
    found: dict[str, bytes | None] = {sections.name(sections.MODEL, model.model_id): pack(model.snapshot())}
    if model.training.closed_changed:
        name = sections.name(sections.TRAINING, model.model_id)
        found[name] = pack(model.training.closed_snapshot())
    for kind, labels in (
        (sections.LABELS, model.labels.counts.changes()),
        (sections.LABEL_COVERAGE, model.labels.changes()),
        (sections.TRAFFIC, model.traffic.changes()),
    ):
        if labels is not None:
            found[sections.name(kind, model.model_id)] = pack(labels)
    for name in sorted(versions):
        found.update(_version_sections(model.model_id, model.versions[name]))
    return found


def _version_sections(model_id: str, version: Version) -> dict[str, bytes | None]:
    own = version.model_version
    found: dict[str, bytes | None] = {sections.name(sections.VERSION, model_id, own): pack(version.snapshot())}
    for part, data in version.scorecards.changes().items():
        found[sections.name(sections.SCORECARDS, model_id, own, part)] = pack(data)
    label_time = version.windows.label_time
    if label_time.closed_changed:
        found[sections.name(sections.WINDOWS, model_id, own)] = pack(label_time.closed_snapshot())
    if version.segment_watch.closed_changed:
        found[sections.name(sections.SEGMENT_WATCH, model_id, own)] = pack(version.segment_watch.closed_snapshot())
    for kept, data in version.estimated.changes().items():
        found[sections.name(sections.ESTIMATED, model_id, own, kept)] = None if data is None else pack(data)
    for (name, value), data in version.segments.changes().items():
        found[sections.name(sections.SEGMENT, model_id, own, name, value)] = pack(data)
    for month, rows in version.cohorts.changes().items():
        found[sections.name(sections.COHORTS, model_id, own, month)] = None if rows is None else pack(rows)
    features = version.features
    if features.open_changed:
        found[sections.name(sections.FEATURES, model_id, own)] = pack(features.open_snapshot())
    if features.closed_changed:
        found[sections.name(sections.COLUMNS, model_id, own)] = pack(features.closed_snapshot())
    return found


def touch_all(model: Model) -> None:
    """Every section of the model is to be written, though nothing changed."""
    model.training.closed_changed = True
    model.labels.touch()
    model.traffic.touch()
    for version in model.versions.values():
        version.windows.label_time.closed_changed = True
        version.segment_watch.closed_changed = True
        version.segments.touch()
        version.estimated.touch()
        version.cohorts.touch()
        version.scorecards.touch()
        version.features.touch()


def pack_whole(model: Model) -> tuple[bytes, list[str]]:
    """All of a model in one piece, for `restore_whole`; and the names of all sections that it had."""
    touch_all(model)
    whole = changed_sections(model, list(model.versions))
    packed = pack({name: raw for name, raw in whole.items() if raw is not None})
    return packed, list(whole)


def restore_whole(model: Model, raw: bytes) -> None:
    """Take back what `pack_whole` gave."""
    saved = snapshots.unpack(raw, known=[FORM], what=f"model {model.model_id}")[1]
    restore_model(model, {name: (*sections.parse(name), data) for name, data in saved.items()})


#: What each kind of section gives back to its version: the version, what follows its name in the section's, the data.
_OF_VERSIONS: Mapping[str, Callable[[Version, list[str], Any], None]] = {
    sections.VERSION: lambda version, _, data: version.restore(data),
    sections.WINDOWS: lambda version, _, data: version.windows.label_time.restore_closed(data),
    sections.SEGMENT_WATCH: lambda version, _, data: version.segment_watch.restore_closed(data),
    sections.COHORTS: lambda version, _, data: version.cohorts.restore(data),
    sections.SCORECARDS: lambda version, which, data: version.scorecards.restore(which[0], data),
    sections.ESTIMATED: lambda version, which, data: version.estimated.restore(which[0], data),
    sections.COLUMNS: lambda version, _, data: version.features.restore_closed(data),
    sections.FEATURES: lambda version, _, data: version.features.restore_open(data),
}


#: What the sections of a model itself give back to it, once that is there.
_OF_MODELS: Mapping[str, Callable[[Model, Any], None]] = {
    sections.TRAINING: lambda model, data: model.training.restore(data),
    sections.LABELS: lambda model, data: model.labels.counts.restore(data),
    sections.LABEL_COVERAGE: lambda model, data: model.labels.restore(data),
    sections.TRAFFIC: lambda model, data: model.traffic.restore(data),
}


def restore_model(model: Model, saved: Mapping[str, Section]) -> None:
    """Take back the sections of one model, in any order."""
    by_kind: dict[str, list[tuple[list[str], Any]]] = {}
    for name, (kind, parts, raw) in saved.items():
        by_kind.setdefault(kind, []).append((parts, read(raw, name)))
    for _, data in by_kind.get(sections.MODEL, []):
        model.restore(data)
    for kind, restore_part in _OF_MODELS.items():
        for _, data in by_kind.get(kind, []):
            restore_part(model, data)
    for kind, restore in _OF_VERSIONS.items():
        for (_, version, *which), data in by_kind.get(kind, []):
            restore(model.versions[version], which, data)
    segments: dict[str, dict[tuple[str, str], Any]] = {}
    for (_, version, name, value), data in by_kind.get(sections.SEGMENT, []):
        segments.setdefault(version, {})[name, value] = data
    for version, of in segments.items():
        model.versions[version].segments.restore(of)


def form_of(raw: bytes, name: str) -> int:
    """The form in which a section is saved.

    Raises:
        UnknownSnapshot: not a section.
    """
    try:
        form: int = msgpack.unpackb(raw, strict_map_key=False)[0]
    except (ValueError, TypeError, LookupError, msgpack.UnpackException) as error:
        raise UnknownSnapshot(f"the saved state of {name} cannot be read: {error}") from error
    return form


def read(raw: bytes, name: str) -> Any:
    """The data of one section.

    Raises:
        UnknownSnapshot: saved in a form that this code does not read.
    """
    return snapshots.unpack(raw, known=[FORM], what=name)[1]
