"""Whatever a stranger wrote is one line without a control character."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from trueup.console.printable import printable, tab_separated


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        pytest.param("price/eu [v2] 80 %", "price/eu [v2] 80 %", id="nothing to do"),
        pytest.param("prix-été-価格", "prix-été-価格", id="letters of any language"),
        pytest.param("\x1b]0;pwned\x07", r"\x1b]0;pwned\x07", id="an escape sequence"),
        pytest.param("a\tb\r\nc", r"a\tb\r\nc", id="tab and line end"),
        pytest.param("a\u2028b", r"a\u2028b", id="line separator"),
        pytest.param("\u202egpj", r"\u202egpj", id="from right to left"),
        pytest.param("\x9b2J", r"\x9b2J", id="an escape in one character"),
        pytest.param("\ud83d", r"\ud83d", id="half a surrogate pair"),
    ],
)
def test_control_characters_are_shown_and_all_else_is_left_alone(text: str, shown: str) -> None:
    assert printable(text) == shown


@given(st.lists(st.text(st.characters())))
def test_fields_are_as_many_as_they_were_and_can_be_sent_to_a_terminal(values: list[str]) -> None:
    line = tab_separated(*values)
    assert line.split("\t") == [printable(value) for value in values] or not values
    assert line.replace("\t", "").isprintable()
    line.encode()
