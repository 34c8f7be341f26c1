"""The status as a person reads it in a terminal: tables, sparklines, and the open alerts on top.

Every text here is a `Text` of what `printable` made of it: rich reads a plain string as markup.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Literal

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from trueup.console.printable import printable, tab_separated

BARS = "▁▂▃▄▅▆▇█"
STATUS_STYLE = {"firing": "bold red", "acknowledged": "yellow", "resolved": "green"}
DAYS_DRAWN = 24
#: A terminal of fewer columns is narrow.
NARROW = 120
#: Versions of a model on the page: the one that serves, and the one before it.
VERSIONS_SHOWN = 2


def sparkline(values: Sequence[float | None]) -> str:
    """Values as bars between their least and greatest; a gap where there is none.

    >>> sparkline([0.0, 0.5, None, 1.0])
    '▁▅ █'
    """
    known = [value for value in values if value is not None]
    if not known:
        return ""
    least, span = min(known), max(known) - min(known)
    steps = len(BARS) - 1
    return "".join(
        " " if value is None else BARS[round((value - least) / span * steps) if span else steps // 2]
        for value in values
    )


def status_page(status: Mapping[str, Any], *, narrow: bool = False) -> RenderableType:
    """The whole page."""
    parts: list[RenderableType] = []
    alerts = [alert for alert in status["alerts"] if alert["status"] != "resolved"]
    if alerts:
        parts.append(_alerts(alerts))
    parts.append(
        models_table(status["models"], narrow=narrow)
        if status["models"]
        else Text("No model was seen yet.", style="dim")
    )
    if status["triggers"]:
        parts.append(_triggers(status["triggers"][-10:]))
    parts.append(_footer(status))
    return Group(*parts)


def models_table(models: Iterable[Mapping[str, Any]], *, narrow: bool = False) -> Table:
    """One row for each version that serves, and for the one before it; `narrow` leaves out what 80 columns lack."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name, justify, least, most in _columns(narrow):
        table.add_column(name, justify=justify, no_wrap=True, min_width=least, max_width=most, overflow="ellipsis")
    for model in models:
        for version in model["versions"][-VERSIONS_SHOWN:]:
            row = _version_row(model, version, narrow=narrow)
            table.add_row(*row, style="dim" if version["role"] == "retired" else "")
    return table


def _columns(narrow: bool) -> list[tuple[str, Literal["left", "right"], int, int]]:
    """Name, side, least and most width; an id may be long, and must not push the figures out of sight."""
    columns: list[tuple[str, Literal["left", "right"], int, int]] = [("model", "left", 12, 20 if narrow else 36)]
    columns += [("predictions", "right", 11, 14), ("truth", "right", 6, 6), ("accuracy ± 95 %", "right", 15, 15)]
    columns.append(("mean error", "right", 10, 10))
    if not narrow:
        columns.append(("error, day by day", "left", DAYS_DRAWN, DAYS_DRAWN))
    return [*columns, ("detector", "left", 9 if narrow else 22, 9 if narrow else 24)]


def _version_row(model: Mapping[str, Any], version: Mapping[str, Any], *, narrow: bool) -> list[RenderableType]:
    rolling, coverage, error = version["rolling_accuracy"], version["label_coverage"], version["mean_error"]
    accuracy = "-"
    if rolling["accuracy"] is not None:
        accuracy = f"{rolling['accuracy']:.3f} ± {(rolling['high'] - rolling['low']) / 2:.3f}"
    days = [] if narrow else [sparkline([day["mean_error"] for day in version["days"][-DAYS_DRAWN:]])]
    return _cells(
        " ".join(filter(None, (model["model_id"], version["model_version"], version["role"]))),
        f"{version['predictions']:,}",
        "-" if coverage is None else f"{coverage:.1%}",
        accuracy,
        "-" if error is None else f"{error:.3g}",
        *days,
        _detector(version["detector"], narrow=narrow),
    )


def _cells(*texts: str) -> list[RenderableType]:
    return [Text(printable(text)) for text in texts]


def _detector(detector: Mapping[str, Any], *, narrow: bool) -> str:
    if detector["state"] == "off":
        return "off"
    if narrow:
        return f"{detector['evidence']:.0%} page" if detector["state"] == "watching" else "learning"
    if detector["state"] == "watching":
        return f"watching, {detector['evidence']:.0%} of a page"
    if detector["labels_needed"]:
        return f"learning, {detector['labels_needed']:,} to go"
    return f"learning, {detector['days_needed']:.0f} days to go"


def _alerts(alerts: Iterable[Mapping[str, Any]]) -> Panel:
    lines = Text()
    for alert in alerts:
        lines.append(f"{printable(alert['severity']):<7}", style=STATUS_STYLE.get(alert["status"], ""))
        lines.append(f"{printable(alert['summary'])}\n", style="bold")
        lines.append(f"       {printable(alert['cause'])}\n", style="dim")
    lines.rstrip()
    return Panel(lines, title="alerts", title_align="left", border_style="red")


def _triggers(triggers: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("trigger", "model", "requested", "status", "result"):
        table.add_column(name, no_wrap=True)
    for trigger in triggers:
        table.add_row(
            *_cells(
                trigger["action"],
                f"{trigger['model_id']} {trigger['model_version']}",
                trigger["requested_at"][:16].replace("T", " "),
                trigger["status"],
                trigger["result_version"] or trigger["detail"] or "",
            )
        )
    return table


def _footer(status: Mapping[str, Any]) -> Text:
    lag = sum(status["lag"].values())
    letters = ", ".join(f"{count:,} {reason}" for reason, count in status["dead_letters"].items()) or "none"
    return Text(printable(f"lag {lag:,} records · dead letters: {letters}"), style="dim")


def plain_lines(status: Mapping[str, Any]) -> list[str]:
    """The status for a pipe: a line for each version, alert and trigger, tab-separated."""
    lines = []
    for model in status["models"]:
        for version in model["versions"]:
            rolling = version["rolling_accuracy"]
            figures = (version["predictions"], version["joined"], version["correct"], version["pending"])
            named = (model["model_id"], version["model_version"])
            lines.append(tab_separated("model", *named, *figures, rolling["accuracy"]))
    lines += [
        tab_separated("alert", alert["status"], alert["severity"], alert["started_at"], alert["summary"])
        for alert in status["alerts"]
    ]
    lines += [
        tab_separated("trigger", state["status"], state["action"], state["model_id"], state["requested_at"])
        for state in status["triggers"]
    ]
    lines.append(f"lag\t{sum(status['lag'].values())}")
    lines.append(f"dead_letters\t{sum(status['dead_letters'].values())}")
    return lines
