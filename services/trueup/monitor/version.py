"""One version of a model: what was counted, how good it is, what its detectors have seen."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any

from trueup.monitor.call_watch import Call, CallWatch
from trueup.monitor.calls import Calls
from trueup.monitor.cohorts import Cohorts
from trueup.monitor.config import ModelConfig, MonitorConfig
from trueup.monitor.error_watch import Change, ErrorWatch
from trueup.monitor.estimated_performance import EstimatedPerformance
from trueup.monitor.features.column import ReferenceSize
from trueup.monitor.features.watch import FeatureWatch
from trueup.monitor.join import CORRECTIONS, EVENTS, PREDICTED_AT, PREDICTION, PROBABILITY, REPEATS, Answer, Truth
from trueup.monitor.mix import Decomposition
from trueup.monitor.noticed import (
    CALLS,
    FEATURES,
    HOUR_FIRST,
    SCORES,
    THEN_DETECTORS,
    Changed,
    HourClosed,
    Item,
    OfFeatures,
    SegmentsMoved,
    answer_place,
)
from trueup.monitor.outcome import LARGEST_ERROR, Outcome
from trueup.monitor.scorecards.scorecard import Evidence, predicted_label
from trueup.monitor.scorecards.scorecards import Scorecards
from trueup.monitor.segment_watch import SegmentWatch
from trueup.monitor.segments import OTHER, Segments
from trueup.monitor.windows import DAY, HOUR, Tally, Windows

COUNTS = ("predictions", "feedback", "joined", "pending", "duplicates", "corrections", "expired", "let_go")
#: Roles of versions whose answers reach nobody.
NOT_SERVING = ("shadow", "retired")
#: Cohorts are kept for this many days back from the latest.
COHORT_DAYS = 400


#: (arrival, answer, event): a prediction that was not seen before, on this arrival of the chunk. Like `Settled` a plain
#: tuple, since there is one for every event.
Made = tuple[int, Answer, Mapping[str, Any]]
#: (arrival, answer, observed_at, predicted_at, outcome, budget, segment, evidence): an outcome, on which arrival of the
#: chunk and for which of the answers to its id.
Settled = tuple[int, int, float, float, Outcome, float, Mapping[str, str] | None, Evidence]


class Version:
    """State of one version. Counts are exact whatever the order in which events came.

    Predictions and outcomes are put into `made` and `settled`, and folded in together by `flush`.
    """

    def __init__(
        self, model_version: str, config: ModelConfig, fleet: MonitorConfig, *, inflation: float = 1.0
    ) -> None:
        self.model_version = model_version
        self.config = config
        self.fleet = fleet
        self.role: str | None = None
        self.first_seen = 0.0
        self.counts: dict[str, int] = dict.fromkeys(COUNTS, 0)
        #: Day from which their ids age -> predictions that wait for their truth.
        self.pending_by_day: dict[int, int] = {}
        self.total = Tally()
        self.windows = Windows(fleet.last_outcomes)
        self.segments = Segments(config.segments, fleet)
        self.cohorts = Cohorts(COHORT_DAYS)
        self.scorecards = Scorecards(config.positive_label)
        self.estimated = EstimatedPerformance(config)
        self.calls = Calls()
        #: Whether its calls are looked at: where it stands for many, they are not those of one.
        self.watches_calls = config.watch_calls and model_version != OTHER
        self.call_watch = CallWatch(config.call_reference_days)
        self.watch = ErrorWatch(config, inflation=inflation)
        size = ReferenceSize(config.feature_reference_values, config.feature_reference_days)
        self.features = FeatureWatch(size, config.most_features)
        self.segment_watch = SegmentWatch(config, fleet.segment_values)
        #: The hour of label time that is still open, as hours since 1970.
        self.open_hour: int | None = None
        self.made: list[Made] = []
        self.settled: list[Settled] = []
        #: When each of `made` came; and of repeats, on which arrival and when.
        self.came: list[float] = []
        self.again: list[tuple[int, float]] = []

    @property
    def serves(self) -> bool:
        """Whether users get its answers, as far as is known."""
        return self.role not in NOT_SERVING

    @property
    def inflation(self) -> float:
        """The variance inflation of its errors: n labels are worth n / this."""
        return self.watch.inflation

    # -- counts -----------------------------------------------------------------------------------------------------

    def waits(self, day: int) -> None:
        """One prediction more waits for its truth, of an id that ages from this day."""
        self.counts["pending"] += 1
        self.pending_by_day[day] = self.pending_by_day.get(day, 0) + 1

    def waits_no_more(self, day: int) -> None:
        """Its truth came, or it ages from another day."""
        self.counts["pending"] -= 1
        left = self.pending_by_day[day] - 1
        if left:
            self.pending_by_day[day] = left
        else:
            del self.pending_by_day[day]

    def met(self, truth: Truth, day: int) -> None:
        """A prediction of an id that ages from this day and its truth met for the first time."""
        self.waits_no_more(day)
        counts = self.counts
        counts["joined"] += 1
        counts["feedback"] += truth[EVENTS]
        if truth[EVENTS] > 1:
            counts["corrections"] += truth[CORRECTIONS]
            counts["duplicates"] += truth[REPEATS]

    def told_again(self, *, correction: bool) -> None:
        """A further feedback for a prediction that has its truth already."""
        self.counts["feedback"] += 1
        self.counts["corrections" if correction else "duplicates"] += 1

    def let_go(self, before_day: int, *, early: bool) -> bool:
        """What waits since before this day is expired; whether there was any. `early`: since there was too much."""
        days = [day for day in self.pending_by_day if day < before_day]
        gone = sum([self.pending_by_day.pop(day) for day in days])
        self.counts["pending"] -= gone
        self.expired(gone, early=early)
        return gone > 0

    def expired(self, n: int, *, early: bool) -> None:
        """So many predictions are let go without their truth."""
        self.counts["expired"] += n
        if early:
            self.counts["let_go"] += n

    def corrected(self, answer: Answer, before: Outcome | None, after: Outcome | None) -> None:
        """The truth was corrected: totals and cohort change; windows and detectors keep what they were told."""
        self.estimated.corrected(answer, before, after)
        for outcome, sign in ((before, -1), (after, 1)):
            if outcome is not None:
                self.total.add(outcome, sign)
                self.cohorts.settle(answer[PREDICTED_AT], outcome, sign)

    # -- runs -------------------------------------------------------------------------------------------------------

    def predicted(self, made: Made, came: float) -> Sequence[Item]:
        """Fold in one prediction at once, which came then; nothing else waits in `made`."""
        arrival, answer, event = made
        self.cohorts.predicted_one(answer[PREDICTED_AT])
        self.calls.add(event)
        found: list[Item] = []
        watch, features = self.watch, event.get("features")
        if self.config.score_detectors:
            score = _number(_score(answer))
            if score is not None and (changes := watch.on_score(score)):
                found += self._moved(SCORES, (made,), changes)
        if watch.features and features:
            for name in watch.features:
                value = _number(features.get(name))
                if value is not None and (changes := watch.on_feature_once(name, value)):
                    found += self._moved(FEATURES, (made,), changes)
        if self.config.most_features and (told := self.features.add(made)):
            found += [Item(arrival, FEATURES, OfFeatures(self, one)) for one in told]
        if self.watches_calls and (told := self.call_watch.add(came, event)):
            found += [Item(arrival, CALLS, OfFeatures(self, one)) for one in told]
        return found

    def turned_out(self, settled: Settled) -> Sequence[Item]:
        """Fold in one outcome at once; nothing else waits in `settled`."""
        arrival, answer, observed_at, predicted_at, outcome, budget, segment, evidence = settled
        found: list[Item] = []
        if observed_at >= _end_of_hour(self.open_hour):
            found = self.reach(observed_at, arrival, answer)
        self.total.add(outcome)
        self.cohorts.settle(predicted_at, outcome)
        self.windows.add(outcome, observed_at)
        if self.config.metrics:
            self.scorecards.add_all((evidence,), (observed_at,))
        if segment:
            self.segments.add_all((segment,), (outcome,), (observed_at,))
        watch = self.segment_watch
        watch.add(segment, predicted_label(evidence), outcome[2], budget)
        for change in self.watch.on_loss(outcome[2], observed_at, budget * watch.of_total):
            moved = Changed(self, change, observed_at, self._explained(change))
            found.append(Item(arrival, answer_place(answer, THEN_DETECTORS), moved))
        return found

    def flush_made(self, *, of_one: bool) -> list[Item]:
        """Fold in the predictions that were put into `made`; `of_one`: of one model, not of many."""
        made, self.made = self.made, []
        calls = self._on_calls(made, watched=of_one and self.watches_calls)
        if not made:
            return calls
        self.cohorts.predicted([answer[PREDICTED_AT] for _, answer, _ in made])
        self.calls.add_all([event for _, _, event in made])
        found: list[Item] = []
        if self.config.score_detectors:
            given, scores = _numbers(made, [_score(answer) for _, answer, _ in made])
            found += self._moved(SCORES, given, self.watch.on_scores(scores))
        return found + self._on_features(made) + calls

    def _on_features(self, made: Sequence[Made]) -> list[Item]:
        found: list[Item] = []
        for name in self.watch.features:
            given, values = _numbers(made, [(event.get("features") or {}).get(name) for _, _, event in made])
            found += self._moved(FEATURES, given, self.watch.on_feature(name, values))
        if self.config.most_features:
            told = self.features.add_all(made)
            found += [Item(made[place][0], FEATURES, OfFeatures(self, one)) for place, one in told]
        return found

    def _on_calls(self, made: Sequence[Made], *, watched: bool) -> list[Item]:
        came, self.came = self.came, []
        again, self.again = self.again, []
        if not watched or not (made or again):
            return []
        watch = self.call_watch
        if max(came, default=0.0) < watch.end and max([at for _, at in again], default=0.0) < watch.end:
            watch.add_within(came, [event for _, _, event in made], len(again))
            return []
        calls: list[Call] = [(arrival, at, event) for (arrival, _, event), at in zip(made, came, strict=True)]
        calls += [(arrival, at, None) for arrival, at in again]
        calls.sort(key=itemgetter(0))
        return [Item(arrival, CALLS, OfFeatures(self, told)) for arrival, told in watch.add_all(calls)]

    def _moved(self, place: int, given: Sequence[Made], changes: Sequence[Change]) -> list[Item]:
        found = []
        for change in changes:
            arrival, answer, _ = given[change.at]
            found.append(Item(arrival, place, Changed(self, change, answer[PREDICTED_AT])))
        return found

    def flush_settled(self) -> list[Item]:
        """Fold in the outcomes that were put into `settled`, hour by hour of label time."""
        settled, self.settled = self.settled, []
        if not settled:
            return []
        found: list[Item] = []
        start, end = 0, _end_of_hour(self.open_hour)
        for at, (arrival, answer, observed_at, *_) in enumerate(settled):
            if observed_at >= end:
                found += self._fold(settled[start:at])
                found += self.reach(observed_at, arrival, answer)
                start, end = at, _end_of_hour(self.open_hour)
        return found + self._fold(settled[start:] if start else settled)

    def reach(self, observed_at: float, arrival: int, answer: int) -> list[Item]:
        """A truth of this label time came: where it is of a later hour, the one that was open is over."""
        hour, before = int(observed_at // HOUR), self.open_hour
        if before is not None and hour <= before:
            return []
        self.open_hour = hour
        if before is None:
            return []
        window, end = self.windows.label_time, (before + 1) * HOUR
        closed = HourClosed(
            self, before, window.between(end - HOUR, end), window.between(end - DAY, end), self.inflation
        )
        place = answer_place(answer, HOUR_FIRST)
        moved = self.segment_watch.close(before, hour, inflation=self.inflation)
        if moved is None:
            return [Item(arrival, place, closed)]
        return [Item(arrival, place, closed), Item(arrival, place, SegmentsMoved(self, moved, float(end)))]

    def _fold(self, settled: Sequence[Settled]) -> list[Item]:
        if not settled:
            return []
        arrivals, answers, observed_at, predicted_at, outcomes, budgets, segments, given = zip(*settled, strict=True)
        self.total.add_all(outcomes)
        self.cohorts.settled(predicted_at, outcomes)
        self.windows.add_all(outcomes, observed_at)
        if self.config.metrics:
            self.scorecards.add_all(given, observed_at)
        if self.segments:
            self.segments.add_all(segments, outcomes, observed_at)
        losses, labels = [outcome[2] for outcome in outcomes], [predicted_label(evidence) for evidence in given]
        found: list[Item] = []
        counted = 0
        of_total = self.segment_watch.of_total
        shares = budgets if of_total == 1.0 else [budget * of_total for budget in budgets]
        for change in self.watch.on_losses(losses, observed_at, shares):
            at = change.at
            if change.alarm is not None:  # it is explained by what came up to it
                taken = slice(counted, at + 1)
                self.segment_watch.add_all(segments[taken], labels[taken], losses[taken], budgets[taken])
                counted = at + 1
            moved = Changed(self, change, observed_at[at], self._explained(change))
            found.append(Item(arrivals[at], answer_place(answers[at], THEN_DETECTORS), moved))
        rest = slice(counted, None)
        self.segment_watch.add_all(segments[rest], labels[rest], losses[rest], budgets[rest])
        return found

    def _explained(self, change: Change) -> Sequence[tuple[str, Decomposition]]:
        """Of an alarm: by segment, where the rise comes from. What is normal from now on is then learned anew."""
        alarm = change.alarm
        if alarm is None or alarm.at is None:
            return ()
        changed_at = alarm.at if alarm.changed_at is None else alarm.changed_at
        explained = self.segment_watch.explain(changed_at, inflation=alarm.reference.inflation)
        self.segment_watch.start_anew(alarm.at)
        return explained

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> dict[str, Any]:
        """Plain values, without closed windows, segments and cohorts, which have sections of their own."""
        return {
            "role": self.role,
            "first_seen": self.first_seen,
            "counts": self.counts,
            "pending_by_day": self.pending_by_day,
            "total": self.total.snapshot(),
            "windows": self.windows.snapshot(),
            "calls": self.calls.snapshot(),
            "call_watch": self.call_watch.snapshot(),
            "watch": self.watch.snapshot(),
            "open_hour": self.open_hour,
            "segment_watch": self.segment_watch.snapshot(),
        }

    def restore(self, data: Mapping[str, Any]) -> None:
        """Take back what `snapshot` gave."""
        self.role = data["role"]
        self.first_seen = data["first_seen"]
        self.counts = {**dict.fromkeys(COUNTS, 0), **data["counts"]}
        self.pending_by_day = dict(data["pending_by_day"])
        self.total = Tally(*data["total"])
        self.windows.restore(data["windows"])
        self.calls = Calls(*data["calls"])
        if (calls := data.get("call_watch")) is not None:
            self.call_watch.restore(calls)
        self.watch = ErrorWatch.restore(data["watch"], self.config)
        self.open_hour = data["open_hour"]
        if (watched := data.get("segment_watch")) is not None:
            self.segment_watch.restore(watched)


def _end_of_hour(hour: int | None) -> float:
    return -1.0 if hour is None else float((hour + 1) * HOUR)


def _score(answer: Answer) -> Any:
    """On which drift of the predictions is watched: the probability, else what was predicted."""
    return answer[PREDICTION] if answer[PROBABILITY] is None else answer[PROBABILITY]


def _number(value: Any) -> float | None:
    """A value that is a number, as a float; None for labels and truth values."""
    if type(value) is not float and type(value) is not int:
        return None
    number = float(value)
    return number if -LARGEST_ERROR <= number <= LARGEST_ERROR else min(max(number, -LARGEST_ERROR), LARGEST_ERROR)


def _numbers(made: Sequence[Made], values: Sequence[Any]) -> tuple[Sequence[Made], list[float]]:
    """The values that are numbers, as floats, and the predictions they are of; labels and truth values are none."""
    if not {float}.issuperset(map(type, values)):
        numbers = [(one, float(value)) for one, value in zip(made, values, strict=True) if type(value) in (int, float)]
        made, values = [one for one, _ in numbers], [value for _, value in numbers]
    if values and (max(values) > LARGEST_ERROR or min(values) < -LARGEST_ERROR):
        values = [min(max(value, -LARGEST_ERROR), LARGEST_ERROR) for value in values]
    return made, list(values)
