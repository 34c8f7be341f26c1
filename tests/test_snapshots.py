"""What is read back from a snapshot cannot execute code, and an unknown version is refused in a sentence."""

from __future__ import annotations

import pickle
import random
from collections.abc import Callable
from contextlib import suppress
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from river.drift import ADWIN, PageHinkley
from river.stats import Mean

from trueup.errors import UnknownSnapshot
from trueup.monitor.detectors import ON_LOSSES, ON_MISTAKES, ON_SCORES
from trueup.monitor.stream_watch import pack_detector, unpack_detector
from trueup.snapshots import pack, pack_river, unpack, unpack_river

TABLE = [
    pytest.param(make, id=f"{table}: {name}")
    for table, detectors in (("losses", ON_LOSSES), ("mistakes", ON_MISTAKES), ("scores", ON_SCORES))
    for name, make in detectors.items()
]
plain = st.recursive(
    st.none() | st.booleans() | st.integers(-(2**63), 2**64 - 1) | st.floats(allow_nan=False) | st.text() | st.binary(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text() | st.integers(0, 9), inner, max_size=3),
    max_leaves=8,
)


@given(plain)
def test_plain_data_comes_back_as_it_was(data: Any) -> None:
    assert unpack(pack(1, data), known=[1], what="it") == (1, data)


@pytest.mark.parametrize(
    ("raw", "sentence"),
    [
        pytest.param(
            pack(2, {}), r"state of model x has version 2, this code reads \[1\]: run the version", id="later"
        ),
        pytest.param(b"", "state of model x cannot be read", id="nothing"),
        pytest.param(b"\xc1", "state of model x cannot be read", id="no msgpack"),
        pytest.param(pack(1, {})[:-1], "state of model x cannot be read", id="cut off"),
        pytest.param(b"\x01", "state of model x cannot be read", id="no version"),
        pytest.param(pickle.dumps([1, {}]), "state of model x cannot be read", id="a pickle"),
    ],
)
def test_what_cannot_be_read_is_refused_in_a_sentence_that_says_what_to_do(raw: bytes, sentence: str) -> None:
    with pytest.raises(UnknownSnapshot, match=sentence):
        unpack(raw, known=[1], what="model x")


