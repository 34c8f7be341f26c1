"""A run of feedback: truths that meet their predictions, wait for them, or correct an earlier one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from trueup.monitor.join import ACTUAL, CORRECTIONS, EVENTS, OUTCOME, REPEATS, SCORE, Entry, Truth, day_of
from trueup.monitor.run import Run


def fold(run: Run) -> float:
    """Fold in the feedback of a run; the latest event time among it."""
    times = run.times("observed_at")
    run.model.counts["feedback"] += len(times)
    seen = [
        (index, at) for index, at in zip(run.indexes, times, strict=True) if _take(run, index, at, *run.arrivals[index])
    ]
    run.flush()
    if seen:  # truths of nothing that was predicted here leave the monitor as blind as none
        run.see("feedback", *seen[0], max([at for _, at in seen]))
    return max(times)


def _take(run: Run, index: int, at: float, offset: int, _: int, timestamp: float, event: Mapping[str, Any]) -> bool:
    """Fold in one feedback, but for what is collected; whether anything was predicted for it."""
    truth: Truth = [event.get("actual"), event.get("score"), at, offset, 1, 0, 0]
    prediction_id = run.id_of(event) if run.is_rest else event["prediction_id"]
    entry = run.known(prediction_id)
    if entry is None:
        came_at = int(timestamp) if run.wall else 0
        run.model.counts["orphans"] += 1
        run.keep(prediction_id, Entry([], truth, day_of(max(at, came_at)), -1, came_at))
        return False
    run.waiting.changed[prediction_id] = entry
    if entry.truth is not None:
        _again(run, entry, entry.truth, truth)
        if not entry.answers and run.wall:
            _stay(run, entry, int(timestamp))
    else:
        entry.truth = truth
        run.model.training.labelled(at, entry.first_offset, offset)
        run.join(index, entry, truth)
    return bool(entry.answers)


def _stay(run: Run, entry: Entry, came_at: int) -> None:
    """A truth without prediction came again: by the wall clock it waits from then on."""
    entry.came_at = max(entry.came_at, came_at)
    day = entry.aged_from()
    if day != entry.day:
        run.waiting.move(entry, day)


def _again(run: Run, entry: Entry, known: Truth, now: Truth) -> None:
    """The truth was told before: a correction, or a repeat."""
    # 1 and True are different words for a label, and the same truth.
    correction = not (known[ACTUAL] == now[ACTUAL] and known[SCORE] == now[SCORE])
    run.model.counts["corrections" if correction else "duplicates"] += 1
    known[ACTUAL], known[SCORE] = now[ACTUAL], now[SCORE]
    known[EVENTS] += 1
    known[CORRECTIONS if correction else REPEATS] += 1
    for answer in entry.answers:
        version = run.model.answered_by(answer)
        run.touched[version.model_version] = version
        version.told_again(correction=correction)
        if correction:
            # Sums of floats depend on their order: what came before is counted before.
            run.noticed += version.flush_settled()
            before, after = answer[OUTCOME], run.model.judge(answer, known)
            version.corrected(answer, before, after)
            answer[OUTCOME] = after
