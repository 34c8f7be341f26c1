"""A run: what one chunk holds of one model, folded in together, in its order.

What is the same for each event is looked up once; what only adds up is collected by version and folded in at the end,
or before anything that reads it. The result is that of one event after the other, wherever a chunk is cut.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from math import inf

from trueup.monitor.blindness import Missing
from trueup.monitor.join import ACTUAL, ENTRY_DAY, OBSERVED_AT, SCORE, Answer, Entry, Truth, counted, prefix_of
from trueup.monitor.model import Model
from trueup.monitor.noticed import SIGHT, THEN_VERDICT, Compared, Item, SightBack, answer_place
from trueup.monitor.segments import names_in
from trueup.monitor.version import Version
from trueup.monitor.versions_compared import VersionsCompared
from trueup.step import Arrival

#: Event times later than the record itself by more than this are taken for the record's.
CLOCK_AHEAD_SECONDS = 300.0


@dataclass(slots=True)
class Surroundings:
    """What a run is folded into besides its model."""

    #: Whether the wall clock counts, or the stream's.
    wall: bool
    #: The latest tick.
    now: float
    #: Ids that age from before this day are let go.
    horizon_day: int
    #: What was saved of the entries that are not hot.
    found: Mapping[bytes, bytes] = field(default_factory=dict)


class Run:
    """The events of one topic and model in one chunk, as indexes into its arrivals."""

    def __init__(
        self, model: Model, arrivals: Sequence[Arrival], indexes: Sequence[int], around: Surroundings, most_ids: int
    ) -> None:
        self.model = model
        self.taken = [arrivals[index] for index in indexes]
        self.indexes = indexes
        self.around = around
        #: How many ids of this model there may be.
        self.most_ids = most_ids
        self.wall = around.wall
        self.is_rest = model.is_rest
        self.segments = names_in(model.config.segments)
        self.noticed: list[Item] = []
        self.touched: dict[str, Version] = {}
        self.ids_before = model.waiting.total
        #: Whether the model may have to be looked at earlier than was planned.
        self.look_again = False
        waiting = model.waiting
        self.waiting = waiting
        #: Ids that age from before this day were let go, by the horizon or since there were too many.
        self.before_day = waiting.let_go_before = max(waiting.let_go_before, around.horizon_day)

    def times(self, stated: str) -> list[float]:
        """The event times: as stated, else the records'; but not from the future.

        What lies in the future, the record says, and by the wall clock the last tick too: the record's time is its
        producer's, whose clock may be as wrong as the app's.
        """
        times = [timestamp if (at := event.get(stated)) is None else at for _, _, timestamp, event in self.taken]
        bound = self.around.now if self.wall and self.around.now else inf
        earliest = min([arrival[2] for arrival in self.taken])
        if max(times) <= min(earliest, bound) + CLOCK_AHEAD_SECONDS:
            return times
        for place, (_, _, timestamp, _) in enumerate(self.taken):
            latest = min(timestamp, bound)
            if times[place] > latest + CLOCK_AHEAD_SECONDS:
                self.model.counts["clamped"] += 1
                times[place] = latest
        return times

    def came(self, times: Sequence[float]) -> Sequence[float]:
        """When they came, of these event times: by the wall clock when the records say, but not later than the tick."""
        if not self.wall:
            return times
        came, bound = [timestamp for _, _, timestamp, _ in self.taken], self.around.now or inf
        return came if max(came) <= bound else [min(timestamp, bound) for timestamp in came]

    def id_of(self, event: Mapping[str, str]) -> str:
        """What tells this id from others: where the model stands for many, the model it came with too."""
        prediction_id = event["prediction_id"]
        return prefix_of(event["model_id"]) + prediction_id if self.model.is_rest else prediction_id

    def known(self, prediction_id: str) -> Entry | None:
        """The entry of this id, None where it was never seen or was let go."""
        waiting = self.waiting
        entry = waiting.hot.get(prediction_id)
        if entry is None and not waiting.complete:
            return waiting.recall(prediction_id, self.around.found)
        return None if entry is None or entry[ENTRY_DAY] < self.before_day else entry

    def keep(self, prediction_id: str, entry: Entry) -> bool:
        """Keep a new entry; False where there is no room for it, or it is too old."""
        waiting, day = self.waiting, entry[ENTRY_DAY]
        if day < self.before_day:
            self.model.counts["let_go"] += day >= self.around.horizon_day
            return False
        if waiting.total >= self.most_ids:
            room = self.model.make_room(day, self.most_ids)
            self.before_day = waiting.let_go_before
            self.touched.update(self.model.versions)
            if not room:
                return False
        waiting.file(day)
        waiting.put(prediction_id, entry)
        return True

    def version(self, model_version: str, at: float) -> Version:
        """The version; a new one starts from what the others know by now."""
        version = self.model.versions.get(model_version)
        if version is None:
            self.flush()
            version = self.model.version(model_version, at)
        self.touched[version.model_version] = version
        return version

    def join(self, index: int, place: int, answer: Answer, truth: Truth, day: int, *, together: bool = False) -> Answer:
        """A truth met the answer at this place of an entry for the first time; the answer, as judged.

        `together`: with the other answers of the entry, of which `decide` is told next.
        """
        model = self.model
        name, prediction, probability, predicted_at, segment, _, under = answer
        version = model.versions[under or name]
        self.touched[version.model_version] = version
        version.met(truth, day)
        model.labels.counts.met.append(answer)
        outcome, observed_at = model.judge(answer, truth), truth[OBSERVED_AT]
        if outcome is None:
            self.noticed += version.flush_settled()
            self.noticed += version.reach(observed_at, index, place)
            return answer
        if probability is not None:
            version.estimated.settled(answer, outcome, observed_at)
        budget = model.earn(observed_at) if model.config.pages else 0.0
        evidence = (model.task, prediction, probability, truth[ACTUAL], truth[SCORE])
        version.settled.append((index, place, observed_at, predicted_at, outcome, budget, segment, evidence))
        if not together and model.compared is not None and model.decides(version, outcome, predicted_at):
            self.verdict(index, place, model.compared, observed_at)
        return name, prediction, probability, predicted_at, segment, counted(outcome), under

    def decide(self, index: int, answers: Sequence[Answer], at: float) -> None:
        """A truth met these answers, all of its entry, for the first time and together."""
        for compared in self.model.decided_by(answers):
            self.verdict(index, len(answers) - 1, compared, at)

    def decide_late(self, index: int, answers: Sequence[Answer], at: float) -> None:
        """The last of these answers, all of its entry, met a truth that the others had met before."""
        for compared in self.model.shadows.take(answers, self.model.versions, came=answers[-1]):
            self.verdict(index, len(answers) - 1, compared, at)

    def verdict(self, index: int, place: int, compared: VersionsCompared, at: float) -> None:
        """A test came to its verdict, by the answer at this place."""
        self.flush()
        role = self.model.versions[compared.new].role
        verdict = Compared(compared, at, self.model.inflation, role)
        self.noticed.append(Item(index, answer_place(place, THEN_VERDICT), verdict))

    def see(self, what: Missing, first: int, at: float, latest: float) -> None:
        """Some came: the first on this arrival, of event time `at`; the latest event time of all is `latest`.

        By the wall clock they came now, whatever their own time: old data read in is no blindness.
        """
        wall, sight = self.wall, self.model.sight
        self.look_again = self.look_again or what not in sight.last
        if wall and what not in sight.fresh:
            sight.dated(what, at)
        ended = sight.seen(what, None if wall else at)
        if latest > at and not wall:
            sight.seen(what, latest)
        if ended:
            back = max(self.taken[self.indexes.index(first)].timestamp, self.around.now) if wall else at
            self.noticed.append(Item(first, SIGHT, SightBack(what, back)))
            self.look_again = True

    def flush(self) -> None:
        """Fold in what was collected."""
        for version in self.touched.values():
            self.noticed += version.flush_made(of_one=not self.is_rest)
            self.noticed += version.flush_settled()
