"""Elements are found by their brackets alone, whatever stands between them."""

from __future__ import annotations

import json

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from trueup_schemas.json_slices import array_elements, object_names

json_values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(), inner, max_size=4),
    max_leaves=12,
)


@pytest.mark.parametrize(
    ("array", "elements"),
    [
        pytest.param(b"[]", [], id="empty"),
        pytest.param(b" [ ]\n", [], id="white space"),
        pytest.param(b"[1]", [b"1"], id="one"),
        pytest.param(b'[ {"a": [1, 2]} ,\n"x,]" ]', [b'{"a": [1, 2]}', b'"x,]"'], id="brackets and commas inside"),
        pytest.param(rb'["\\", "\"]", 1]', [rb'"\\"', rb'"\"]"', b"1"], id="escaped quotes"),
        pytest.param(b'[{"a":"\xff"}, 2]', [b'{"a":"\xff"}', b"2"], id="not UTF-8"),
        pytest.param(b"[" + b"[" * 9_999 + b"]" * 9_999 + b",7]", [b"[" * 9_999 + b"]" * 9_999, b"7"], id="deep"),
        pytest.param(b"[nonsense, {]}, 1]", None, id="brackets that cross close the array too early"),
        pytest.param(b"[1,]", None, id="comma at the end"),
        pytest.param(b"[,1]", None, id="comma at the beginning"),
        pytest.param(b"[1,,2]", None, id="two commas"),
        pytest.param(b"[1] 2", None, id="something behind"),
        pytest.param(b"[1", None, id="not closed"),
        pytest.param(b'["a, 1]', None, id="quote not closed"),
        pytest.param(b"[1}", None, id="closed by the wrong bracket"),
        pytest.param(b"[", None, id="opened only"),
    ],
)
def test_an_array_is_cut_where_its_own_commas_are(array: bytes, elements: list[bytes] | None) -> None:
    assert array_elements(array) == elements


@settings(deadline=None)
@given(st.lists(json_values), st.booleans(), st.sampled_from([None, 1]))
def test_any_array_is_cut_into_its_elements(values: list[object], ascii_only: bool, indent: int | None) -> None:
    array = json.dumps(values, ensure_ascii=ascii_only, indent=indent).encode("utf-8", "surrogatepass")
    elements = array_elements(array)
    assert elements is not None
    assert [repr(json.loads(element.decode("utf-8", "surrogatepass"))) for element in elements] == [
        repr(value) for value in values
    ]


@settings(deadline=None)
@given(st.dictionaries(st.text(st.characters(codec="utf-8")), json_values))
def test_the_names_of_an_object_are_those_of_its_own_fields(value: dict[str, object]) -> None:
    names = object_names(json.dumps(value).encode())
    assert [json.loads(b'"' + name + b'"') for name in names] == list(value)


@pytest.mark.timeout(20)
@pytest.mark.parametrize(
    "hostile",
    [
        pytest.param(b'["' + rb"\"" * 500_000, id="quotes that never close"),
        pytest.param(b"[" * 1_000_000, id="brackets that never close"),
        pytest.param(b"[" + b'"",' * 300_000, id="commas without end"),
    ],
)
def test_a_hostile_megabyte_takes_time_in_proportion(hostile: bytes) -> None:
    assert array_elements(hostile) is None
