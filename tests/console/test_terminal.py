"""The page and the lines of `trueup status`, with ids that want to break them."""

from __future__ import annotations

from console.showing import VISIBLE, drawn, status
from trueup.console.terminal import models_table, plain_lines, status_page


def test_no_id_breaks_the_page_or_reaches_the_terminal_raw() -> None:
    page = drawn(status_page(status()))
    # Whole in the alert and the trigger; in the table of models it is cut, so that it leaves the figures their room.
    assert page.count(VISIBLE) == 5, page
    assert page.count(VISIBLE[:30]) == 6, page
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


def test_a_long_id_leaves_every_figure_in_sight() -> None:
    for narrow in (False, True):
        (row,) = [line for line in drawn(status_page(status("m" * 256), narrow=narrow)).splitlines() if "0.500" in line]
        assert "67.0%" in row
        assert "0.500 ± 0.400" in row
        assert "25%" in row


def test_a_narrow_page_fits_eighty_columns() -> None:
    page = drawn(models_table(status("m" * 256)["models"], narrow=True))
    assert max(len(line.rstrip()) for line in page.splitlines()) <= 80
