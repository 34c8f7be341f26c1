"""State to bytes and back. What is read back cannot execute code.

A snapshot is msgpack with the version of its form in front: `[version, data]`. The few objects of River that only
pickle can hold go through `pack_river` and a closed list of classes on the way back (design 4.7).
"""

from __future__ import annotations

import io
import pickle
from collections.abc import Collection
from typing import Any

import msgpack

from trueup.errors import UnknownSnapshot

#: The classes that a snapshot may name, and nothing else: detectors of River and the parts they are made of.
ALLOWED: frozenset[tuple[str, str]] = frozenset(
    {
        ("river._river_rust.drift", "AdaptiveWindowing"),
        ("river._river_rust.stats", "RsEWMean"),
        ("river.drift.adwin", "ADWIN"),
        ("river.drift.binary.ddm", "DDM"),
        ("river.drift.binary.eddm", "EDDM"),
        ("river.drift.binary.hddm_a", "HDDMA"),
        ("river.drift.binary.hddm_w", "HDDMW"),
        ("river.drift.binary.hddm_w", "SampleInfo"),
        ("river.drift.page_hinkley", "PageHinkley"),
        ("river.stats.ewmean", "EWMean"),
        ("river.stats.mean", "Mean"),
        ("river.stats.var", "Var"),
    }
)
#: PageHinkley holds one of its own methods, which pickle writes as getattr(object, name): these names, and no others.
_METHODS = frozenset({"_test_increase", "_test_decrease", "_test_both"})


def _method(owner: Any, name: str) -> Any:
    """In place of getattr, which would lead from any object to everything."""
    kind = type(owner)
    if (kind.__module__, kind.__name__) != ("river.drift.page_hinkley", "PageHinkley") or name not in _METHODS:
        raise UnknownSnapshot(f"the saved state asks for {kind.__name__}.{name}, which is not on the closed list")
    return getattr(owner, name)


def pack(version: int, data: Any) -> bytes:
    """The bytes of a snapshot in form `version`. `data` is plain: dicts, lists, text, bytes, numbers, None."""
    packed: bytes = msgpack.packb([version, data])
    return packed


def unpack(raw: bytes, *, known: Collection[int], what: str) -> tuple[int, Any]:
    """The version and data of a snapshot.

    Raises:
        UnknownSnapshot: not a snapshot, or of a version that is not in `known`.
    """
    try:
        version, data = msgpack.unpackb(raw, strict_map_key=False)
    except (ValueError, TypeError, msgpack.UnpackException) as error:
        raise UnknownSnapshot(f"the saved state of {what} cannot be read: {error!r}") from error
    if version not in known:
        raise UnknownSnapshot(
            f"the saved state of {what} has version {version}, this code reads {sorted(known)}: "
            f"run the version of trueup that wrote it, or a later one"
        )
    return version, data


class _ClosedUnpickler(pickle.Unpickler):
    def find_class(self, module: str, name: str) -> Any:
        if (module, name) == ("builtins", "getattr"):
            return _method
        if (module, name) not in ALLOWED:
            raise UnknownSnapshot(f"the saved state names {module}.{name}, which is not on the closed list")
        return super().find_class(module, name)


def pack_river(detector: Any) -> bytes:
    """The bytes of a detector of River."""
    return pickle.dumps(detector, protocol=5)


def unpack_river(raw: bytes, kind: type) -> Any:
    """The detector of this kind again; continues exactly where it was.

    Raises:
        UnknownSnapshot: the bytes name anything that is not on the closed list, or hold no such detector.
    """
    try:
        detector = _ClosedUnpickler(io.BytesIO(raw)).load()
    except UnknownSnapshot:
        raise
    except BaseException as error:
        # Damaged bytes make pickle raise nearly anything, and River's Rust panic, which is no Exception.
        if not isinstance(error, Exception) and type(error).__name__ != "PanicException":
            raise
        raise UnknownSnapshot(f"a saved {kind.__name__} cannot be read: {error}") from error
    if type(detector) is not kind:
        raise UnknownSnapshot(f"a {type(detector).__name__} is saved where a {kind.__name__} should be")
    return detector
