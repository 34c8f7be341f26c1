"""A backtest as a person reads it in a terminal."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from rich.console import Group, RenderableType
from rich.markup import escape
from rich.table import Table

from trueup.console.printable import printable

Report = dict[str, Any]

_VERDICTS = {"false": "false", "found": "found a change", "later": "after one found", None: ""}


def shown(report: Report) -> RenderableType:
    """What fired, what was found, each model in a line."""
    return Group(*_parts(report))


def _parts(report: Report) -> Iterator[RenderableType]:
    yield f"{_text(report['source'])}: {report['order']}"
    if report["refused"] or report["dead_letters"]:
        counts = {**report["refused"], **report["dead_letters"]}
        yield "could not be used: " + ", ".join(f"{_text(why)} {count}" for why, count in counts.items())
    yield _models(report)
    yield _alerts(report) if report["alerts"] else "Nothing would have fired."
    if report["changes"]:
        yield _changes(report)
    yield f"{report['pages']} pages, {report['false_pages']} of them before any known change"


def _models(report: Report) -> Table:
    table = Table("model", "predictions", "joined", "accuracy", "pages", "false", "informed", title="Models")
    for model in report["models"]:
        accuracy = f"{model['correct'] / model['joined']:.1%}" if model["joined"] and model["correct"] else "-"
        figures = (model["predictions"], model["joined"], accuracy, model["pages"], model["false_pages"])
        table.add_row(_text(model["model_id"]), *map(str, figures), str(sum(model["informed"].values())))
    return table


def _alerts(report: Report) -> Table:
    table = Table("at", "severity", "what", "verdict", title="What would have fired")
    for alert in report["alerts"]:
        what = f"{_text(alert['summary'])}\n{_text(alert['cause'])}"
        table.add_row(minute(alert["at"]), _text(alert["severity"]), what, _VERDICTS[alert["verdict"]])
    return table


def _changes(report: Report) -> Table:
    table = Table("change", "model", "found", "hours", "labels", title="Known changes")
    for change in report["changes"]:
        when = minute(change["at"]) + (" (planted)" if change["planted"] else "")
        if change["found_at"] is None:
            table.add_row(when, _text(change["model_id"]), "no", "", "")
        else:
            figures = (f"{change['delay_hours']:,.0f}", f"{change['delay_labels']:,}")
            table.add_row(when, _text(change["model_id"]), minute(change["found_at"]), *figures)
    return table


def minute(moment: str) -> str:
    """`2013-03-03 16:51` of an RFC 3339 text in UTC."""
    return moment[:16].replace("T", " ")


def _text(words: object) -> str:
    return escape(printable(str(words)))
