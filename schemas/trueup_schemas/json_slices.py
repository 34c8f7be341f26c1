"""Where things lie in JSON bytes: found without recursion, so that no depth and no bad byte can stop it."""

from __future__ import annotations

import re
from collections.abc import Iterator

#: What JSON calls white space.
WHITE_SPACE = b" \t\n\r"

#: A whole string, or one structural character, or a quote that is never closed.
_TOKEN = re.compile(rb'"(?:[^"\\]++|\\.)*+"|["\[\]{},:]', re.DOTALL)
_OPENING = frozenset((b"[", b"{"))
_CLOSING = frozenset((b"]", b"}"))
_UNCLOSED = b'"'


def array_elements(array: bytes) -> list[bytes] | None:
    """The exact bytes of each element of a JSON array, without the white space around it.

    Only brackets, quotes and commas are looked at: an element may itself be broken (not UTF-8, nested without end,
    not JSON), its neighbours are found all the same.

    Args:
        array: bytes whose first character, white space aside, is `[`.

    Returns:
        None where the array as a whole is broken: brackets or quotes that do not close, a comma with nothing before
        or after it, anything behind the last bracket. `[]` for an empty array.
    """
    depth, start = 0, 0
    elements: list[bytes] = []
    for match in _TOKEN.finditer(array):
        token = match[0]
        if token in _OPENING:
            depth += 1
            if depth == 1:
                start = match.end()
        elif token in _CLOSING:
            depth -= 1
            if depth == 0:
                return _closed(array, elements, (start, match.start()))
        elif token == b"," and depth == 1:
            elements.append(array[start : match.start()].strip(WHITE_SPACE))
            start = match.end()
        elif token == _UNCLOSED:
            return None
    return None


def _closed(array: bytes, elements: list[bytes], last: tuple[int, int]) -> list[bytes] | None:
    start, end = last
    if array[end : end + 1] != b"]" or array[end + 1 :].strip(WHITE_SPACE):
        return None
    element = array[start:end].strip(WHITE_SPACE)
    if not element and not elements:
        return []
    elements.append(element)
    return elements if all(elements) else None


def object_names(value: bytes) -> Iterator[bytes]:
    """The names of an object's own fields in their order, repeats included, as they are written between the quotes.

    Args:
        value: valid JSON, an object.
    """
    depth, before = 0, b""
    for match in _TOKEN.finditer(value):
        token = match[0]
        if token in _OPENING:
            depth += 1
        elif token in _CLOSING:
            depth -= 1
        elif token == b":" and depth == 1:
            yield before[1:-1]
        before = token
