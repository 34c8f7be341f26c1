"""A run of predictions: new ids, further answers to known ones, repeats."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from trueup.monitor.config import ModelConfig
from trueup.monitor.join import (
    ENTRY_ANSWERS,
    LAST_DAY,
    OBSERVED_AT,
    OFFSET,
    PREDICTED_AT,
    VERSION,
    Answer,
    Entry,
    aged_from,
    day_of,
)
from trueup.monitor.model import APPEARS_AFTER
from trueup.monitor.run import Run
from trueup.monitor.version import Version
from trueup.monitor.windows import DAY

#: The labels of a probability that are those of a binary model, where it is not configured as another.
_TRUTH_VALUES = ({"true", "false"}, {"0", "1"})


def fold(run: Run) -> float:
    """Fold in the predictions of a run; the latest event time among them."""
    times = run.times("predicted_at")
    waiting, touched = run.waiting, run.touched
    hot, cold, by_day, changed = waiting.hot, not waiting.complete, waiting.by_day, waiting.changed
    wall, names, is_rest, config = run.wall, run.segments, run.is_rest, run.model.config
    told: list[tuple[int, float]] = []
    labels_made = run.model.labels.counts.made
    came = run.came(times)
    for index, at, called_at, (offset, _, timestamp, event) in zip(run.indexes, times, came, run.taken, strict=True):
        name = event["model_version"]
        version = touched.get(name) or run.version(name, at)
        prediction_id = run.id_of(event) if is_rest else event["prediction_id"]
        answer: Answer = (
            name,
            event.get("prediction"),
            _probability(config, event) if type(probability := event.get("probability")) is dict else probability,
            at,
            segment_of(names, event) if names else None,
            None,
            None if version.model_version == name else version.model_version,
        )
        came_at = int(timestamp) if wall else 0
        entry = hot.get(prediction_id)
        if cold or entry is not None:
            entry = run.known(prediction_id)
            if entry is not None and name in [known[VERSION] for known in entry[ENTRY_ANSWERS]]:
                if _repeated(run, prediction_id, entry, came_at, version):
                    told.append((index, at))
                version.again.append((index, called_at))
                continue
        version.made.append((index, answer, event))
        version.came.append(called_at)
        labels_made.append(answer)
        version.estimated.predicted(answer)
        version.counts["predictions"] += 1
        if version.counts["predictions"] == APPEARS_AFTER:
            run.model.appeared(version)
        if entry is not None:
            if _another(run, index, prediction_id, entry, (answer, came_at, offset), version):
                told.append((index, at))
            continue
        day = int((max(came_at, at)) // DAY)
        if day in by_day and waiting.total < run.most_ids and run.before_day <= day <= LAST_DAY:
            by_day[day] += 1
            waiting.total += 1
            hot[prediction_id] = changed[prediction_id] = (day, came_at, offset, None, (answer,))
            version.waits(day)
        else:
            _first_of_day(run, prediction_id, (answer, came_at, offset), version)
    run.flush()
    latest = max(times)
    run.see("predictions", run.indexes[0], times[0], latest)
    if told:
        run.see("feedback", *told[0], max([at for _, at in told]))
    return latest


def _first_of_day(run: Run, prediction_id: str, came: tuple[Answer, int, int], version: Version) -> None:
    """A new id of a day of which there is none yet, or for which there may be no room."""
    answer, came_at, offset = came
    day = day_of(max(answer[PREDICTED_AT], came_at))
    if run.keep(prediction_id, (day, came_at, offset, None, (answer,))):
        version.waits(day)
    else:
        version.expired(1, early=day >= run.around.horizon_day)


def _repeated(run: Run, prediction_id: str, entry: Entry, came_at: int, version: Version) -> bool:
    """This version answered already: its first answer stands. Whether its truth is known."""
    version.counts["duplicates"] += 1
    run.model.counts["duplicates"] += 1
    day, came_before, first_offset, truth, answers = entry
    if came_at > came_before:
        day = _refile(run, entry, aged_from(answers, truth, came_at))
        run.waiting.put(prediction_id, (day, came_at, first_offset, truth, answers))
    return truth is not None


def _another(
    run: Run, index: int, prediction_id: str, entry: Entry, came: tuple[Answer, int, int], version: Version
) -> bool:
    """A further answer to a known id, or the first to one whose truth came before. Whether its truth is known."""
    answer, came_at, offset = came
    _, came_before, first_offset, truth, others = entry
    came_at = max(came_at, came_before)
    day = _refile(run, entry, aged_from((*others, answer), truth, came_at))
    version.waits(day)
    if not others:
        first_offset = offset
        run.model.counts["orphans"] -= 1
    if truth is not None:
        if not others:
            run.model.training.labelled(truth[OBSERVED_AT], first_offset, truth[OFFSET])
        answer = run.join(index, len(others), answer, truth, day)
        if others:
            run.decide_late(index, (*others, answer), truth[OBSERVED_AT])
    run.waiting.put(prediction_id, (day, came_at, first_offset, truth, (*others, answer)))
    return truth is not None


def _refile(run: Run, entry: Entry, day: int) -> int:
    """The entry ages from this day now, and those of its answers that wait."""
    before, _, _, truth, answers = entry
    if day != before:
        if truth is None:
            for answer in answers:
                version = run.model.answered_by(answer)
                version.waits_no_more(before)
                version.waits(day)
                run.touched[version.model_version] = version
        run.waiting.move(before, day)
    return day


def segment_of(names: Sequence[str], event: Mapping[str, Any]) -> dict[str, str] | None:
    """Of the event's segment, the names that are configured: the rest is not kept."""
    given = event.get("segment")
    return {name: given[name] for name in names if name in given} if given else None


def _probability(config: ModelConfig, event: Mapping[str, Any]) -> float | None:
    """Of the probabilities of all labels, that of the positive one of two, else that of the predicted one."""
    given: Mapping[str, float] = event["probability"]
    if config.stated_task != "multiclass" and (config.stated_task == "binary" or given.keys() in _TRUTH_VALUES):
        positive = config.positive_label
        for name in ("1", "true") if positive == 1 else (_written(positive),):
            if name in given:
                return given[name]
    return given.get(_written(event.get("prediction")))


def _written(label: Any) -> str:
    """A label as the key of an object."""
    return str(label).lower() if isinstance(label, bool) else str(label)
