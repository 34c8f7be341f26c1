"""Retrain: on exactly the data that the monitor had when it raised the alarm."""

from __future__ import annotations

from trueup.alerter.actions.request import Request, SignalData
from trueup_schemas.reason import Reason


def request(signal: SignalData) -> Request | None:
    """From `change_detected` or `segments_moved`: the data of the last days before it; None where none is labelled."""
    data = signal.get("training_data")
    if data is None:
        return None
    figures = {name: signal[name] for name in ("recent", "reference", "segments") if name in signal}
    reason = {"code": Reason.ERROR_ROSE, **figures}
    return Request(signal["model_version"], reason=reason, dataset=data)
