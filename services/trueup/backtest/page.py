"""A backtest as one HTML file that needs nothing but itself."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator
from html import escape
from typing import Any

from trueup.backtest.plots import Mark, Point, curve
from trueup_schemas.values import to_rfc3339, to_seconds

Report = dict[str, Any]

_STYLE = """
body { font: 15px/1.5 system-ui, sans-serif; max-width: 60rem; margin: 2rem auto; padding: 0 1rem; color: #222; }
table { border-collapse: collapse; width: 100%; margin: 1rem 0; }
th, td { text-align: left; padding: .3rem .6rem; border-bottom: 1px solid #ddd; vertical-align: top; }
td.number, th.number { text-align: right; font-variant-numeric: tabular-nums; }
svg { width: 100%; height: auto; } summary { cursor: pointer; } pre { overflow-x: auto; font-size: 12px; }
.mean { fill: none; stroke: #1f5fa8; stroke-width: 1.3; } .band { fill: #1f5fa8; opacity: .15; }
.axis { stroke: #999; } .tick { font-size: 10px; fill: #666; }
.page { stroke: #c22; stroke-width: 2; } .ticket, .info { stroke: #d80; stroke-width: 1.5; }
.change { stroke: #222; stroke-dasharray: 4 3; } .informs { stroke: #999; }
.key span { margin-right: 1.2rem; } .false { color: #c22; } .found { color: #272; }
"""
_KEY = """<p class="key"><span>blue: mean error of 24 hours, with its interval</span><span>red: page</span>
<span>orange: ticket</span><span>dashed: known change</span><span>short and grey: informed, called nobody</span></p>"""
_VERDICTS = {"false": "false page", "found": "found the change", "later": "after the change was found"}


def html(report: Report) -> str:
    """The whole page."""
    body = "\n".join(_body(report))
    title = escape(f"Backtest of {report['source']}")
    head = f'<meta charset="utf-8"><title>{title}</title><style>{_STYLE}</style>'
    return f'<!doctype html>\n<html lang="en"><head>{head}</head>\n<body>\n<h1>{title}</h1>\n{body}\n</body></html>\n'


def _body(report: Report) -> Iterator[str]:
    yield f"<p>{escape(report['order'])}</p>"
    unused = {**report["refused"], **report["dead_letters"]}
    if unused:
        said = ", ".join(f"{why}: {count}" for why, count in unused.items())
        yield f"<p>Could not be used: {escape(said)}</p>"
    yield f"<p><b>{report['pages']} pages</b>, {report['false_pages']} of them before any known change.</p>"
    if report["changes"]:
        yield _changes(report["changes"])
    yield _KEY
    for model in report["models"]:
        yield from _model(report, model)


def _model(report: Report, model: Report) -> Iterator[str]:
    yield f"<h2>{escape(model['model_id'])}</h2>"
    versions = dict.fromkeys(point[1] for point in model["curve"])
    for version in versions:
        points = [Point(at, mean, low, high) for at, own, mean, _, low, high in model["curve"] if own == version]
        if len(versions) > 1:
            yield f"<h3>{escape(version)}</h3>"
        yield curve(points, list(_marks(report, model, version)))
    accuracy = f", {model['correct'] / model['joined']:.1%} right" if model["joined"] and model["correct"] else ""
    yield f"<p>{model['predictions']:,} predictions, {model['joined']:,} with their truth{accuracy}.</p>"
    alerts = [alert for alert in report["alerts"] if alert["model_id"] == model["model_id"]]
    yield from map(_alert, alerts)
    if model["informed"]:
        rows = [(name, count) for name, count in model["informed"].items()]
        yield f"<details><summary>Informed, and called nobody</summary>{_table(('what', 'times'), rows)}</details>"


def _marks(report: Report, model: Report, version: str) -> Iterator[Mark]:
    yield from (Mark(at, "informs", f"{to_rfc3339(at)[:16]} {what}") for at, what in model["informed_at"])
    for change in report["changes"]:
        if change["model_id"] == model["model_id"]:
            yield Mark(to_seconds(change["at"]), "change", f"known change, {change['at'][:16]}")
    for alert in report["alerts"]:
        if alert["model_id"] == model["model_id"] and alert["model_version"] in (version, "*"):
            kind = alert["severity"] if alert["severity"] in ("page", "ticket", "info") else "info"
            yield Mark(to_seconds(alert["at"]), kind, f"{alert['at'][:16]} {alert['summary']}")


def _alert(alert: Report) -> str:
    verdict = alert["verdict"]
    judged = "" if verdict is None else f' <span class="{verdict}">{_VERDICTS[verdict]}</span>'
    until = f", resolved {alert['resolved_at'][:16]}" if alert["resolved_at"] else ""
    figures = escape(json.dumps(alert["evidence"], indent=2))
    return (
        f"<details><summary><b>{alert['at'][:16]}</b> {escape(alert['severity'])}: {escape(alert['summary'])}{judged}"
        f"</summary><p>{escape(alert['cause'])}{escape(until)}</p><pre>{figures}</pre></details>"
    )


def _changes(changes: Iterable[Report]) -> str:
    rows = []
    for change in changes:
        when = change["at"][:16] + (" (planted)" if change["planted"] else "")
        found = [change["found_at"][:16], f"{change['delay_hours']:,.0f}", f"{change['delay_labels']:,}"]
        rows.append(
            (when, change["model_id"], *found) if change["found_at"] else (when, change["model_id"], "no", "", "")
        )
    return _table(("change", "model", "found", "hours later", "labels later"), rows)


def _table(names: Iterable[str], rows: Iterable[Iterable[object]]) -> str:
    head = "".join(f"<th>{escape(name)}</th>" for name in names)
    body = "".join("<tr>" + "".join(f"<td>{escape(str(cell))}</td>" for cell in row) + "</tr>" for row in rows)
    return f"<table><tr>{head}</tr>{body}</table>"
