"""A status as `read_status` gives it, with whatever ids a test likes."""

from __future__ import annotations

from typing import Any

from rich.console import Console, RenderableType

#: What rich takes for markup or an emoji, what moves a terminal's cursor, and what breaks a line of fields.
HOSTILE = "a[/b] :boom: \x1b[2J\t\n\u202e\ud800"
#: How it is shown.
VISIBLE = r"a[/b] :boom: \x1b[2J\t\n\u202e\ud800"


def status(name: str = HOSTILE, *, alert_status: str = "firing", trigger_status: str = "requested") -> dict[str, Any]:
    """One model, one alert, one trigger, with `name` wherever somebody else chose the text."""
    version = {
        "model_version": name,
        "role": "champion",
        "predictions": 3,
        "joined": 2,
        "correct": 1,
        "pending": 1,
        "rolling_accuracy": {"accuracy": 0.5, "low": 0.1, "high": 0.9},
        "label_coverage": 0.67,
        "mean_error": 0.5,
        "days": [{"mean_error": 0.5}],
        "detector": {"state": "watching", "evidence": 0.25},
    }
    subject = {"model_id": name, "model_version": name}
    alert = {
        **subject,
        "alert_id": "alert",
        "status": alert_status,
        "severity": "page",
        "summary": name,
        "cause": name,
        "started_at": "2013-03-02T00:00:00Z",
    }
    trigger = {
        **subject,
        "trigger_id": "trigger",
        "action": "retrain",
        "status": trigger_status,
        "requested_at": "2013-03-02T00:00:00Z",
        "result_version": None,
        "detail": name,
        "dataset": None,
    }
    return {
        "models": [{"model_id": name, "versions": [version]}],
        "alerts": [alert],
        "triggers": [trigger],
        "dead_letters": {"not_json": 1},
        "lag": {"predictions": 0},
    }


def drawn(page: RenderableType) -> str:
    """What a wide terminal would be sent, without its colours."""
    console = Console(width=400, color_system=None, force_terminal=True)
    with console.capture() as capture:
        console.print(page)
    return capture.get()
