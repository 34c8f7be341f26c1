"""What was noticed, as signals: the monitor's only output besides its state."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.monitor.detectors.e_detector import Alarm
from trueup.monitor.label_coverage import Told
from trueup.monitor.mix import Decomposition, Part
from trueup.monitor.model import Model
from trueup.monitor.noticed import Changed, Compared, HourClosed, OfFeatures, SegmentsMoved
from trueup.monitor.segment_rises import Rise
from trueup.monitor.segments import named
from trueup.monitor.traffic import Told as TrafficTold
from trueup.monitor.traffic import shown
from trueup.monitor.windows import HOUR, Tally
from trueup.statistics.intervals import rate_interval

#: Segments that a signal names, the strongest first.
MOST_NAMED = 10


def rate(mean: float, n: int, *, inflation: float = 1.0) -> dict[str, Any]:
    """A mean of losses in [0, 1] with its sample size and 95 % interval (Wilson), `n` being worth n / `inflation`."""
    mean = min(1.0, max(0.0, mean))  # a sum of floats may leave it a hair outside
    low, high = rate_interval(mean * n, n, inflation=inflation)
    return {"mean": mean, "n": n, "low": low, "high": high}


def _rate(tally: Tally, inflation: float) -> dict[str, Any]:
    return rate(tally.mean_loss or 0.0, tally.n, inflation=inflation)


def hour_closed(model: Model, closed: HourClosed) -> dict[str, Any]:
    """`WindowClosed`: the hour, and the day that ends with it."""
    end = (closed.hour + 1) * HOUR
    inflation = closed.inflation
    return {
        "type": "window_closed",
        "at": float(end),
        "model_id": model.model_id,
        "model_version": closed.version.model_version,
        "from_time": float(end - HOUR),
        "to_time": float(end),
        "hour": _rate(closed.tally, inflation),
        "day": _rate(closed.day, inflation),
    }


def changed(model: Model, noticed: Changed, training_data: Mapping[str, Any] | None) -> dict[str, Any]:
    """`ChangeDetected`. Pages only for a version that serves."""
    change, version = noticed.change, noticed.version
    signal: dict[str, Any] = {
        "type": "change_detected",
        "at": noticed.at,
        "model_id": model.model_id,
        "model_version": version.model_version,
        "detector": change.detector,
        "stream": change.stream,
        "pages": change.alarm is not None and version.serves,
        "direction": change.direction,
    }
    if change.alarm is not None:
        signal.update(_alarm(change.alarm))
        signal["false_pages_per_month"] = model.pages_per_month
    if noticed.explained:
        inflation = 1.0 if change.alarm is None else change.alarm.reference.inflation
        signal["explained"] = [_explained(*found, inflation) for found in noticed.explained]
    if training_data is not None:
        signal["training_data"] = training_data
    return signal


def _alarm(alarm: Alarm) -> dict[str, Any]:
    reference = alarm.reference
    at = 0.0 if alarm.at is None else alarm.at
    return {
        "recent": rate(alarm.mean_since_change, alarm.labels_since_change, inflation=reference.inflation),
        "changed_at": at if alarm.changed_at is None else alarm.changed_at,
        "reference": {
            "mean": reference.mean,
            "n": reference.n,
            "bound": reference.m,
            "variance_inflation": reference.inflation,
            "from_time": at if reference.from_at is None else reference.from_at,
            "to_time": at if reference.to_at is None else reference.to_at,
        },
    }


def _explained(segment: str, found: Decomposition, inflation: float) -> dict[str, Any]:
    return {
        "by": segment,
        "n": found.n,
        "rise": found.rise,
        "mix": found.mix,
        "mix_error": found.mix_error,
        "within": found.within,
        "parts": [_part(segment, part, inflation) for part in found.parts[:MOST_NAMED]],
    }


def _part(segment: str, part: Part, inflation: float) -> dict[str, Any]:
    return {
        "segment": named(segment, part.value),
        "recent": rate(part.mean, part.n, inflation=inflation),
        "mean_before": min(1.0, part.mean_before),
        "share": part.share,
        "share_before": part.share_before,
        "mix": part.mix,
        "within": part.within,
    }


def segments_page(noticed: SegmentsMoved) -> bool:
    """Whether on-call is to be called: some rose, in a version that serves."""
    return bool(noticed.found.rises) and noticed.found.pages and noticed.version.serves


def segments_moved(model: Model, noticed: SegmentsMoved, training_data: Mapping[str, Any] | None) -> dict[str, Any]:
    """`SegmentsMoved`."""
    rises = noticed.found.rises
    signal: dict[str, Any] = {
        "type": "segments_moved",
        "at": noticed.at,
        "model_id": model.model_id,
        "model_version": noticed.version.model_version,
        "pages": segments_page(noticed),
        "segments": [_risen(rise) for rise in rises[:MOST_NAMED]],
        "risen": len(rises),
        "ended": noticed.found.ended,
        "false_pages_per_month": model.pages_per_month,
    }
    if training_data is not None:
        signal["training_data"] = training_data
    return signal


def _risen(rise: Rise) -> dict[str, Any]:
    return {
        "segment": named(rise.segment, rise.value),
        "recent": rate(rise.mean, rise.n, inflation=rise.inflation),
        "mean_before": min(1.0, rise.mean_before),
        "bound": rise.bound,
        "changed_at": rise.changed_at,
    }


def compared(model: Model, noticed: Compared) -> dict[str, Any]:
    """`VersionsCompared`."""
    test = noticed.compared
    inflation = noticed.inflation
    return {
        "type": "versions_compared",
        "at": noticed.at,
        "model_id": model.model_id,
        "model_version": test.new,
        "previous_version": test.old,
        "verdict": test.verdict,
        "pairs": test.test.n,
        "error": _rate(test.new_tally, inflation),
        "previous_error": _rate(test.old_tally, inflation),
        "alpha": test.test.alpha,
        "margin": test.test.margin,
        "pairing": test.pairing,
        "role": noticed.role,
    }


def of_features(model: Model, noticed: OfFeatures) -> dict[str, Any]:
    """`DataFault` or `FeaturesDrifted`."""
    told = noticed.told
    signal = {"type": told.type, "at": told.at, "model_id": model.model_id}
    return {**signal, "model_version": noticed.version.model_version, **told.data}


def blind(model_id: str, missing: str, *, at: float, since: float, ended: bool) -> dict[str, Any]:
    """`Blind`."""
    return {"type": "blind", "at": at, "model_id": model_id, "missing": missing, "since": since, "ended": ended}


def labels_missing(model_id: str, told: Told, *, at: float) -> dict[str, Any]:
    """`Blind`, for want of some of the truths."""
    signal = blind(model_id, told.missing, at=at, since=told.since, ended=told.ended)
    if told.segment is not None:
        signal["segment"] = told.segment
    if not told.ended:
        signal["detail"] = told.detail
        if told.values:
            signal["values"] = list(told.values)
    return signal


def traffic_moved(model_id: str, told: TrafficTold, *, at: float) -> dict[str, Any]:
    """`TrafficMoved`."""
    return {"type": "traffic_moved", "at": at, "model_id": model_id, "ended": told.ended, **shown(told.shift)}


def deployment_seen(event: Mapping[str, Any], at: float) -> dict[str, Any]:
    """`DeploymentSeen`."""
    signal = {
        "type": "deployment_seen",
        "at": at,
        "model_id": event["model_id"],
        "model_version": event["model_version"],
        "role": event["role"],
    }
    if event.get("trigger_id"):
        signal["trigger_id"] = event["trigger_id"]
    return signal
