"""The demo's screen, with ids that want to break it: whoever else writes to its Kafka is on it too."""

from __future__ import annotations

import io
from datetime import date

import pytest
from rich.console import Console

from console.showing import VISIBLE, status
from flights.screen import Lines, Page


@pytest.mark.parametrize("kind", [Lines, Page])
def test_no_id_breaks_the_screen_or_reaches_the_terminal_raw(kind: type[Lines] | type[Page]) -> None:
    file = io.StringIO()
    screen = kind(Console(file=file, width=400, color_system=None, force_terminal=kind is Page))
    screen.say(status()["models"][0]["model_id"])
    screen.show(date(2013, 3, 2), status())
    screen.over(status())
    screen.close()
    shown = file.getvalue()
    assert shown.count(VISIBLE) >= 4, shown
    assert "\x1b[2J" not in shown
    assert "\u202e" not in shown
