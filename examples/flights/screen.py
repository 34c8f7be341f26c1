"""What the demo shows: a live page in a terminal, plain lines where its output is piped."""

from collections.abc import Mapping
from datetime import date
from typing import Any, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.progress_bar import ProgressBar
from rich.table import Table
from rich.text import Text

from trueup.console.printable import printable
from trueup.console.terminal import models_table

FIRST, LAST = date(2013, 2, 1), date(2014, 1, 1)
STORY_LINES = 14


class Screen(Protocol):
    """Where the story goes."""

    def say(self, line: str) -> None:
        """One line about what is being done."""

    def show(self, day: date, status: Mapping[str, Any]) -> None:
        """A day is over."""

    def over(self, status: Mapping[str, Any]) -> None:
        """The year is over."""

    def close(self) -> None:
        """Leave the terminal as it was."""


def open_screen() -> Screen:
    """A page for a terminal, lines for a pipe."""
    console = Console()
    return Page(console) if console.is_terminal else Lines(console)


class Story:
    """Tells each alert and trigger once for each state that it takes."""

    def __init__(self) -> None:
        self._told: set[tuple[str, str]] = set()

    def new(self, status: Mapping[str, Any]) -> list[tuple[str, str, str]]:
        """(when, style, sentence) of everything that was not told yet, in the order of time."""
        found = []
        for alert in status["alerts"]:
            if self._first(alert["alert_id"], "firing"):
                found.append((alert["started_at"], 0, "bold red", f"{alert['severity']}: {alert['summary']}"))
            if alert["status"] == "resolved" and self._first(alert["alert_id"], "resolved"):
                because = alert["evidence"]["resolved_because"]
                found.append((alert["resolved_at"], 2, "green", f"resolved ({because}): {_who(alert)}"))
        for trigger in status["triggers"]:
            if self._first(trigger["trigger_id"], trigger["status"]):
                result = f" as {trigger['result_version']}" if trigger["result_version"] else ""
                labelled = (trigger["dataset"] or {}).get("labelled", 0)
                what = f"{trigger['action']} {_who(trigger)} on {labelled:,} labels: {trigger['status']}{result}"
                found.append((trigger["requested_at"], 1, "bold cyan", what))
        return [(when, style, printable(sentence)) for when, _, style, sentence in sorted(found)]

    def _first(self, subject: str, state: str) -> bool:
        if (subject, state) in self._told:
            return False
        self._told.add((subject, state))
        return True


def _who(subject: Mapping[str, Any]) -> str:
    return f"{subject['model_id']} {subject['model_version']}"


class Lines:
    """Plain lines: the story as it happens, and the figures at the end of each month."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._story = Story()
        self._month = FIRST.month

    def say(self, line: str) -> None:
        self._console.print(Text(printable(line)), soft_wrap=True)

    def show(self, day: date, status: Mapping[str, Any]) -> None:
        for when, _, sentence in self._story.new(status):
            self.say(f"{when[:16].replace('T', ' ')}  {sentence}")
        if day.month != self._month:
            self._month = day.month
            for model in status["models"]:
                self.say(f"{day}  {_figures(model)}")

    def over(self, status: Mapping[str, Any]) -> None:
        self.say("The year is over.")
        for model in status["models"]:
            for version in model["versions"]:
                self.say(f"  {model['model_id']} {version['model_version']}: {_version_figures(version)}")

    def close(self) -> None:
        return


class Page:
    """The year passing: where it stands, the models, the story so far."""

    def __init__(self, console: Console) -> None:
        self._console = console
        self._story = Story()
        self._lines: list[Text] = []
        self._live = Live(console=console, auto_refresh=False)
        self._live.start()

    def say(self, line: str) -> None:
        self._live.console.print(Text(printable(line)), style="dim", soft_wrap=True)

    def show(self, day: date, status: Mapping[str, Any]) -> None:
        for when, style, sentence in self._story.new(status):
            self._lines.append(Text(f"{when[:10]}  {sentence}", style=style))
        self._live.update(self._page(day, status), refresh=True)

    def over(self, status: Mapping[str, Any]) -> None:
        self._live.update(self._page(LAST, status), refresh=True)

    def close(self) -> None:
        self._live.stop()

    def _page(self, day: date, status: Mapping[str, Any]) -> Group:
        passed = (day - FIRST).days
        where = Table.grid(padding=(0, 1))
        where.add_row(
            Text(f"{day:%A, %d %B %Y}", style="bold"),
            ProgressBar(total=(LAST - FIRST).days, completed=passed, width=40),
        )
        story = Group(*self._lines[-STORY_LINES:]) if self._lines else Text("nothing to report yet", style="dim")
        return Group(
            where,
            models_table(status["models"]),
            Panel(story, title="alerts and triggers", title_align="left", border_style="dim"),
        )


def _figures(model: Mapping[str, Any]) -> str:
    latest = model["versions"][-1]
    return f"{model['model_id']} {latest['model_version']}: {_version_figures(latest)}"


def _version_figures(version: Mapping[str, Any]) -> str:
    accuracy = version["rolling_accuracy"]["accuracy"]
    rolling = "-" if accuracy is None else f"{accuracy:.3f}"
    error = "-" if version["mean_error"] is None else f"{version['mean_error']:.2f}"
    coverage = "-" if version["label_coverage"] is None else f"{version['label_coverage']:.1%}"
    return (
        f"{version['predictions']:,} predictions, {version['joined']:,} with their truth ({coverage}), "
        f"accuracy {rolling}, mean error {error}"
    )
