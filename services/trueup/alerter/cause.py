"""What is behind a signal, in words, and whether retraining would help: data fault before traffic before concept.

A rise is one of traffic where at least 60 % of it (`MOSTLY`) comes from other shares of the values of one segment, or
of the labels that were predicted, and that part is beyond twice its standard error.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Literal, NamedTuple

CauseKind = Literal["data_fault", "traffic_mix", "concept_change", "version", "missing"]
#: (version, stream, at, direction): a detector that informs fired.
Moved = tuple[str, str, float, str]
MOSTLY = 0.6
#: By which a rise is told apart by the label that was predicted, and not by a segment.
PREDICTED = "prediction"
#: A part of the traffic is named in the sentence where so much of the rise is its own.
NAMED = 0.3
#: What moved so long before the error did may have to do with it.
BEFORE_SECONDS = 3 * 86_400.0
#: Features that are named where several have one fault.
FEATURES_NAMED = 5


class CallFault(NamedTuple):
    """A fault of the calls of a version, not of a feature."""

    #: What is wrong, as it stands in a sentence.
    words: str
    #: What follows from it.
    means: str
    #: Whether what the model answers, or when, may be wrong by it: then it may be behind errors, and data to train on.
    spoils: bool


CALL_FAULTS: Mapping[str, CallFault] = {
    "duplicates": CallFault("predictions are sent again", "Each id is counted once", False),
    "clock_ahead": CallFault(
        "event times are ahead", "A clock, or its time zone, is wrong, and so may be all that goes by it", True
    ),
    "clock_behind": CallFault(
        "event times are behind", "A clock, or its time zone, is wrong, and so may be all that goes by it", True
    ),
    "slow": CallFault("calls are slow", "What the model answers is not wrong by that", False),
    "failing": CallFault("calls fail", "What the model answers is not wrong by that", False),
}


@dataclass(frozen=True, slots=True)
class Cause:
    """What moved. `retraining_helps` is False where the data itself is broken."""

    kind: CauseKind
    summary: str
    cause: str
    retraining_helps: bool
    #: The parts of the traffic that it is about.
    segments: tuple[dict[str, str], ...] = ()


def of_change(signal: Mapping[str, Any], faults: Mapping[str, str]) -> Cause:
    """Of an error that rose. `faults` are the data faults of this model that have not ended: feature -> what."""
    recent, reference = signal["recent"], signal["reference"]
    summary = (
        f"{signal['model_id']} {signal['model_version']}: error rate {recent['mean']:.1%} "
        f"since {_when(signal['changed_at'])}, was {reference['mean']:.1%}"
    )
    if faults:
        return _faulty(summary, faults)
    mix = next((found for found in signal.get("explained", ()) if _is_mix(found)), None)
    if mix is not None:
        return Cause("traffic_mix", summary, _of_mix(mix), False)
    parts = _where(signal.get("explained", ()))
    cause = (
        f"The truth no longer follows the features as it did from {_when(reference['from_time'])} to "
        f"{_when(reference['to_time'])}, and no data fault is known: a change of concept. Retraining would help."
    )
    if parts:
        cause += f" Most of it is in {'; '.join(_part_of_rise(part, rise) for part, rise in parts)}."
    return Cause("concept_change", summary, cause, True, tuple(part["segment"] for part, _ in parts))


def of_segments(signal: Mapping[str, Any], faults: Mapping[str, str]) -> Cause:
    """Of errors that rose in some parts of the traffic, and not in the rest."""
    risen, others = signal["segments"], signal["risen"] - 1
    first = risen[0]
    more = f" and in {others} more segment{'s' if others > 1 else ''}" if others else ""
    summary = (
        f"{signal['model_id']} {signal['model_version']}: error rate {first['recent']['mean']:.1%} in "
        f"{_name(first['segment'])}{more} since {_when(first['changed_at'])}, was {first['mean_before']:.1%}"
    )
    segments = tuple(part["segment"] for part in risen)
    if faults:
        return replace(_faulty(summary, faults), segments=segments)
    cause = (
        f"In {'; '.join(_short(_name(part), 200) for part in segments[:3])} the truth no longer follows the features "
        "as it did, more than in the rest of the traffic, and no data fault is known: a change of concept in a part. "
        "Retraining would help where the new data holds enough of that part."
    )
    return Cause("concept_change", summary, cause, True, segments)


def moved_first(signal: Mapping[str, Any], moved: Sequence[Moved]) -> list[dict[str, Any]]:
    """Which streams moved, in their order in time, from three days before the error did until it was noticed.

    Of each the first time. The error itself is among them. Detectors that inform have false alarms: it is a hint.
    """
    since = signal["changed_at"]
    first: dict[str, dict[str, Any]] = {"error": {"stream": "error", "at": since, "direction": signal["direction"]}}
    for version, stream, at, direction in sorted(moved, key=lambda each: each[2]):
        if version == signal["model_version"] and since - BEFORE_SECONDS <= at <= signal["at"] and stream not in first:
            first[stream] = {"stream": stream, "at": at, "direction": direction}
    return sorted(first.values(), key=lambda each: (each["at"], each["stream"]))


def _faulty(summary: str, faults: Mapping[str, str]) -> Cause:
    named = ", ".join(
        subject if what in CALL_FAULTS else f"{subject} ({what})" for subject, what in sorted(faults.items())
    )
    return Cause("data_fault", summary, f"The data is faulty: {_short(named)}. Retraining will not help.", False)


def _is_mix(found: Mapping[str, Any]) -> bool:
    """Whether other traffic explains the rise. What the model predicts is no traffic: it may be the very error."""
    rise, mix = found["rise"], found["mix"]
    return bool(found["by"] != PREDICTED and rise > 0.0 and mix >= MOSTLY * rise and mix > 2.0 * found["mix_error"])


def _of_mix(found: Mapping[str, Any]) -> str:
    grown = max(found["parts"], key=lambda part: part["mix"])
    share = min(1.0, found["mix"] / found["rise"])
    return (
        f"The traffic changed, the errors within it hardly: {share:.0%} of the rise comes from another mix of "
        f"{_short(found['by'], 200)} ({_short(_name(grown['segment']), 200)}: {grown['share']:.0%} of the outcomes, "
        f"was {grown['share_before']:.0%}). Retraining would not bring the old error rate back: it may help a little, "
        "where what there is more of now was rare before."
    )


def _where(explained: Sequence[Mapping[str, Any]]) -> list[tuple[Mapping[str, Any], float]]:
    """The parts of the traffic in which much of a rise is, by the segment that tells most; with the rise."""
    best: list[tuple[Mapping[str, Any], float]] = []
    for found in explained:
        if found["by"] == PREDICTED or found["rise"] <= 0.0:
            continue
        # A value that makes up most of the traffic anyway says nothing of where.
        parts = [
            (part, found["rise"])
            for part in found["parts"]
            if part["within"] >= NAMED * found["rise"] and part["within"] >= 2.0 * part["share"] * found["rise"]
        ]
        if sum(part["within"] for part, _ in parts) > sum(part["within"] for part, _ in best):
            best = parts
    return best


def _part_of_rise(part: Mapping[str, Any], rise: float) -> str:
    return (
        f"{_short(_name(part['segment']), 200)} ({min(1.0, part['within'] / rise):.0%} of the rise; "
        f"{part['recent']['mean']:.1%}, was {part['mean_before']:.1%})"
    )


def _name(segment: Mapping[str, str]) -> str:
    return ", ".join(f"{name}={value}" for name, value in segment.items())


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
    """Of data that is broken, or of calls."""
    of, call_fault = faulty(signal), _call_fault(signal)
    since = f" since {_when(signal['since'])}" if "since" in signal else ""
    what = of if call_fault else f"{'the data' if of == '*' else of}: {signal['fault'].replace('_', ' ')}"
    summary = f"{signal['model_id']} {signal['model_version']}: {what}{since}"
    detail = _short(signal["detail"]).removesuffix(".") + (f". {call_fault.means}" if call_fault else "")
    return Cause("data_fault", summary, f"{detail}. Retraining will not help.", False)


def _call_fault(signal: Mapping[str, Any]) -> CallFault | None:
    if signal.get("feature") or signal.get("features"):
        return None
    return CALL_FAULTS.get(signal["fault"])


def spoils(signal: Mapping[str, Any]) -> bool:
    """Whether errors, and data to train on, may come from this data fault."""
    call_fault = _call_fault(signal)
    return call_fault is None or call_fault.spoils


def faulty(signal: Mapping[str, Any]) -> str:
    """Of a data fault, what is faulty: a feature, several, or `*`; of one of the calls, what is wrong with them."""
    call_fault = _call_fault(signal)
    if call_fault is not None:
        return call_fault.words
    features = signal.get("features") or []
    named = ", ".join(features[:FEATURES_NAMED]) + (
        f" and {len(features) - FEATURES_NAMED} more" if len(features) > FEATURES_NAMED else ""
    )
    return named or signal.get("feature") or "*"


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
