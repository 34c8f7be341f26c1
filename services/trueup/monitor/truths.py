"""A run of feedback: truths that meet their predictions, wait for them, or correct an earlier one."""

from __future__ import annotations

from trueup.monitor.config import Task
from trueup.monitor.join import (
    ACTUAL,
    COUNTED,
    ENTRY_DAY,
    PREDICTION,
    PROBABILITY,
    SCORE,
    UNDER,
    Answer,
    Entry,
    Truth,
    aged_from,
    counted,
    outcome_of,
)
from trueup.monitor.run import Run
from trueup.monitor.scorecards.scorecard import Evidence


def fold(run: Run) -> float:
    """Fold in the feedback of a run; the latest event time among it."""
    times = run.times("observed_at")
    waiting, is_rest, join, labelled = run.waiting, run.is_rest, run.join, run.model.training.labelled
    hot, cold, changed = waiting.hot, not waiting.complete, waiting.changed
    run.model.counts["feedback"] += len(times)
    seen: list[tuple[int, float]] = []
    for index, at, (offset, _, timestamp, event) in zip(run.indexes, times, run.taken, strict=True):
        truth: Truth = (event.get("actual"), event.get("score"), at, offset, 1, 0, 0)
        prediction_id = run.id_of(event) if is_rest else event["prediction_id"]
        entry = hot.get(prediction_id)
        if entry is None or entry[ENTRY_DAY] < run.before_day:
            entry = run.known(prediction_id) if cold else None
        if entry is None:
            _orphan(run, prediction_id, truth, int(timestamp) if run.wall else 0)
            continue
        day, came_at, first_offset, known, answers = entry
        if answers:
            seen.append((index, at))
        if known is not None:
            _told_again(run, prediction_id, entry, truth, int(timestamp) if run.wall else 0)
            continue
        labelled(at, first_offset, offset)
        if len(answers) == 1:
            answers = (join(index, 0, answers[0], truth, day),)
        else:
            answers = tuple(
                [join(index, place, answer, truth, day, together=True) for place, answer in enumerate(answers)]
            )
            run.decide(index, answers, at)
        hot[prediction_id] = changed[prediction_id] = (day, came_at, first_offset, truth, answers)
    run.flush()
    if seen:  # truths of nothing that was predicted here leave the monitor as blind as none
        run.see("feedback", *seen[0], max([at for _, at in seen]))
    return max(times)


def _orphan(run: Run, prediction_id: str, truth: Truth, came_at: int) -> None:
    """A truth of an id for which nothing was predicted, as yet."""
    run.model.counts["orphans"] += 1
    run.keep(prediction_id, (aged_from((), truth, came_at), came_at, -1, truth, ()))


def _told_again(run: Run, prediction_id: str, entry: Entry, now: Truth, came_now: int) -> None:
    """A further feedback for an id whose truth is known."""
    day, came_at, first_offset, known, answers = entry
    assert known is not None
    if not answers and came_now > came_at:
        day, came_at = _stay(run, entry, known, came_now)
    truth, answers = _again(run, known, now, answers)
    run.waiting.put(prediction_id, (day, came_at, first_offset, truth, answers))


def _stay(run: Run, entry: Entry, truth: Truth, came_at: int) -> tuple[int, int]:
    """A truth without prediction came again: by the wall clock it waits from then on. Its day, and when it came."""
    day = aged_from((), truth, came_at)
    if day != entry[ENTRY_DAY]:
        run.waiting.move(entry[ENTRY_DAY], day)
    return day, came_at


def _again(run: Run, known: Truth, now: Truth, answers: tuple[Answer, ...]) -> tuple[Truth, tuple[Answer, ...]]:
    """The truth was told before: a correction, or a repeat."""
    _, _, observed_at, offset, events, corrections, repeats = known
    actual, score, *_ = now
    # 1 and True are different words for a label, and the same truth.
    correction = not (known[ACTUAL] == actual and known[SCORE] == score)
    run.model.counts["corrections" if correction else "duplicates"] += 1
    truth = (actual, score, observed_at, offset, events + 1, corrections + correction, repeats + (not correction))
    for answer in answers:
        version = run.model.answered_by(answer)
        run.touched[version.model_version] = version
        version.told_again(correction=correction)
    if correction:
        answers = tuple([_correct(run, answer, known, truth) for answer in answers])
    return truth, answers


def _correct(run: Run, answer: Answer, known: Truth, truth: Truth) -> Answer:
    """Take back what was counted, by whatever settings it was judged then, and count the new truth."""
    version = run.model.answered_by(answer)
    # Sums of floats depend on their order: what came before is counted before.
    run.noticed += version.flush_settled()
    after = run.model.judge(answer, truth)
    version.corrected(answer, outcome_of(answer), after)
    if version.config.metrics:
        if answer[COUNTED] is not None:
            version.scorecards.correct(_evidence(_task_counted(run, answer, known), answer, known), -1)
        if after is not None:
            version.scorecards.correct(_evidence(run.model.task, answer, truth), 1)
    return (*answer[:COUNTED], counted(after), answer[UNDER])


def _evidence(task: Task | None, answer: Answer, truth: Truth) -> Evidence:
    return task, answer[PREDICTION], answer[PROBABILITY], truth[ACTUAL], truth[SCORE]


def _task_counted(run: Run, answer: Answer, known: Truth) -> Task | None:
    """As what an answer was counted: the task may have been configured anew since."""
    task, held = run.model.task, answer[COUNTED]
    if held is True or held is False:
        return task if task in ("binary", "multiclass") else "multiclass"
    return "judged" if task == "judged" or known[ACTUAL] is None else "regression"
