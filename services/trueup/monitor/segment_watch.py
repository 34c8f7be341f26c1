"""Each value of a model's segments held against its own reference and the rest of the model: a fall in one part.

The same evidence as the e-detector's (see `detectors.e_detector`), but weighed when an hour of label time closes, on
the counts of a value since it was last weighed:

    R ← (R + a) · ((1 + s(1 − c))^lost · (1 − s·c)^(n − lost))^(1/V)      alarm where the mean of R reaches 1/0.95

which is a product of factors 1 + s(x − c) for losses x of 0 and 1, and less than it for losses between (the logarithm
is concave). The bound c moves with the rest of the model: it is the value's own bound m, and what the rest of the
model loses by now more than in the reference. So a storm over all of the traffic is no fall of a part, twenty values
that fall together are one alarm of the model and none of theirs, and one that falls alone is found although the total
hardly moves. It has to be above m besides: that the others got better is no fall.

Of the model's budget a quarter goes to its segments (`OF_SEGMENTS`), in even parts to all values that are watched: it
bounds their false alarms together, however dependent they are. Each bound holds with 95 %, as that of the model.

A value is watched that had at least 200 outcomes, worth at least 20 independent ones, when the reference was learned,
and the rest as many. The reference goes on growing by the days on which nothing was rising, and the bound becomes
tighter by them, never looser beside the mean of the rest. The variance inflation V of a value is the largest of: what
its own days show beyond doubt, in their difference to the rest; what the days of all values show together, for so many
outcomes a day as it has; and what was met before, a rise that was over within days included. Where there are too few
days, it is that of the model. It grows with the outcomes a day, where a value comes to make up more of the traffic than
it did: they are outcomes of the same storms.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from trueup.monitor.breakdown import HOURS_A_DAY, Breakdown, Counted, merged
from trueup.monitor.config import ModelConfig
from trueup.monitor.mix import Decomposition, decompose
from trueup.monitor.segment_inflation import inflations_of, total
from trueup.monitor.segment_reference import Learning, watched_of
from trueup.monitor.segment_rises import Found, rise_of
from trueup.monitor.segments import value_in
from trueup.monitor.watched import Watched
from trueup.statistics.variance_inflation import SECONDS_PER_DAY

#: The part of a model's budget that goes to its segments, as soon as any is watched.
OF_SEGMENTS = 0.25
#: The evidence of a value is weighed once it has so many outcomes, and at the end of a day.
LEAST_WEIGHED = 25
#: A value with a tenth of an alarm's evidence is named with one that alarms.
ALSO = 0.1
#: At most so much of the budget in one go, so that a silence is no alarm in itself.
_LARGEST_BUDGET = 0.05
#: Values of the predicted label that are kept apart.
_MOST_LABELS = 50
#: A rise of so many days, the calm ones at its end among them, was a storm.
STORM_DAYS = 5
#: The name under which the labels that were predicted are told among the segments.
PREDICTED = "prediction"


class SegmentWatch:
    """All segments of one version, and the labels that it predicts, which are counted and not watched."""

    def __init__(self, config: ModelConfig, most_values: int) -> None:
        self._config = config
        self._by_segment = {segment: Breakdown(most_values) for segment in config.segments}
        self._labels = Breakdown(_MOST_LABELS)
        #: Segment -> value -> its counts in the reference; with those of the labels.
        self._before: dict[str, Counted] = {}
        self._watched: dict[tuple[str, str], Watched] = {}
        self._inflations: dict[tuple[str, str], float] = {}
        #: What the model earned so far, of which a part is the segments'.
        self._earned = 0.0
        self._learning: Learning | None = None
        #: Whether a rise calls: not between an alarm about all of the model and the next reference.
        self._calls = True
        #: Whether anything but the open hour changed since `closed_snapshot` was last called.
        self.closed_changed = False

    @property
    def of_total(self) -> float:
        """The part of the model's budget that is left for its errors as a whole; it changes with an hour's end only."""
        return 1.0 - OF_SEGMENTS if self._watched else 1.0

    # -- counting ---------------------------------------------------------------------------------------------------

    def add_all(
        self,
        segments: Sequence[Mapping[str, str] | None],
        labels: Sequence[Any],
        losses: Sequence[float],
        budgets: Sequence[float],
    ) -> None:
        """Count outcomes of the hour that is open: of which segments and label, what was lost, what they earned."""
        for segment, breakdown in self._by_segment.items():
            breakdown.add_all([value_in(segment, given) for given in segments], losses)
        # Labels that are equal have the same text, whichever of them stands for all.
        for (label, loss), n in Counter(zip(labels, losses, strict=True)).items():
            self._labels.add(_label(label), loss, n)
        if self._by_segment:
            earned = self._earned
            for budget in budgets:
                earned += budget
            self._earned = earned

    def add(self, segment: Mapping[str, str] | None, label: Any, loss: float, budget: float) -> None:
        """`add_all` of a single outcome."""
        for name, breakdown in self._by_segment.items():
            breakdown.add(value_in(name, segment), loss)
        self._labels.add(_label(label), loss)
        if self._by_segment:
            self._earned += budget

    # -- the end of an hour -----------------------------------------------------------------------------------------

    def close(self, hour: int, next_hour: int, *, inflation: float) -> Found | None:
        """This hour is over, the next outcome is of `next_hour`; what that brought, if anything.

        `inflation` is that of the model's errors.
        """
        self.closed_changed = True
        at = (hour + 1) * 3_600.0
        day_over = next_hour // HOURS_A_DAY > hour // HOURS_A_DAY
        fired = self._weigh(at, day_over=day_over)
        counted = self._labels.open or any(breakdown.open for breakdown in self._by_segment.values())
        for breakdown in (*self._by_segment.values(), self._labels):
            breakdown.close(hour)
        if counted:
            self._learn(hour)
        ended = self._end_day(hour // HOURS_A_DAY, at) if day_over else False
        found = self._found(fired, ended=ended)
        if self._learning is not None and self._learning.enough(self._config):
            self._freeze(inflation, at)
        return found

    def _weigh(self, at: float, *, day_over: bool) -> list[tuple[str, str]]:
        fired = []
        totals: dict[str, tuple[int, int]] = {}
        for (segment, value), watched in self._watched.items():
            if segment not in totals:
                totals[segment] = total(self._by_segment[segment].open)
            n, lost = self._by_segment[segment].open.get(value, (0, 0))
            all_n, all_lost = totals[segment]
            watched.waits = [
                before + now for before, now in zip(watched.waits, (n, lost, all_n - n, all_lost - lost), strict=True)
            ]
            least = 1 if day_over else LEAST_WEIGHED
            if watched.waits[0] >= least and watched.waits[2] >= LEAST_WEIGHED:
                budget = min(OF_SEGMENTS * (self._earned - watched.paid_until) / len(self._watched), _LARGEST_BUDGET)
                watched.paid_until = self._earned
                if watched.weigh(budget, at):
                    fired.append((segment, value))
        return fired

    def _end_day(self, day: int, at: float) -> bool:
        """Whether the last value that had risen is back with this day's end."""
        back = []
        for (segment, value), watched in self._watched.items():
            breakdown = self._by_segment[segment]
            rose_at = watched.changed_at
            back.append(watched.end_day(breakdown.day(day).get(value, [0, 0]), at))
            if back[-1] and at - rose_at <= STORM_DAYS * SECONDS_PER_DAY:
                self._met_storm(segment, value, watched)
            watched.grow(breakdown, value, self._config.worth_paging)
        return any(back) and not any(watched.risen for watched in self._watched.values())

    def _met_storm(self, segment: str, value: str, watched: Watched) -> None:
        """What rose and was back within days may come again: it is how the days of this value vary."""
        days = self._by_segment[segment].by_day(0)
        own = max(watched.inflation, inflations_of(days, otherwise=1.0)[value])
        self._inflations[segment, value] = own
        watched.vary(own, self._config.worth_paging)

    def _found(self, fired: Sequence[tuple[str, str]], *, ended: bool) -> Found | None:
        rises = [
            (watched.evidence, rise_of(segment, value, watched, fired=(segment, value) in fired))
            for (segment, value), watched in self._watched.items()
            if fired and (watched.risen or watched.evidence >= ALSO) and watched.since[0]
        ]
        if not rises and not ended:
            return None
        strongest = sorted(rises, key=lambda pair: (-pair[1].fired, -pair[0]))
        return Found([rise for _, rise in strongest], ended and not rises, self._calls)

    # -- the reference ----------------------------------------------------------------------------------------------

    def _learn(self, hour: int) -> None:
        day = hour // HOURS_A_DAY
        if self._learning is None and not self._before:
            self._learning = Learning(day)
        if self._learning is not None and day >= self._learning.first_day:
            n = sum(counts[0] for counts in self._labels.day(day).values())
            for breakdown in self._by_segment.values():
                n = max(n, sum(counts[0] for counts in breakdown.day(day).values()))
            self._learning.saw(day, n)

    def _freeze(self, inflation: float, at: float) -> None:
        """What was learned is the reference from now on."""
        learning, self._learning = self._learning, None
        assert learning is not None
        before, self._watched, self._before = self._watched, {}, {}
        for segment, breakdown in self._breakdowns():
            days = breakdown.by_day(learning.first_day)
            self._before[segment] = merged(days)
            if breakdown is not self._labels:
                self._watch(segment, days, inflation, at)
        for key, watched in self._watched.items():
            if key in before and before[key].risen:
                watched.stays_risen(before[key])
        self._calls = True

    def _watch(self, segment: str, days: Sequence[Counted], inflation: float, at: float) -> None:
        own = {
            value: max(self._inflations.get((segment, value), 1.0), of)
            for value, of in inflations_of(days, otherwise=inflation).items()
        }
        self._inflations.update({(segment, value): of for value, of in own.items()})
        next_day = int(at // SECONDS_PER_DAY) + 1
        of_segment = watched_of(days, own, tolerance=self._config.worth_paging, next_day=next_day)
        for value, watched in of_segment.items():
            watched.paid_until, watched.changed_at = self._earned, at
            self._watched[segment, value] = watched

    def _breakdowns(self) -> Iterator[tuple[str, Breakdown]]:
        yield from self._by_segment.items()
        if PREDICTED not in self._by_segment:
            yield PREDICTED, self._labels

    # -- an alarm about all of the model ----------------------------------------------------------------------------

    def explain(self, changed_at: float, *, inflation: float) -> list[tuple[str, Decomposition]]:
        """Where a rise of all the model since then comes from: by segment, the one that tells most of the mix first."""
        found = []
        for segment, breakdown in self._breakdowns():
            before = self._before.get(segment)
            decomposition = decompose(before or {}, breakdown.since(changed_at), inflation=inflation)
            if decomposition is not None:
                found.append((segment, decomposition))
        return sorted(found, key=lambda pair: -pair[1].mix)

    def start_anew(self, at: float) -> None:
        """An alarm about all of the model: learn from the day after it; until then no segment calls."""
        self._learning = Learning(int(at // SECONDS_PER_DAY) + 1)
        self._calls = False
        self.closed_changed = True

    # -- saving -----------------------------------------------------------------------------------------------------

    def snapshot(self) -> list[Any]:
        """What changes with each outcome, for `restore`."""
        by_segment = {segment: breakdown.snapshot() for segment, breakdown in self._by_segment.items()}
        return [self._earned, by_segment, self._labels.snapshot()]

    def restore(self, data: Sequence[Any]) -> None:
        """Take back what `snapshot` gave, of the segments that are still configured."""
        self._earned = data[0]
        for segment, breakdown in self._by_segment.items():
            if segment in data[1]:
                breakdown.restore(data[1][segment])
        self._labels.restore(data[2])

    def closed_snapshot(self) -> dict[str, Any]:
        """What changes with an hour's end, for `restore_closed`."""
        self.closed_changed = False
        return {
            "by_segment": {segment: breakdown.closed_snapshot() for segment, breakdown in self._by_segment.items()},
            "labels": self._labels.closed_snapshot(),
            "before": self._before,
            "watched": [[*key, watched.snapshot()] for key, watched in self._watched.items()],
            "inflations": [[*key, inflation] for key, inflation in self._inflations.items()],
            "learning": None if self._learning is None else list(self._learning.snapshot()),
            "calls": self._calls,
        }

    def restore_closed(self, data: Mapping[str, Any]) -> None:
        """Take back what `closed_snapshot` gave, of the segments that are still configured."""
        kept = (*self._by_segment, PREDICTED)
        for segment, breakdown in self._by_segment.items():
            if segment in data["by_segment"]:
                breakdown.restore_closed(data["by_segment"][segment])
        self._labels.restore_closed(data["labels"])
        self._before = {segment: dict(of) for segment, of in data["before"].items() if segment in kept}
        self._watched = {
            (segment, value): Watched(*values) for segment, value, values in data["watched"] if segment in kept
        }
        self._inflations = {(segment, value): of for segment, value, of in data["inflations"] if segment in kept}
        self._learning = None if data["learning"] is None else Learning(*data["learning"])
        self._calls = data["calls"]


def _label(label: Any) -> str | None:
    """A label that was predicted, as a text; the same for all that are equal, as True, 1 and 1.0 are."""
    if label is None or isinstance(label, str):
        return None if label is None else label[:200]
    return str(int(label)) if label == label // 1 else str(label)
