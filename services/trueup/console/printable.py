"""Text from outside, made fit to be shown: ids and details come from whoever may write to a topic."""

from __future__ import annotations


def printable(value: object) -> str:
    r"""The value as text on one line, in which every control character is visible.

    What Python calls not printable is shown as its escape: escape sequences of terminals, tabs, line ends, marks that
    turn the direction of writing, halves of surrogate pairs. A backslash stays what it is: this is for eyes alone.

    >>> printable("tidy\x1b[2J\n")
    'tidy\\x1b[2J\\n'
    >>> printable("preis/münchen [v2]")
    'preis/münchen [v2]'
    """
    text = str(value)
    if text.isprintable():
        return text
    return "".join(mark if mark.isprintable() else mark.encode("unicode_escape").decode() for mark in text)


def tab_separated(*values: object) -> str:
    """The values as one line of fields with a tab between them, and none within."""
    return "\t".join(map(printable, values))
