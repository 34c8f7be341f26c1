"""A run of predictions: new ids, further answers to known ones, repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.monitor.join import OBSERVED_AT, OFFSET, VERSION, Answer, Entry, Truth, day_of
from trueup.monitor.model import APPEARS_AFTER
from trueup.monitor.run import Run
from trueup.monitor.version import Version


def fold(run: Run) -> float:
    """Fold in the predictions of a run; the latest event time among them."""
    times = run.times("predicted_at")
    told = [
        (index, at) for index, at in zip(run.indexes, times, strict=True) if _take(run, index, at, *run.arrivals[index])
    ]
    run.flush()
    latest = max(times)
    run.see("predictions", run.indexes[0], times[0], latest)
    if told:
        run.see("feedback", *told[0], max([at for _, at in told]))
    return latest


def _take(run: Run, index: int, at: float, offset: int, _: int, timestamp: float, event: Mapping[str, Any]) -> bool:
    """Fold in one prediction, but for what is collected; whether its truth is known."""
    name = event["model_version"]
    version = run.touched.get(name) or run.version(name, at)
    under = None if version.model_version == name else version.model_version
    names = run.segments
    segment = _segment(names, event) if names else None
    answer: Answer = [name, event.get("prediction"), positive(event), at, segment, None, under]
    came_at = int(timestamp) if run.wall else 0
    prediction_id = run.id_of(event) if run.is_rest else event["prediction_id"]
    entry = run.known(prediction_id)
    if entry is None:
        _new(run, prediction_id, Entry([answer], None, day_of(max(at, came_at)), offset, came_at), version)
    else:
        run.waiting.changed[prediction_id] = entry
        entry.came_at = max(entry.came_at, came_at)
        if _is_repeat(entry, name):
            version.counts["duplicates"] += 1
            run.model.counts["duplicates"] += 1
            _refile(run, entry, entry.answers)
            return entry.truth is not None
        _another(run, entry, answer, version, offset)
    version.made.append((index, answer, event))
    version.counts["predictions"] += 1
    if version.counts["predictions"] == APPEARS_AFTER:
        run.model.appeared(version)
    if entry is None or entry.truth is None:
        return False
    _meet(run, index, entry, entry.truth)
    return True


def _new(run: Run, prediction_id: str, entry: Entry, version: Version) -> None:
    if run.keep(prediction_id, entry):
        version.waits(entry.day)
    else:
        version.expired(1, early=entry.day >= run.around.horizon_day)


def _is_repeat(entry: Entry, model_version: str) -> bool:
    """Whether this version answered already: its first answer stands."""
    return model_version in [known[VERSION] for known in entry.answers]


def _another(run: Run, entry: Entry, answer: Answer, version: Version, offset: int) -> None:
    """A further answer to a known id, or the first to one whose truth came before."""
    others = list(entry.answers)
    entry.answers.append(answer)
    if not others:
        entry.first_offset = offset
        run.model.counts["orphans"] -= 1
    _refile(run, entry, others)
    version.waits(entry.day)


def _refile(run: Run, entry: Entry, others: list[Answer]) -> None:
    """The entry may age from a later day now, and those of its answers that wait with it."""
    day = entry.aged_from()
    if day == entry.day:
        return
    if entry.truth is None:
        for answer in others:
            version = run.model.answered_by(answer)
            version.waits_no_more(entry.day)
            version.waits(day)
            run.touched[version.model_version] = version
    run.waiting.move(entry, day)


def _meet(run: Run, index: int, entry: Entry, truth: Truth) -> None:
    """The answer that came last finds its truth already there."""
    if len(entry.answers) == 1:
        run.model.training.labelled(truth[OBSERVED_AT], entry.first_offset, truth[OFFSET])
    run.join(index, entry, truth, only=len(entry.answers) - 1)


def _segment(names: Sequence[str], event: Mapping[str, Any]) -> dict[str, str] | None:
    """Of the event's segment, the names that are configured: the rest is not kept."""
    given = event.get("segment")
    return {name: given[name] for name in names if name in given} if given else None


def positive(event: Mapping[str, Any]) -> float | None:
    """The probability to watch: the one given, or of several that of the predicted label."""
    probability = event.get("probability")
    if type(probability) is dict:
        label = event.get("prediction")
        probability = probability.get(str(label).lower() if isinstance(label, bool) else str(label))
    return probability
