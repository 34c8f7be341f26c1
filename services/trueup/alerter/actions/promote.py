"""Promote: a new version is better than the one before it."""

from __future__ import annotations

from trueup.alerter.actions.request import Request, SignalData
from trueup_schemas.reason import Reason


def request(signal: SignalData) -> Request | None:
    """From a `versions_compared` with the verdict "better" or "not_worse"."""
    reason = {
        "code": Reason.VERSION_BETTER,
        "error": signal["error"],
        "previous_error": signal["previous_error"],
        "pairs": signal["pairs"],
        "alpha": signal["alpha"],
    }
    if signal.get("margin"):
        reason["margin"] = signal["margin"]  # not better, but not worse by more than that
    return Request(signal["previous_version"], target_version=signal["model_version"], reason=reason)
