"""Whatever an app passes, and wherever in its stack it calls: nothing is raised, and every event is counted."""

import math
from collections.abc import Callable, Mapping
from enum import IntEnum
from itertools import count
from typing import Any

import numpy as np
import pytest

from sdk.fake_producer import FakeProducer, emit, is_settled
from trueup.sdk import Counts, Emitter


class Hostile:
    """Everything that can be asked of it raises."""

    def __getattribute__(self, name: str) -> Any:
        raise RuntimeError(name)

    def _raise(self, *_: object) -> Any:
        raise ZeroDivisionError

    __str__ = __repr__ = __eq__ = __hash__ = __len__ = __bool__ = __iter__ = __float__ = __int__ = __format__ = _raise


class Liar:
    """Says that it is a text."""

    __class__ = str  # type: ignore[assignment]


class HostileText(str):
    __str__ = __repr__ = __eq__ = __hash__ = __len__ = __bool__ = __iter__ = __format__ = Hostile._raise


class HostileError(Exception):
    __str__ = __repr__ = Hostile._raise


class NamelessError(type):
    __name__ = property(Hostile._raise)


class Unspeakable(Exception, metaclass=NamelessError):
    """Not even its class can be named."""


class RaisesUnspeakable:
    def __getattr__(self, name: str) -> Any:
        raise Unspeakable


class Odd(Mapping[Any, Any]):
    """A mapping that has the items it is told to, and says that it has none."""

    def __init__(self, items: Callable[[], Any]) -> None:
        self._items = items

    def items(self) -> Any:
        return self._items()

    def __getitem__(self, key: object) -> Any:
        raise KeyError(key)

    def __iter__(self) -> Any:
        raise ZeroDivisionError

    def __len__(self) -> int:
        return 0


BAD: list[Any] = [
    pytest.param({"prediction": math.nan}, id="NaN prediction"),
    pytest.param({"probability": math.inf}, id="infinite probability"),
    pytest.param({"probability": {"yes": math.nan}}, id="NaN for a label"),
    pytest.param({"prediction": object()}, id="object"),
    pytest.param({"prediction": 10**5_000}, id="number of 5,000 digits"),
    pytest.param({"prediction": "\ud800"}, id="lone surrogate"),
    pytest.param({"model_id": "\ud800"}, id="lone surrogate in the key"),
    pytest.param({"features": {"\udfff": 1}}, id="lone surrogate in a name"),
    pytest.param({"prediction": None}, id="no prediction and no error"),
    pytest.param({"prediction_id": None}, id="no id"),
    pytest.param({"model_id": ""}, id="empty model"),
    pytest.param({"predicted_at": "yesterday"}, id="text for a time"),
    pytest.param({"features": 3}, id="number for features"),
    pytest.param({"features": Hostile()}, id="hostile features"),
    pytest.param({"features": Odd(lambda: [(Hostile(), 1)])}, id="hostile name"),
    pytest.param({"features": Odd(lambda: 3)}, id="mapping without items"),
    pytest.param({"features": Odd(lambda: zip(count(), count(), strict=False))}, id="endless features"),
    pytest.param({"features": dict.fromkeys(map(str, range(2_001)), 0)}, id="too many features"),
    pytest.param({"segment": Odd(lambda: zip(count(), count(), strict=False))}, id="endless segment"),
    pytest.param({"probability": Odd(lambda: zip(count(), count(), strict=False))}, id="endless labels"),
    pytest.param({"segment": {"shop": Hostile()}}, id="hostile segment"),
    pytest.param({"segment": {"shop": Liar()}}, id="object that lies about its class"),
    pytest.param({"latency_ms": Hostile()}, id="hostile number"),
    pytest.param({"latency_ms": RaisesUnspeakable()}, id="error without a name"),
    pytest.param({"model_version": Hostile()}, id="hostile id"),
    pytest.param({"error": HostileError()}, id="hostile error"),
    pytest.param({"features": {"x": "y" * 300_000}}, id="too large"),
    pytest.param({"features": {str(number): "y" * 1_000 for number in range(300)}}, id="too large in sum"),
]


@pytest.mark.parametrize("changes", BAD)
def test_what_cannot_be_sent_is_counted_as_failed_and_never_raises(
    emitter: Emitter, producer: FakeProducer, changes: dict[str, Any]
) -> None:
    emit(emitter, **changes)
    emit(emitter)
    assert emitter.flush(5)
    assert emitter.counts == Counts(offered=2, delivered=1, failed=1)
    assert len(producer.events()) == 1


def test_hostile_features_become_null_or_what_they_hold(emitter: Emitter, producer: FakeProducer) -> None:
    recursive: list[Any] = []
    recursive.append(recursive)
    loop: dict[Any, Any] = {"n": 1}
    loop["loop"] = loop
    features: dict[Any, Any] = {
        "hostile": Hostile(),
        "liar": Liar(),
        "text": HostileText("held"),
        "recursive": recursive,
        "number": IntEnum("Number", "ONE").ONE,  # type: ignore[attr-defined]
        "numpy": np.float64(0.5),
        "numpy int": np.int8(3),
        "numpy bool": np.bool_(True),
        "numpy nan": np.float32("nan"),
        "array": np.zeros(2),
        7: "int key",
        None: "none key",
        (1, 2): "tuple key",
    }
    emit(emitter, features=features, prediction=HostileText("spam"))
    emit(emitter, features=loop)
    assert emitter.flush(5)
    first, second = producer.events()
    nothing = dict.fromkeys(["hostile", "liar", "recursive", "numpy nan", "array"])
    assert first["features"] == nothing | {
        "text": "held",
        "number": 1,
        "numpy": 0.5,
        "numpy int": 3,
        "numpy bool": True,
        "7": "int key",
        "None": "none key",
        "(1, 2)": "tuple key",
    }
    assert first["prediction"] == "spam"
    assert second["features"] == {"n": 1, "loop": None}


def test_an_app_at_its_last_frame_is_not_told_either(emitter: Emitter) -> None:
    """At every depth down to the recursion limit: where emit can be called at all, it raises nothing.

    An error that was raised in a frame of the SDK shows it in its traceback; one raised on the way into the call is
    the app's own.
    """
    emit(emitter)
    raised_inside: list[str] = []
    calls = 0

    def recurse() -> None:
        nonlocal calls
        try:
            emitter.emit_prediction(prediction_id="1", model_id="m", model_version="1", prediction=1)
            calls += 1
        except RecursionError as error:
            trace = error.__traceback__
            while trace is not None:
                raised_inside.append(trace.tb_frame.f_code.co_filename)
                trace = trace.tb_next
        recurse()

    with pytest.raises(RecursionError):
        recurse()
    assert calls > 100
    assert not [file for file in raised_inside if file != __file__]
    assert emitter.flush(5)
    counts = emitter.counts
    assert counts.offered == calls + 1
    assert is_settled(counts)
