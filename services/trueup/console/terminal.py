"""The status as a person reads it in a terminal: tables, sparklines, and the open alerts on top."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from typing import Any

from rich.console import Group, RenderableType
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

BARS = "▁▂▃▄▅▆▇█"
STATUS_STYLE = {"firing": "bold red", "acknowledged": "yellow", "resolved": "green"}
DAYS_DRAWN = 30


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


def status_page(status: Mapping[str, Any]) -> RenderableType:
    """The whole page."""
    parts: list[RenderableType] = []
    alerts = [alert for alert in status["alerts"] if alert["status"] != "resolved"]
    if alerts:
        parts.append(_alerts(alerts))
    parts.append(models_table(status["models"]) if status["models"] else Text("No model was seen yet.", style="dim"))
    if status["triggers"]:
        parts.append(_triggers(status["triggers"][-10:]))
    parts.append(_footer(status))
    return Group(*parts)


def models_table(models: Iterable[Mapping[str, Any]]) -> Table:
    """One row for each version of each model, the latest last."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("model", "version"):
        table.add_column(name, no_wrap=True)
    for name in ("predictions", "joined", "coverage", "accuracy", "± 95 %", "mean error"):
        table.add_column(name, justify="right", no_wrap=True)
    table.add_column("error by day of prediction", no_wrap=True)
    table.add_column("detector", no_wrap=True)
    for model in models:
        for version in model["versions"][-4:]:
            table.add_row(*_version_row(model, version))
    return table


def _version_row(model: Mapping[str, Any], version: Mapping[str, Any]) -> list[RenderableType]:
    rolling = version["rolling_accuracy"]
    accuracy, interval = "-", ""
    if rolling["accuracy"] is not None:
        accuracy = f"{rolling['accuracy']:.3f}"
        interval = f"{(rolling['high'] - rolling['low']) / 2:.3f}"
    days = [day["mean_error"] for day in version["days"][-DAYS_DRAWN:]]
    detector = version["detector"]
    watching = f"evidence {detector['evidence']:.0%}" if detector["state"] == "watching" else _learning(detector)
    role = f" ({version['role']})" if version["role"] else ""
    return [
        model["model_id"],
        version["model_version"] + role,
        f"{version['predictions']:,}",
        f"{version['joined']:,}",
        "-" if version["label_coverage"] is None else f"{version['label_coverage']:.1%}",
        accuracy,
        interval,
        "-" if version["mean_error"] is None else f"{version['mean_error']:.3g}",
        sparkline(days),
        watching,
    ]


def _learning(detector: Mapping[str, Any]) -> str:
    if detector["labels_needed"]:
        return f"learning, {detector['labels_needed']:,} labels to go"
    return f"learning, {detector['days_needed']:.0f} days to go"


def _alerts(alerts: Iterable[Mapping[str, Any]]) -> Panel:
    lines = Text()
    for alert in alerts:
        lines.append(f"{alert['severity']:<7}", style=STATUS_STYLE[alert["status"]])
        lines.append(f"{alert['summary']}\n", style="bold")
        lines.append(f"       {alert['cause']}\n", style="dim")
    lines.rstrip()
    return Panel(lines, title="alerts", title_align="left", border_style="red")


def _triggers(triggers: Iterable[Mapping[str, Any]]) -> Table:
    table = Table(box=None, pad_edge=False, header_style="bold")
    for name in ("trigger", "model", "requested", "status", "result"):
        table.add_column(name, no_wrap=True)
    for trigger in triggers:
        table.add_row(
            trigger["action"],
            f"{trigger['model_id']} {trigger['model_version']}",
            trigger["requested_at"][:16].replace("T", " "),
            trigger["status"],
            trigger["result_version"] or trigger["detail"] or "",
        )
    return table


def _footer(status: Mapping[str, Any]) -> Text:
    lag = sum(status["lag"].values())
    letters = ", ".join(f"{count:,} {reason}" for reason, count in status["dead_letters"].items()) or "none"
    return Text(f"lag {lag:,} records · dead letters: {letters}", style="dim")


def plain_lines(status: Mapping[str, Any]) -> list[str]:
    """The status for a pipe: a line for each version, alert and trigger, tab-separated."""
    lines = []
    for model in status["models"]:
        for version in model["versions"]:
            rolling = version["rolling_accuracy"]
            figures = (version["predictions"], version["joined"], version["correct"], version["pending"])
            parts = ["model", model["model_id"], version["model_version"], *map(str, figures), str(rolling["accuracy"])]
            lines.append("\t".join(parts))
    lines += [
        "\t".join(("alert", alert["status"], alert["severity"], alert["started_at"], alert["summary"]))
        for alert in status["alerts"]
    ]
    lines += [
        "\t".join(("trigger", state["status"], state["action"], state["model_id"], state["requested_at"]))
        for state in status["triggers"]
    ]
    lines.append(f"lag\t{sum(status['lag'].values())}")
    lines.append(f"dead_letters\t{sum(status['dead_letters'].values())}")
    return lines
