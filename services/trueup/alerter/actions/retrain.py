"""Retrain: on exactly the data that the monitor had when it raised the alarm."""

from __future__ import annotations

from trueup.alerter.actions.request import Request, SignalData
from trueup_schemas.reason import Reason


def request(signal: SignalData) -> Request | None:
    """From a `change_detected`: the data of the last days before it; None where nothing is labelled."""
    data = signal.get("training_data")
    if data is None:
        return None
    reason = {"code": Reason.ERROR_ROSE, "recent": signal["recent"], "reference": signal["reference"]}
    return Request(signal["model_version"], reason=reason, dataset=data)
