"""What is behind a signal, in words, and whether retraining would help: data fault before traffic before concept."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Literal

#: Features that are named where several have one fault.
NAMED = 5

CauseKind = Literal["data_fault", "concept_change", "version", "missing"]


@dataclass(frozen=True, slots=True)
class Cause:
    """What moved. `retraining_helps` is False where the data itself is broken."""

    kind: CauseKind
    summary: str
    cause: str
    retraining_helps: bool


def of_change(signal: Mapping[str, Any], faults: Mapping[str, str]) -> Cause:
    """Of an error that rose. `faults` are the data faults of this model that have not ended: feature -> what."""
    recent, reference = signal["recent"], signal["reference"]
    summary = (
        f"{signal['model_id']} {signal['model_version']}: error rate {recent['mean']:.1%} "
        f"since {_when(signal['changed_at'])}, was {reference['mean']:.1%}"
    )
    if faults:
        named = ", ".join(f"{feature} ({what})" for feature, what in sorted(faults.items()))
        return Cause("data_fault", summary, f"The data is faulty: {_short(named)}. Retraining will not help.", False)
    cause = (
        f"The truth no longer follows the features as it did from {_when(reference['from_time'])} to "
        f"{_when(reference['to_time'])}, and no data fault is known: a change of concept. Retraining would help."
    )
    return Cause("concept_change", summary, cause, True)


def of_comparison(signal: Mapping[str, Any]) -> Cause:
    """Of a version that is worse than the one before it."""
    new, old = signal["error"], signal["previous_error"]
    summary = (
        f"{signal['model_id']} {signal['model_version']} is worse than {signal['previous_version']}: "
        f"error {new['mean']:.1%} against {old['mean']:.1%}"
    )
    cause = (
        f"Both versions served at the same time; over {signal['pairs']} pairs the new one erred more. "
        f"Chance of being wrong about that at any look: {signal['alpha']:.1%}."
    )
    return Cause("version", summary, cause, False)


def of_fault(signal: Mapping[str, Any]) -> Cause:
    """Of data that is broken."""
    of = faulty(signal)
    since = f" since {_when(signal['since'])}" if "since" in signal else ""
    what = f"{'the data' if of == '*' else of}: {signal['fault'].replace('_', ' ')}{since}"
    summary = f"{signal['model_id']} {signal['model_version']}: {what}"
    detail = _short(signal["detail"]).removesuffix(".")
    return Cause("data_fault", summary, f"{detail}. Retraining will not help.", False)


def faulty(signal: Mapping[str, Any]) -> str:
    """Of a data fault, what is faulty: a feature, several, or `*`."""
    features = signal.get("features") or []
    named = ", ".join(features[:NAMED]) + (f" and {len(features) - NAMED} more" if len(features) > NAMED else "")
    return signal.get("feature") or named or "*"


def of_blindness(signal: Mapping[str, Any]) -> Cause:
    """Of predictions or truths that stopped, or no longer come as they use to."""
    missing, since = signal["missing"], _when(signal["since"])
    detail = signal.get("detail", "")
    named = ", ".join(signal.get("values", ())) or "some values"
    if missing == "clock":
        what = f"event times stand still since {since}"
        cause = "Records come, and none is of a later time than those before: what is recent cannot be told."
    elif missing == "label_coverage":
        what = f"fewer predictions have their truth since {since}"
        cause = f"{detail} What the truths that come say of the others is not known."
    elif missing in ("labels_of_class", "labels_of_segment"):
        of = f"{signal['segment']} {named}" if "segment" in signal else f"predictions of {named}"
        what = f"no truths, or few, of {of} since {since}"
        cause = f"{detail} The truths of the others come as usual, and say nothing of these."
    else:
        what, cause = f"no {missing} since {since}", f"Without {missing} nothing can be said for or against this model."
    return Cause("missing", _short(f"{signal['model_id']}: {what}", 300), _short(cause), False)


def of_trouble(model_id: str, action: str, what: str, detail: str | None) -> Cause:
    """Of a trigger that did not do what it was for; `detail` is what the pipeline said of it."""
    summary = f"{model_id}: the {action} trigger {what}" + (f": {_short(detail, 200)}" if detail else "")
    return Cause("missing", summary, "What it was to mend still stands.", False)


def _short(text: str, length: int = 4_000) -> str:
    """In one line, cut where it is too long for an alert: a pipeline may report a page of traceback."""
    line = " ".join(text.split())
    return line if len(line) <= length else line[: length - 1] + "…"


def _when(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).strftime("%-d %b %Y %H:%M")