def values(seed: int, n: int) -> list[float]:
    rng = random.Random(seed)
    return [float(rng.random() < (0.1 if i < n // 2 else 0.6)) for i in range(n)]


@pytest.mark.parametrize("make", TABLE)
def test_a_detector_that_was_saved_at_any_moment_continues_identically(make: Callable[[], Any]) -> None:
    detector = make()
    for i, value in enumerate(values(3, 1_200)):
        detector.update(value)
        if i % 150 == 0:
            restored = unpack_detector(pack_detector(detector), type(detector))
            for later in values(i, 400):
                restored.update(later)
            again = unpack_detector(pack_detector(detector), type(detector))
            fired = []
            for later in values(i, 400):
                again.update(later)
                fired.append(again.drift_detected)
            assert pack_detector(again) == pack_detector(restored)
    whole, parts = make(), make()
    for value in values(4, 1_200):
        whole.update(value)
        parts = unpack_detector(pack_detector(parts), type(parts))
        parts.update(value)
        assert parts.drift_detected == whole.drift_detected
    assert pack_detector(parts) == pack_detector(whole)


class Reduced:
    """Pickles as the call of any function with any arguments."""

    def __init__(self, function: Any, *arguments: Any) -> None:
        self._call = (function, arguments)

    def __reduce__(self) -> Any:
        return self._call


def called(function: Any, *arguments: Any) -> bytes:
    return pickle.dumps(Reduced(function, *arguments))


def one_line(module: str, name: str, argument: str) -> bytes:
    """Protocol 0, in which any global can be named without being imported here."""
    return f"c{module}\n{name}\n(S'{argument}'\ntR.".encode()


def chain(*names: str) -> bytes:
    """getattr(getattr(PageHinkley(), first), second) and so on."""
    start: Any = Reduced(PageHinkley)
    for name in names:
        start = Reduced(getattr, start, name)
    return pickle.dumps(start)


HOSTILE = [
    pytest.param(one_line("os", "system", "touch hacked"), r"posix|os\.system", id="os.system"),
    pytest.param(one_line("posix", "system", "touch hacked"), r"posix\.system", id="posix.system"),
    pytest.param(one_line("builtins", "eval", "1"), r"builtins\.eval", id="eval"),
    pytest.param(one_line("builtins", "__import__", "os"), "__import__", id="import"),
    pytest.param(one_line("subprocess", "Popen", "true"), r"subprocess\.Popen", id="Popen"),
    pytest.param(one_line("river.drift", "ADWIN", "x"), r"river\.drift\.ADWIN", id="another name of an allowed class"),
    pytest.param(called(setattr, Mean, "get", 1), "setattr", id="setattr"),
    pytest.param(called(getattr, PageHinkley, "__init__"), "closed list", id="a method of a class"),
    pytest.param(called(getattr, ADWIN, "__reduce__"), "closed list", id="a method of another class"),
    pytest.param(chain("__init__", "__globals__"), "closed list", id="the globals of a method"),
    pytest.param(chain("__class__"), "closed list", id="the class of a detector"),
    pytest.param(chain("_test_both", "__globals__"), "closed list", id="the globals of an allowed method"),
    pytest.param(chain("_test_both", "__func__"), "closed list", id="the function of an allowed method"),
    pytest.param(called(getattr, "", "format"), "closed list", id="a method of a text"),
    pytest.param(b"cpickle\nloads\n.", r"pickle\.loads", id="another unpickler"),
    pytest.param(b"ctrueup.snapshots\nunpack_river\n.", r"trueup\.snapshots", id="our own functions"),
    pytest.param(b"\x80\x04\x8c\x0briver.drift\x8c\x0eADWIN.__init__\x93.", "closed list", id="a dotted name"),
    pytest.param(pickle.dumps(5), "a int is saved where a PageHinkley should be", id="a number"),
    pytest.param(pickle.dumps(ON_LOSSES["adwin"]()), "a ADWIN is saved where a PageHinkley", id="another detector"),
    pytest.param(pickle.dumps(PageHinkley), "a type is saved where", id="the class itself"),
    pytest.param(b"", "cannot be read", id="nothing"),
    pytest.param(b"\x80\x04.", "cannot be read", id="an empty stack"),
]


@pytest.mark.parametrize(("raw", "sentence"), HOSTILE)
def test_a_hostile_pickle_is_refused_and_does_nothing(
    raw: bytes, sentence: str, tmp_path: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UnknownSnapshot, match=sentence):
        unpack_river(raw, PageHinkley)

    assert list(tmp_path.iterdir()) == []


@given(st.data())
@settings(max_examples=300, deadline=None)
def test_damaged_bytes_give_a_detector_or_are_refused(data: st.DataObject) -> None:
    detector = ON_LOSSES["page_hinkley"]()
    for value in values(1, 50):
        detector.update(value)
    raw = bytearray(pack_river(detector))
    for _ in range(data.draw(st.integers(1, 4))):
        raw[data.draw(st.integers(0, len(raw) - 1))] = data.draw(st.integers(0, 255))
    with suppress(UnknownSnapshot):
        assert type(unpack_river(bytes(raw), PageHinkley)) is PageHinkley


def test_a_state_on_which_rust_panics_is_refused_like_any_other(capfd: pytest.CaptureFixture[str]) -> None:
    # River's ADWIN is written in Rust and trusts its state: what is cut off there raises what is no Exception.
    helper = ON_LOSSES["adwin"]()._helper
    reduced: Any = helper.__reduce_ex__(4)

    class Damaged:
        def __reduce__(self) -> Any:
            return type(helper), reduced[1][1:], reduced[2][:5]

    with pytest.raises(UnknownSnapshot, match="a saved ADWIN cannot be read"):
        unpack_river(pickle.dumps(Damaged()), ADWIN)
    assert "panicked" in capfd.readouterr().err
