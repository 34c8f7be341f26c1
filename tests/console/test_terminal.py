"""The page and the lines of `trueup status`, with ids that want to break them."""

from __future__ import annotations

from console.showing import VISIBLE, drawn, status
from trueup.console.terminal import plain_lines, status_page


def test_no_id_breaks_the_page_or_reaches_the_terminal_raw() -> None:
    page = drawn(status_page(status()))
    assert page.count(VISIBLE) == 7, page
    assert "\x1b[2J" not in page
    assert "\u202e" not in page


def test_no_id_breaks_a_plain_line() -> None:
    lines = plain_lines(status())
    assert [line.split("\t")[0] for line in lines] == ["model", "alert", "trigger", "lag", "dead_letters"]
    assert [line.count("\t") for line in lines] == [7, 4, 4, 1, 1]
    assert all(VISIBLE in line and line.replace("\t", "").isprintable() for line in lines[:3])


def test_a_status_that_is_not_known_yet_is_passed_through() -> None:
    shown = status("m", alert_status="snoozed", trigger_status="postponed")
    assert "page" in drawn(status_page(shown))
    assert "postponed" in drawn(status_page(shown))
    assert "alert\tsnoozed" in plain_lines(shown)[1]
