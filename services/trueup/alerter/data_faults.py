"""Which features one alert about faulty data is about: those that the same thing befell within a day.

temperature missing ──> alert     wind_dir missing, an hour later ──> a revision of it that names both
temperature back ─────> a revision that names the other     wind_dir back ──> resolved
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

from trueup.alerter.cause import faulty
from trueup_schemas.alert import Alert

#: Seconds between the beginnings of faults that are taken to be one.
TOGETHER_WITHIN = 86_400.0
#: What is kept of each, to be told again when another joins it or ends.
KEPT = ("feature", "features", "since", "detail")


def standing(alert: Alert) -> Mapping[str, Mapping[str, Any]]:
    """What is faulty still, by the name under which it came: a feature, or several."""
    evidence = alert.evidence
    found: Mapping[str, Mapping[str, Any]] = evidence.get("standing") or {faulty(evidence): _kept(evidence)}
    return found


def about(alerts: Iterable[Alert], signal: Mapping[str, Any]) -> list[Alert]:
    """Of these alerts, those about what the signal is about."""
    return [alert for alert in _same_fault(alerts, signal) if faulty(signal) in standing(alert)]


def beside(alerts: Iterable[Alert], signal: Mapping[str, Any]) -> Alert | None:
    """The alert, of these, that the fault of this signal joins."""
    for alert in _same_fault(alerts, signal):
        if any(abs(part["since"] - signal["since"]) <= TOGETHER_WITHIN for part in standing(alert).values()):
            return alert
    return None


def with_more(alert: Alert, signal: Mapping[str, Any]) -> Mapping[str, Any]:
    """A signal about what the alert is about and about this one, told as one."""
    return _as_one(signal, {**standing(alert), faulty(signal): _kept(signal)})


def with_less(alert: Alert, signal: Mapping[str, Any]) -> Mapping[str, Any] | None:
    """A signal about what the alert is about but for this one, which ended; None: that was all."""
    left = {what: part for what, part in standing(alert).items() if what != faulty(signal)}
    return _as_one(signal, left) if left else None


def _same_fault(alerts: Iterable[Alert], signal: Mapping[str, Any]) -> list[Alert]:
    wanted = (signal["model_version"], signal["fault"])
    return [alert for alert in alerts if (alert.model_version, alert.evidence["fault"]) == wanted]


def _as_one(signal: Mapping[str, Any], parts: Mapping[str, Mapping[str, Any]]) -> Mapping[str, Any]:
    names = [name for part in parts.values() for name in part.get("features") or [part.get("feature", "*")]]
    told = [f"{what}: {part['detail'].removesuffix('.')}" for what, part in parts.items()]
    return {
        **{name: value for name, value in signal.items() if name not in KEPT},
        "features": names,
        "since": min(part["since"] for part in parts.values()),
        "detail": "; ".join(told),
        "ended": False,
        "standing": dict(parts),
    }


def _kept(values: Mapping[str, Any]) -> dict[str, Any]:
    return {name: values[name] for name in KEPT if values.get(name) is not None}
